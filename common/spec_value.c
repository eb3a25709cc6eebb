/* SPDX-License-Identifier: MIT */
/* The values of the specification's keys: each kind has a reader from JSON, a writer to JSON and a
 * destructor, found in one table. Readers get an empty field or one that holds the default, which
 * they free. */
#include "common/spec_row.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/xalloc.h"

#define HEADERS_MAX 100

struct ops {
    int (*read)(const struct spec_row *row, const json_t *v, struct job_spec *s,
                struct spec_error *ret_error);
    json_t *(*json)(const struct spec_row *row, const struct job_spec *s);
    void (*done)(const struct spec_row *row, struct job_spec *s);
};

static void *field(const struct spec_row *row, const struct job_spec *s)
{
    return (char *)s + row->offset;
}

static const char *type_name(const json_t *v)
{
    static const char *const names[] = {"an object", "a list", "a string", "a number",
                                        "a number",  "true",   "false",    "null"};
    return names[json_typeof(v)];
}

int spec_wrong_type(struct spec_error *e, const char *path, const char *want, const json_t *v)
{
    return spec_refuse(e, path, "", "must be %s, is %s", want, type_name(v));
}

static bool has_control(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
            return true;
    return false;
}

/* RFC 9110, 5.6.2. */
static bool is_token(const char *p)
{
    size_t n = strlen(p);
    return n && strspn(p, "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                          "abcdefghijklmnopqrstuvwxyz") == n;
}

/* A JSON string within the row's limits. */
static int check_text(const struct spec_row *row, const char *path, const json_t *v,
                      struct spec_error *e)
{
    if (!json_is_string(v))
        return spec_wrong_type(e, path, "a string", v);
    size_t n = json_string_length(v);
    if (n < (size_t)row->min || n > (size_t)row->max)
        return spec_refuse(e, path, "", "%zu bytes is out of range %lld to %lld bytes", n,
                           (long long)row->min, (long long)row->max);
    if (strlen(json_string_value(v)) != n)
        return spec_refuse(e, path, "", "holds a NUL");
    return 0;
}

static int read_name(const struct spec_row *row, const json_t *v, struct job_spec *s,
                     struct spec_error *e)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    if (check_text(row, row->path, v, e) < 0)
        return -EINVAL;
    const char *name = json_string_value(v);
    if (name[strspn(name, allowed)] || (*name && strchr("._-", *name)))
        return spec_refuse(e, row->path,
                           "names are a-z 0-9 . _ -, begin with a letter or digit, at most 64",
                           "\"%s\" is not a name", name);
    snprintf(field(row, s), SPEC_NAME_MAX + 1, "%s", name);
    return 0;
}

static json_t *json_name(const struct spec_row *row, const struct job_spec *s)
{
    const char *name = field(row, s);
    return *name ? json_string(name) : NULL;
}

static void done_string(const struct spec_row *row, struct job_spec *s)
{
    char **p = field(row, s);
    free(*p);
    *p = NULL;
}

static int read_string(const struct spec_row *row, const json_t *v, struct job_spec *s,
                       struct spec_error *e)
{
    if (check_text(row, row->path, v, e) < 0)
        return -EINVAL;
    if (has_control(json_string_value(v), json_string_length(v)))
        return spec_refuse(e, row->path, "", "holds a control character");
    done_string(row, s);
    *(char **)field(row, s) = xstrdup(json_string_value(v));
    return 0;
}

static json_t *json_of_string(const struct spec_row *row, const struct job_spec *s)
{
    const char *text = *(char **)field(row, s);
    return text ? json_string(text) : NULL;
}

static int read_method(const struct spec_row *row, const json_t *v, struct job_spec *s,
                       struct spec_error *e)
{
    if (check_text(row, row->path, v, e) < 0)
        return -EINVAL;
    const char *method = json_string_value(v);
    if (!is_token(method) || !strcasecmp(method, "CONNECT"))
        return spec_refuse(e, row->path, "GET, HEAD, POST, ...", "\"%s\" is no method for a page",
                           method);
    return read_string(row, v, s, e);
}

/* Is it one we take off, or "*"? A weight may follow (RFC 9110, section 12.5.3). */
static bool is_coding(const char *item, size_t n)
{
    static const char *const known[] = {"gzip", "x-gzip", "deflate", "br", "zstd", "identity", "*"};
    size_t len = 0;
    while (len < n && !strchr("; \t", item[len]))
        len++;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i]) == len && !strncasecmp(item, known[i], len))
            return true;
    return false;
}

static int read_coding(const struct spec_row *row, const json_t *v, struct job_spec *s,
                       struct spec_error *e)
{
    if (check_text(row, row->path, v, e) < 0)
        return -EINVAL;
    for (const char *item = json_string_value(v); *item; item += *item == ',') {
        item += strspn(item, " \t");
        size_t n = strcspn(item, ",");
        if (n && !is_coding(item, n)) {
            spec_refuse(e, row->path, "gzip, deflate, br, zstd, identity or *",
                        "the coding %.*s is not built yet", (int)n, item);
            e->unsupported = true;
            return -EINVAL;
        }
        item += n;
    }
    return read_string(row, v, s, e);
}

static struct spec_text text_of(const json_t *v)
{
    size_t n = json_string_length(v);
    return (struct spec_text){xmemdup0(json_string_value(v), n), n};
}

static void done_text(const struct spec_row *row, struct job_spec *s)
{
    struct spec_text *t = field(row, s);
    free(t->p);
    *t = (struct spec_text){0};
}

static int read_text(const struct spec_row *row, const json_t *v, struct job_spec *s,
                     struct spec_error *e)
{
    if (check_text(row, row->path, v, e) < 0)
        return -EINVAL;
    done_text(row, s);
    *(struct spec_text *)field(row, s) = text_of(v);
    return 0;
}

static json_t *json_text(const struct spec_row *row, const struct job_spec *s)
{
    const struct spec_text *t = field(row, s);
    return json_stringn(t->p ? t->p : "", t->len);
}

static int read_bool(const struct spec_row *row, const json_t *v, struct job_spec *s,
                     struct spec_error *e)
{
    if (!json_is_boolean(v))
        return spec_wrong_type(e, row->path, "true or false", v);
    *(bool *)field(row, s) = json_is_true(v);
    return 0;
}

static json_t *json_bool(const struct spec_row *row, const struct job_spec *s)
{
    return json_boolean(*(bool *)field(row, s));
}

static int read_uint(const struct spec_row *row, const json_t *v, struct job_spec *s,
                     struct spec_error *e)
{
    if (!json_is_integer(v))
        return spec_wrong_type(e, row->path, "a whole number", v);
    int64_t n = json_integer_value(v);
    if (n < row->min || n > row->max)
        return spec_refuse(e, row->path, "", "%lld is out of range %lld to %lld %s", (long long)n,
                           (long long)row->min, (long long)row->max, row->unit);
    *(uint64_t *)field(row, s) = (uint64_t)n;
    return 0;
}

static json_t *json_uint(const struct spec_row *row, const struct job_spec *s)
{
    return json_integer((json_int_t) * (uint64_t *)field(row, s));
}

/* The number of a word among an ENUM's, -1 if it is none. */
static int word_index(const struct spec_row *row, const char *given)
{
    char word[32];
    bool built;
    for (int i = 0; spec_row_word(row, (size_t)i, word, sizeof word, &built); i++)
        if (!strcmp(word, given))
            return i;
    return -1;
}

static int read_enum(const struct spec_row *row, const json_t *v, struct job_spec *s,
                     struct spec_error *e)
{
    char hint[128] = "one of", word[32];
    bool built;
    if (!json_is_string(v))
        return spec_wrong_type(e, row->path, "a string", v);
    int index = word_index(row, json_string_value(v));
    if (index < 0) {
        for (size_t i = 0; spec_row_word(row, i, word, sizeof word, &built); i++) {
            strncat(hint, i ? ", " : " ", sizeof hint - strlen(hint) - 1);
            strncat(hint, word, sizeof hint - strlen(hint) - 1);
        }
        return spec_refuse(e, row->path, hint, "\"%s\" is not known", json_string_value(v));
    }
    *(unsigned *)field(row, s) = (unsigned)index;
    return 0;
}

static json_t *json_enum(const struct spec_row *row, const struct job_spec *s)
{
    char word[32];
    bool built;
    spec_row_word(row, *(unsigned *)field(row, s), word, sizeof word, &built);
    return json_string(word);
}

void spec_texts_free(struct spec_texts *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->v[i].p);
    free(t->v);
    *t = (struct spec_texts){0};
}

static void done_texts(const struct spec_row *row, struct job_spec *s)
{
    spec_texts_free(field(row, s));
}

int spec_texts_read(const struct spec_row *row, const char *path, const json_t *v,
                    struct spec_texts *ret_texts, struct spec_error *e)
{
    if (!json_is_array(v))
        return spec_wrong_type(e, path, "a list of strings", v);
    struct spec_texts t = {.v = xcalloc(json_array_size(v) + 1, sizeof *t.v)};
    for (size_t i = 0; i < json_array_size(v); i++) {
        char item[160];
        snprintf(item, sizeof item, "%s[%zu]", path, i);
        if (check_text(row, item, json_array_get(v, i), e) < 0) {
            spec_texts_free(&t);
            return -EINVAL;
        }
        t.v[t.count++] = text_of(json_array_get(v, i));
    }
    *ret_texts = t;
    return 0;
}

json_t *spec_texts_json(const struct spec_texts *t)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->count; i++)
        json_array_append_new(list, json_stringn(t->v[i].p, t->v[i].len));
    return list;
}

static int read_texts(const struct spec_row *row, const json_t *v, struct job_spec *s,
                      struct spec_error *e)
{
    struct spec_texts t;
    if (spec_texts_read(row, row->path, v, &t, e) < 0)
        return -EINVAL;
    done_texts(row, s);
    *(struct spec_texts *)field(row, s) = t;
    return 0;
}

static json_t *json_texts(const struct spec_row *row, const struct job_spec *s)
{
    return spec_texts_json(field(row, s));
}

static void done_status(const struct spec_row *row, struct job_spec *s)
{
    free(s->keep.status);
    s->keep.status = NULL;
    s->keep.status_count = 0;
}

/* 200 or "200" or "2xx". */
static int read_one_status(const struct spec_row *row, const char *path, const json_t *v,
                           struct spec_status *ret_status, struct spec_error *e)
{
    const char *text = json_string_value(v);
    json_int_t n = json_integer_value(v);
    if (text && strlen(text) == 3 && strspn(text, "0123456789") == 3)
        n = atoi(text);
    if (n >= row->min && n <= row->max) {
        *ret_status = (struct spec_status){(uint16_t)n, (uint16_t)n};
        return 0;
    }
    if (text && text[0] >= '1' && text[0] <= '5' && !strcasecmp(text + 1, "xx")) {
        uint16_t low = (uint16_t)((text[0] - '0') * 100);
        *ret_status = (struct spec_status){low, (uint16_t)(low + 99)};
        return 0;
    }
    return spec_refuse(e, path, "200 or \"2xx\"", "not an HTTP status");
}

static int read_status(const struct spec_row *row, const json_t *v, struct job_spec *s,
                       struct spec_error *e)
{
    if (!json_is_array(v))
        return spec_wrong_type(e, row->path, "a list of statuses", v);
    size_t count = json_array_size(v);
    struct spec_status *status = xcalloc(count + 1, sizeof *status);
    for (size_t i = 0; i < count; i++) {
        char item[64];
        snprintf(item, sizeof item, "%s[%zu]", row->path, i);
        if (read_one_status(row, item, json_array_get(v, i), &status[i], e) < 0) {
            free(status);
            return -EINVAL;
        }
    }
    done_status(row, s);
    s->keep.status = status;
    s->keep.status_count = count;
    return 0;
}

static json_t *json_status(const struct spec_row *row, const struct job_spec *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->keep.status_count; i++) {
        const struct spec_status *status = &s->keep.status[i];
        json_array_append_new(list, status->low == status->high
                                        ? json_integer(status->low)
                                        : json_sprintf("%dxx", status->low / 100));
    }
    return list;
}

static int check_header(const struct spec_row *row, const char *name, const json_t *v,
                        struct spec_error *e)
{
    static const char *const ours[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection"};
    char path[300];
    snprintf(path, sizeof path, "%s.%s", row->path, name);
    if (!is_token(name) || strlen(name) > 256)
        return spec_refuse(e, path, "letters, digits and - only", "not the name of a header");
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (!strcasecmp(name, ours[i]))
            return spec_refuse(e, path, "leave it out: crawld sends its own",
                               "this header cannot be set");
    if (check_text(row, path, v, e) < 0)
        return -EINVAL;
    for (const char *p = json_string_value(v); *p; p++)
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
            return spec_refuse(e, path, "",
                               strchr("\r\n", *p) ? "holds a line break"
                                                  : "holds a control character");
    return 0;
}

static int read_headers(const struct spec_row *row, const json_t *v, struct job_spec *s,
                        struct spec_error *e)
{
    if (!json_is_object(v))
        return spec_wrong_type(e, row->path, "an object of strings", v);
    if (json_object_size(v) > HEADERS_MAX)
        return spec_refuse(e, row->path, "", "more than %d headers", HEADERS_MAX);
    struct spec_texts t = {.v = xcalloc(json_object_size(v) + 1, sizeof *t.v)};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)v, name, value)
    {
        if (check_header(row, name, value, e) < 0) {
            spec_texts_free(&t);
            return -EINVAL;
        }
        size_t n = strlen(name) + 2 + json_string_length(value);
        char *line = xmalloc(n + 1);
        snprintf(line, n + 1, "%s: %s", name, json_string_value(value));
        t.v[t.count++] = (struct spec_text){line, n};
    }
    done_texts(row, s);
    *(struct spec_texts *)field(row, s) = t;
    return 0;
}

static json_t *json_headers(const struct spec_row *row, const struct job_spec *s)
{
    const struct spec_texts *t = field(row, s);
    json_t *object = json_object();
    for (size_t i = 0; i < t->count; i++) {
        char *name = xstrdup(t->v[i].p), *colon = strchr(name, ':');
        *colon = '\0';
        json_object_set_new(object, name, json_string(colon + 2));
        free(name);
    }
    return object;
}

static const struct ops kinds[] = {
    [SPEC_KIND_NAME] = {read_name, json_name, NULL},
    [SPEC_KIND_STRING] = {read_string, json_of_string, done_string},
    [SPEC_KIND_TEXT] = {read_text, json_text, done_text},
    [SPEC_KIND_METHOD] = {read_method, json_of_string, done_string},
    [SPEC_KIND_CODING] = {read_coding, json_of_string, done_string},
    [SPEC_KIND_BOOL] = {read_bool, json_bool, NULL},
    [SPEC_KIND_UINT] = {read_uint, json_uint, NULL},
    [SPEC_KIND_BYTES] = {read_uint, json_uint, NULL},
    [SPEC_KIND_MS] = {read_uint, json_uint, NULL},
    [SPEC_KIND_S] = {read_uint, json_uint, NULL},
    [SPEC_KIND_ENUM] = {read_enum, json_enum, NULL},
    [SPEC_KIND_TEXTS] = {read_texts, json_texts, done_texts},
    [SPEC_KIND_STATUS] = {read_status, json_status, done_status},
    [SPEC_KIND_HEADERS] = {read_headers, json_headers, done_texts},
    [SPEC_KIND_WORDS] = {spec_words_read, spec_words_json, spec_words_done},
};

void spec_row_default(const struct spec_row *row, const char *text, struct job_spec *s)
{
    if (kinds[row->kind].read == read_uint)
        *(uint64_t *)field(row, s) = strtoull(text, NULL, 10);
    else if (row->kind == SPEC_KIND_BOOL)
        *(bool *)field(row, s) = !strcmp(text, "true");
    else if (row->kind == SPEC_KIND_ENUM)
        *(unsigned *)field(row, s) = (unsigned)word_index(row, text);
    else if (kinds[row->kind].json == json_of_string)
        *(char **)field(row, s) = xstrdup(text);
}

int spec_row_read(const struct spec_row *row, const json_t *value, struct job_spec *s,
                  struct spec_error *ret_error)
{
    return kinds[row->kind].read(row, value, s, ret_error);
}

json_t *spec_row_json(const struct spec_row *row, const struct job_spec *s)
{
    return kinds[row->kind].json(row, s);
}

void spec_row_done(const struct spec_row *row, struct job_spec *s)
{
    if (kinds[row->kind].done)
        kinds[row->kind].done(row, s);
}
