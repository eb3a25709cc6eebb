/* SPDX-License-Identifier: MIT */
/* Rows, page by page. `next` of a page is the cursor to go on from. A page without one was the
 * last; with -f its rows are asked for again later and those shown already are skipped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/outcome.h"
#include "common/xalloc.h"
#include "ctl/commands.h"
#include "ctl/exits.h"
#include "ctl/fields.h"
#include "ctl/jsonp.h"
#include "ctl/print.h"
#include "ctl/say.h"
#include "ctl/signals.h"
#include "ctl/wait.h"

#define PAGE       500
#define FIELDS_MAX 64

struct listing {
    struct ctl *ctl;
    const char *job, *outcome;
    bool follow;
    char *fields; /* owned; cut into `field` */
    const char *field[FIELDS_MAX];
    size_t field_count; /* 0: whole rows */
    json_t *cursor;     /* owned; NULL: from the start */
    size_t shown;       /* rows behind the cursor that are shown already */
    uint64_t row_count;
};

static void print_row_csv(const struct listing *l, const json_t *row)
{
    struct buf b = {0};
    for (size_t i = 0; i < l->field_count; i++) {
        if (i)
            buf_addc(&b, ',');
        print_csv_field(&b, jsonp_at(row, l->field[i]));
    }
    buf_adds(&b, "\r\n");
    fwrite(buf_data(&b), 1, buf_len(&b), stdout);
    buf_done(&b);
}

static void print_row(const struct listing *l, const json_t *row)
{
    if (l->ctl->format == FORMAT_CSV) {
        print_row_csv(l, row);
        return;
    }
    if (l->ctl->format == FORMAT_JSON)
        fputs(l->row_count ? ",\n" : "", stdout);
    json_t *some = l->field_count ? json_object() : json_incref((json_t *)row);
    for (size_t i = 0; i < l->field_count; i++) {
        json_t *value = jsonp_at(row, l->field[i]);
        if (value)
            json_object_set(some, l->field[i], value);
    }
    json_dumpf(some, stdout, JSON_COMPACT);
    if (l->ctl->format != FORMAT_JSON)
        putchar('\n');
    json_decref(some);
}

/* One page: 0 and how many rows were new, or an exit code. */
static int page(struct listing *l, size_t *ret_new, bool *ret_more)
{
    json_t *args = json_pack("{s:s,s:i}", "job", l->job, "limit", PAGE), *result = NULL;
    if (l->cursor)
        json_object_set(args, "after", l->cursor);
    if (l->outcome)
        json_object_set_new(args, "outcome", json_string(l->outcome));
    int r = ctl_call(l->ctl, "results", args, &result);
    if (r)
        return r;
    const json_t *items = json_object_get(result, "items");
    json_t *next = json_object_get(result, "next");
    size_t count = json_array_size(items), at = l->shown < count ? l->shown : count;
    *ret_new = count - at;
    for (; at < count; at++, l->row_count++)
        print_row(l, json_array_get(items, at));
    *ret_more = next && !json_is_null(next) && count;
    if (next && !json_is_null(next)) {
        json_decref(l->cursor);
        l->cursor = json_incref(next);
        l->shown = 0;
    } else {
        l->shown = count;
    }
    json_decref(result);
    return 0;
}

/* Is a job that is followed at its end? 0 and the answer, or an exit code. */
static int ended(const struct listing *l, bool *ret_ended)
{
    json_t *job = NULL;
    int r = ctl_call(l->ctl, "job.show", json_pack("{s:s}", "job", l->job), &job);
    if (!r)
        *ret_ended = wait_verdict(job, WAIT_DONE) != 0;
    json_decref(job);
    return r;
}

static int list(struct listing *l)
{
    size_t fresh;
    bool more, over = !l->follow;
    for (;;) {
        int r = page(l, &fresh, &more);
        if (r)
            return r;
        if (more)
            continue;
        if (over && !fresh)
            return 0;
        if (!l->follow)
            return 0;
        fflush(stdout);
        if (!over) {
            if (!fresh && signals_sleep_ns(NS_PER_S / 2))
                return EXIT_INTERRUPTED;
            r = ended(l, &over);
            if (r)
                return r;
        }
    }
}

static int refuse_field(const char *name)
{
    say_error("--fields: rows have no member %.80s", name);
    if (field_suggest(name))
        say_hint("did you mean %s?", field_suggest(name));
    return EXIT_USAGE;
}

static int take_fields(struct listing *l, char *take_text)
{
    l->fields = take_text;
    char *rest = l->fields, *one;
    while ((one = strsep(&rest, ","))) {
        if (!*one)
            continue;
        if (l->field_count == FIELDS_MAX) {
            say_error("--fields: more than %d", FIELDS_MAX);
            return EXIT_USAGE;
        }
        if (!field_known(one))
            return refuse_field(one);
        l->field[l->field_count++] = one;
    }
    return 0;
}

static int check(struct listing *l, const char *fields)
{
    struct ctl *ctl = l->ctl;
    if (ctl->format_given && (ctl->format == FORMAT_TABLE || ctl->format == FORMAT_WIDE)) {
        say_error("unsupported: results come as jsonl, csv or json, not as a table");
        say_hint("-o csv --fields seq,outcome,status,url");
        return EXIT_FAILED;
    }
    if (!ctl->format_given)
        ctl->format = FORMAT_JSONL;
    if (l->outcome && outcome_parse(l->outcome) < 0) {
        say_error("--outcome %s: want stored, dropped, failed or excluded", l->outcome);
        return EXIT_USAGE;
    }
    if (fields)
        return take_fields(l, xstrdup(fields));
    if (ctl->format != FORMAT_CSV)
        return 0;
    struct buf columns = {0};
    fields_csv(&columns);
    return take_fields(l, buf_take(&columns, NULL));
}

static void head(const struct listing *l)
{
    if (l->ctl->format == FORMAT_JSON)
        puts("{\"items\":[");
    if (l->ctl->format != FORMAT_CSV)
        return;
    for (size_t i = 0; i < l->field_count; i++)
        printf("%s%s", i ? "," : "", l->field[i]);
    fputs("\r\n", stdout);
}

int cmd_results(struct ctl *ctl, int argc, char **argv)
{
    struct listing l = {.ctl = ctl};
    const char *fields = NULL;
    const struct flag own[] = {{"follow", 'f', true, flag_set, &l.follow},
                               {"outcome", 0, false, flag_text, &l.outcome},
                               {"fields", 0, false, flag_text, &fields},
                               {0}};
    int r = ctl_args(ctl, own, 1, 1, &argc, argv);
    if (!r)
        r = check(&l, fields);
    if (!r)
        r = ctl_connect(ctl);
    if (!r) {
        l.job = argv[0];
        head(&l);
        r = list(&l);
        if (ctl->format == FORMAT_JSON)
            puts("],\"next\":null}");
    }
    json_decref(l.cursor);
    free(l.fields);
    return r;
}
