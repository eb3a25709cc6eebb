/* SPDX-License-Identifier: MIT */
/* A row's kind says how the option's text becomes JSON; the daemon checks the rest. Options are
 * collected in `over`, an object shaped like the specification, and laid over the one of --spec:
 * objects are merged, lists appended, all else replaced. */
#include "ctl/jobflags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/quantity.h"
#include "common/spec_row.h"
#include "common/xalloc.h"
#include "ctl/exits.h"
#include "ctl/help.h"
#include "ctl/input.h"
#include "ctl/jsonp.h"
#include "ctl/say.h"
#include "ctl/text.h"

static int take_bytes(const struct flag *flag, const char *value, json_t **ret_json)
{
    int64_t bytes;
    if (quantity_parse_bytes(value, &bytes))
        return flag_refuse(flag, value, "bytes such as 1000000 or 10MiB");
    *ret_json = json_integer(bytes);
    return 0;
}

static int take_span(const struct flag *flag, const char *value, int64_t unit_ms, json_t **ret_json)
{
    int64_t ms;
    if (quantity_parse_ms(value, &ms))
        return flag_refuse(flag, value, "a duration such as 500ms, 2s, 5m, 1h");
    if (ms % unit_ms)
        return flag_refuse(flag, value, "whole seconds");
    *ret_json = json_integer(ms / unit_ms);
    return 0;
}

static int take_number(const struct flag *flag, const char *value, int64_t low, json_t **ret_json)
{
    int64_t n;
    if (text_number(value, low, INT64_MAX, &n))
        return flag_refuse(flag, value, "a number");
    *ret_json = json_integer(n);
    return 0;
}

static int take_header(const struct flag *flag, const char *value, json_t **ret_json)
{
    const char *colon = strchr(value, ':');
    if (!colon || colon == value)
        return flag_refuse(flag, value, "'Name: value'");
    char *name = xmemdup0(value, (size_t)(colon - value));
    *ret_json = json_object();
    int err =
        json_object_set_new(*ret_json, name, json_string(colon + 1 + strspn(colon + 1, " \t")));
    free(name);
    if (err) {
        json_decref(*ret_json);
        return flag_refuse(flag, value, "UTF-8");
    }
    return 0;
}

/* "200,2xx" and the like: numbers stay numbers. */
static int take_statuses(const char *value, json_t **ret_json)
{
    *ret_json = json_array();
    for (const char *p = value; *p;) {
        size_t len = strcspn(p, ",");
        char *one = xmemdup0(p, len);
        int64_t n;
        json_array_append_new(*ret_json,
                              text_number(one, 0, 100000, &n) ? json_string(one) : json_integer(n));
        free(one);
        p += len + (p[len] == ',');
    }
    return 0;
}

static int row_value(const struct spec_row *row, const struct flag *flag, const char *value,
                     json_t **ret)
{
    switch (row->kind) {
    case SPEC_KIND_BOOL:
        *ret = json_boolean(!strcmp(row->def, "false"));
        return 0;
    case SPEC_KIND_UINT:
        return take_number(flag, value, 0, ret);
    case SPEC_KIND_INT:
        return take_number(flag, value, INT64_MIN, ret);
    case SPEC_KIND_BYTES:
        return take_bytes(flag, value, ret);
    case SPEC_KIND_S:
        return take_span(flag, value, 1000, ret);
    case SPEC_KIND_MS:
        return take_span(flag, value, 1, ret);
    case SPEC_KIND_HEADERS:
        return take_header(flag, value, ret);
    case SPEC_KIND_STATUS:
        return take_statuses(value, ret);
    case SPEC_KIND_TEXTS:
        *ret = json_pack("[s]", value);
        break;
    case SPEC_KIND_NAME:
    case SPEC_KIND_STRING:
    case SPEC_KIND_ENUM:
    case SPEC_KIND_METHOD:
    case SPEC_KIND_TEXT:
    case SPEC_KIND_CODING:
    case SPEC_KIND_WORDS:
        *ret = json_string(value);
        break;
    }
    return *ret ? 0 : flag_refuse(flag, value, "UTF-8");
}

/* Lays `over` on *base; takes both. */
static json_t *laid_over(json_t *base, json_t *over)
{
    const char *key;
    json_t *value;
    if (json_is_object(base) && json_is_object(over)) {
        json_object_foreach(over, key, value)
        {
            json_t *old = json_object_get(base, key);
            json_object_set_new(base, key,
                                old ? laid_over(json_incref(old), json_incref(value))
                                    : json_incref(value));
        }
    } else if (json_is_array(base) && json_is_array(over)) {
        json_array_extend(base, over);
    } else {
        json_decref(base);
        return over;
    }
    json_decref(over);
    return base;
}

static int take_row(const struct flag *flag, const char *value, void *target)
{
    struct jobflags *j = target;
    const struct spec_row *row = flag->more;
    json_t *json = NULL;
    int r = row_value(row, flag, value, &json);
    if (r)
        return r;
    json_t *over = json_object();
    jsonp_put(over, row->path, json);
    j->over = laid_over(j->over, over);
    return 0;
}

/* NAME=REST; ret_name is the caller's to free. */
static int take_name(const struct flag *flag, const char *value, const char *wanted,
                     char **ret_name, const char **ret_rest)
{
    const char *equal = strchr(value, '=');
    if (!equal || !equal[1])
        return flag_refuse(flag, value, wanted);
    *ret_name = xmemdup0(value, (size_t)(equal - value));
    *ret_rest = equal + 1;
    return 0;
}

static int take_words(const struct flag *flag, const char *value, void *target)
{
    struct jobflags *j = target;
    char *name = NULL;
    const char *path = value;
    int r = 0;
    if (strchr(value, '='))
        r = take_name(flag, value, "PLACEHOLDER=FILE or FILE", &name, &path);
    else
        name = xmemdup0("words", 5);
    if (r)
        return r;
    struct words words = {.name = name};
    r = input_words(path, &words.text);
    if (r) {
        free(name);
        return r;
    }
    j->words = xrealloc(j->words, (j->words_count + 1) * sizeof *j->words);
    j->words[j->words_count++] = words;
    /* holds the list's place: {} is the first one given */
    j->over = laid_over(j->over, json_pack("{s:{s:n}}", "words", name));
    return 0;
}

static int take_range(const struct flag *flag, const char *value, void *target)
{
    struct jobflags *j = target;
    char *name = NULL;
    const char *rest = NULL;
    int r = take_name(flag, value, "PLACEHOLDER=FROM:TO[:STEP]", &name, &rest);
    if (r)
        return r;
    long long from, to, step = 1;
    int end = 0;
    if ((sscanf(rest, "%lld:%lld%n:%lld%n", &from, &to, &end, &step, &end) < 2) || rest[end]) {
        r = flag_refuse(flag, value, "PLACEHOLDER=FROM:TO[:STEP]");
    } else {
        json_t *words = json_object();
        json_object_set_new(words, name,
                            json_pack("{s:I,s:I,s:I}", "from", (json_int_t)from, "to",
                                      (json_int_t)to, "step", (json_int_t)step));
        j->over = laid_over(j->over, json_pack("{s:o}", "words", words));
    }
    free(name);
    return r;
}

struct jobflags *jobflags_new(void)
{
    struct jobflags *j = xcalloc(1, sizeof *j);
    j->over = json_object();
    return j;
}

void jobflags_free(struct jobflags *j)
{
    if (!j)
        return;
    json_decref(j->over);
    for (size_t i = 0; i < j->words_count; i++) {
        free(j->words[i].name);
        buf_done(&j->words[i].text);
    }
    free(j->words);
    free(j->table);
    free(j);
}

const struct flag *jobflags_table(struct jobflags *j, const struct flag *extra)
{
    const struct flag own[] = {
        {"spec", 0, false, flag_text, &j->spec_path},
        {"input", 'i', false, flag_text, &j->input_path},
        {"range", 0, false, take_range, j},
    };
    size_t extra_count = 0, at = 0;
    while (extra && extra[extra_count].name)
        extra_count++;
    free(j->table);
    j->table =
        xcalloc(spec_rows_count + extra_count + sizeof own / sizeof *own + 1, sizeof *j->table);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        j->table[at++] = own[i];
    for (size_t i = 0; i < extra_count; i++)
        j->table[at++] = extra[i];
    for (size_t i = 0; i < spec_rows_count; i++)
        if (*spec_rows[i].flag)
            j->table[at++] =
                (struct flag){spec_rows[i].flag,
                              0,
                              spec_rows[i].kind == SPEC_KIND_BOOL,
                              spec_rows[i].kind == SPEC_KIND_WORDS ? take_words : take_row,
                              j,
                              &spec_rows[i]};
    return j->table;
}

int jobflags_spec(struct jobflags *j, int url_count, char **urls, json_t **ret_spec)
{
    int bad = input_arguments(url_count, urls) ?: j->input_path ? input_check(j->input_path) : 0;
    if (bad)
        return bad;
    json_t *spec = json_object();
    if (j->spec_path && j->input_path && !strcmp(j->spec_path, "-") &&
        !strcmp(j->input_path, "-")) {
        say_error("--spec and -i cannot both be stdin");
        json_decref(spec);
        return EXIT_USAGE;
    }
    if (j->spec_path) {
        json_decref(spec);
        int r = input_json(j->spec_path, &spec);
        if (r)
            return r;
    }
    spec = laid_over(spec, json_deep_copy(j->over));
    json_t *seeds = json_array();
    for (int i = 0; i < url_count; i++)
        if (json_array_append_new(seeds, json_string(urls[i]))) {
            say_error("a URL is not UTF-8: %s", urls[i]);
            json_decref(seeds);
            json_decref(spec);
            return EXIT_USAGE;
        }
    if (url_count)
        spec = laid_over(spec, json_pack("{s:O}", "seeds", seeds));
    json_decref(seeds);
    *ret_spec = spec;
    return 0;
}

bool jobflags_source(const struct jobflags *j, const json_t *spec)
{
    return json_array_size(json_object_get(spec, "seeds")) || json_object_get(spec, "template") ||
           j->input_path;
}

/* What the option's argument is called: a list of words, or its kind in capitals. */
static void add_argument(struct buf *b, const struct spec_row *row)
{
    static const char *const names[] = {
        [SPEC_KIND_NAME] = "NAME",      [SPEC_KIND_STRING] = "TEXT",
        [SPEC_KIND_TEXT] = "TEXT",      [SPEC_KIND_METHOD] = "METHOD",
        [SPEC_KIND_CODING] = "LIST",    [SPEC_KIND_INT] = "N",
        [SPEC_KIND_UINT] = "N",         [SPEC_KIND_BYTES] = "SIZE",
        [SPEC_KIND_MS] = "DUR",         [SPEC_KIND_S] = "DUR",
        [SPEC_KIND_TEXTS] = "TEXT",     [SPEC_KIND_STATUS] = "200,2xx",
        [SPEC_KIND_HEADERS] = "'K: V'", [SPEC_KIND_WORDS] = "[NAME=]FILE"};
    char word[64];
    bool built;
    if (row->kind == SPEC_KIND_ENUM) {
        for (size_t i = 0, n = 0; spec_row_word(row, i, word, sizeof word, &built); i++)
            if (built)
                buf_addf(b, "%s%s", n++ ? "|" : " ", word);
    } else if (row->kind != SPEC_KIND_BOOL) {
        buf_addf(b, " %s", names[row->kind]);
    }
}

static void add_default(struct buf *b, const struct spec_row *row)
{
    int64_t n = strtoll(row->def, NULL, 10);
    if (!*row->def || row->kind == SPEC_KIND_BOOL || !strcmp(row->def, "0"))
        return;
    buf_adds(b, " [");
    if (row->kind == SPEC_KIND_MS || row->kind == SPEC_KIND_S)
        quantity_add_ms(b, row->kind == SPEC_KIND_S ? n * 1000 : n);
    else if (row->kind == SPEC_KIND_BYTES)
        quantity_add_bytes(b, n);
    else
        buf_adds(b, row->def);
    buf_addc(b, ']');
}

static void help_row(const struct spec_row *row)
{
    struct buf left = {0}, right = {0};
    buf_addf(&left, "--%s", row->flag);
    add_argument(&left, row);
    buf_adds(&right, row->help);
    add_default(&right, row);
    help_option(buf_str(&left), buf_str(&right));
    buf_done(&left);
    buf_done(&right);
}

void jobflags_help(void)
{
    puts("\nJob flags, their defaults in []; pace probe and own have others:");
    help_option("--spec FILE|-", "the specification as JSON; flags, URLs and -i add to it");
    help_option("-i, --input FILE|-", "URLs, one a line");
    help_option("--range NAME=FROM:TO[:STEP]", "values of a placeholder");
    for (size_t i = 0; i < spec_rows_count; i++)
        if (*spec_rows[i].flag && spec_rows[i].built)
            help_row(&spec_rows[i]);
    struct buf rest = {0};
    buf_adds(&rest, "not built yet:");
    for (size_t i = 0; i < spec_rows_count; i++)
        if (*spec_rows[i].flag && !spec_rows[i].built)
            buf_addf(&rest, " --%s", spec_rows[i].flag);
    help_text("  ", buf_str(&rest));
    buf_done(&rest);
}
