/* SPDX-License-Identifier: MIT */
/* From a request's op to its row, and everything that is the same for all rows. */
#include "daemon/supervisor/ops.h"

#include <stdio.h>
#include <string.h>

#include "common/suggest.h"
#include "daemon/supervisor/rights.h"
#include "daemon/supervisor/supervisor.h"

enum when { ALWAYS, READY };

struct op {
    const char *name;
    enum level level;
    enum when when;
    void (*run)(struct request *r);
    const char *arguments;
};

static const struct op ops[] = {
#define OP(name, level, when, handler, arguments) {name, LEVEL_##level, when, handler, arguments},
#define LATER(name)                               {name, LEVEL_READ, ALWAYS, NULL, ""},
#include "daemon/supervisor/ops.def"
#undef OP
#undef LATER
};

static const struct op *find(const char *name)
{
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (!strcmp(ops[i].name, name))
            return &ops[i];
    return NULL;
}

/* The next "name:type" of a row's arguments; NULL at the end. */
static const char *next_argument(const char *p, char ret_name[32], char *ret_type, bool *ret_must)
{
    while (*p == ' ')
        p++;
    const char *colon = strchr(p, ':');
    if (!colon)
        return NULL;
    snprintf(ret_name, 32, "%.*s", (int)(colon - p), p);
    *ret_type = colon[1];
    *ret_must = colon[2] == '!';
    return colon + 2 + *ret_must;
}

static bool is_type(const json_t *v, char type)
{
    switch (type) {
    case 'i':
        return json_is_integer(v) && json_integer_value(v) >= 0;
    case 'b':
        return json_is_boolean(v);
    case 'a':
        return json_is_array(v);
    case 'o':
        return json_is_object(v);
    default:
        return json_is_string(v);
    }
}

static const char *type_name(char type)
{
    return type == 'i'   ? "an integer of at least 0"
           : type == 'b' ? "true or false"
           : type == 'a' ? "an array"
           : type == 'o' ? "an object"
                         : "a string";
}

static void unknown_op(struct request *r, const char *name)
{
    struct suggest near;
    char hint[100] = "version and status tell what answers here";
    suggest_init(&near, name);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        suggest_offer(&near, ops[i].name, ops[i].name);
    if (suggest_answer(&near))
        snprintf(hint, sizeof hint, "did you mean %s?", suggest_answer(&near));
    request_error(r, ERROR_UNKNOWN_OP, "op", hint, "there is no operation %.80s", name);
}

static void unknown_argument(struct request *r, const struct op *op, const char *key)
{
    struct suggest near;
    char name[32], type, field[80], names[8][32], hint[300] = "it takes none";
    bool must;
    size_t n = 0, at = 0;
    suggest_init(&near, key);
    for (const char *p = op->arguments; n < 8 && (p = next_argument(p, name, &type, &must)); n++) {
        memcpy(names[n], name, sizeof name);
        suggest_offer(&near, names[n], names[n]);
        at += (size_t)snprintf(hint + at, sizeof hint - at, "%s%s", n ? ", " : "it takes ", name);
    }
    if (suggest_answer(&near))
        snprintf(hint, sizeof hint, "did you mean %s?", suggest_answer(&near));
    snprintf(field, sizeof field, "args.%.60s", key);
    request_error(r, ERROR_BAD_ARGUMENT, field, hint, "%s takes no argument %.60s", op->name, key);
}

/* False: refused. */
static bool known_arguments(struct request *r, const struct op *op)
{
    const char *key;
    json_t *value;
    json_object_foreach(r->args, key, value)
    {
        char name[32], type, field[80];
        bool must, known = false;
        for (const char *p = op->arguments; !known && (p = next_argument(p, name, &type, &must));)
            known = !strcmp(name, key);
        snprintf(field, sizeof field, "args.%.60s", key);
        if (!known) {
            unknown_argument(r, op, key);
            return false;
        }
        if (!is_type(value, type)) {
            request_error(r, ERROR_BAD_ARGUMENT, field, NULL, "%s must be %s", key,
                          type_name(type));
            return false;
        }
    }
    return true;
}

static bool required_arguments(struct request *r, const struct op *op)
{
    char name[32], type, field[80];
    bool must;
    for (const char *p = op->arguments; (p = next_argument(p, name, &type, &must));) {
        const json_t *value = json_object_get(r->args, name);
        snprintf(field, sizeof field, "args.%s", name);
        if (must && !value) {
            request_error(r, ERROR_BAD_ARGUMENT, field, NULL, "%s needs the argument %s", op->name,
                          name);
            return false;
        }
        if (type == 'j' && value && !(r->job = jobs_named(r->s, json_string_value(value)))) {
            request_error(r, ERROR_NOT_FOUND, field, "`crawlctl jobs` lists the jobs there are",
                          "no job is called %.80s", json_string_value(value));
            return false;
        }
    }
    return true;
}

void ops_run(struct request *r, const char *name)
{
    const struct op *op = find(name);
    if (!op)
        unknown_op(r, name);
    else if (!op->run)
        request_error(r, ERROR_UNSUPPORTED, "op", NULL, "%s is not built yet", name);
    else if (request_level(r) < op->level)
        request_error(r, ERROR_DENIED, NULL, "admins, operators and readers are set in crawld.conf",
                      "%s needs level %s, yours is %s", name, level_name(op->level),
                      level_name(request_level(r)));
    else if (op->level == LEVEL_OPERATE && r->s->draining)
        request_error(r, ERROR_SHUTTING_DOWN, NULL, NULL, "the daemon is stopping");
    else if (op->when == READY && r->s->recovering)
        request_error(r, ERROR_RECOVERING, NULL, "try again in a moment",
                      "the daemon is reading its jobs: %u %%", supervisor_recovered_percent(r->s));
    else if (known_arguments(r, op) && required_arguments(r, op))
        op->run(r);
}
