/* SPDX-License-Identifier: MIT */
/* Jobs as a list, one by one, and the plain verbs on them. */
#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/exits.h"
#include "ctl/print.h"
#include "ctl/say.h"

#define PAGE 500 /* jobs asked for at a time */

static const struct column job_columns[] = {
    {"NAME", "name", COLUMN_TEXT},
    {"STATE", "state", COLUMN_TEXT},
    {"ACCEPTED", "counts.accepted", COLUMN_COUNT},
    {"QUEUED", "counts.queued", COLUMN_COUNT},
    {"IN FLIGHT", "counts.in_flight", COLUMN_COUNT},
    {"STORED", "counts.stored", COLUMN_COUNT},
    {"DROPPED", "counts.dropped", COLUMN_COUNT},
    {"FAILED", "counts.failed", COLUMN_COUNT},
    {"EXCLUDED", "counts.excluded", COLUMN_COUNT},
    {"DUPLICATES", "counts.duplicates", COLUMN_COUNT, true},
    {"WHY", "why", COLUMN_TEXT},
    {0},
};

int cmd_jobs(struct ctl *ctl, int argc, char **argv)
{
    json_t *all = NULL;
    int r = ctl_args(ctl, NULL, 0, 0, &argc, argv);
    for (bool more = !r; more;) {
        const json_t *cursor = all ? json_object_get(all, "next") : NULL;
        json_t *args = json_pack("{s:i}", "limit", PAGE), *page = NULL;
        if (cursor)
            json_object_set(args, "after", (json_t *)cursor);
        r = ctl_call(ctl, "job.list", args, &page);
        if (r)
            break;
        const json_t *next = json_object_get(page, "next");
        more = next && !json_is_null(next) && json_array_size(json_object_get(page, "items"));
        if (all) {
            json_array_extend(json_object_get(all, "items"), json_object_get(page, "items"));
            json_object_set(all, "next", next ? (json_t *)next : json_null());
            json_decref(page);
        } else {
            all = page;
        }
    }
    if (!r)
        print_items(ctl, all, json_object_get(all, "items"), job_columns);
    json_decref(all);
    return r;
}

static const struct column show_lines[] = {
    {"job", "name", COLUMN_TEXT},
    {"state", "state", COLUMN_TEXT},
    {"why", "why", COLUMN_TEXT},
    {"accepted", "counts.accepted", COLUMN_COUNT},
    {"duplicates", "counts.duplicates", COLUMN_COUNT},
    {"queued", "counts.queued", COLUMN_COUNT},
    {"in flight", "counts.in_flight", COLUMN_COUNT},
    {"stored", "counts.stored", COLUMN_COUNT},
    {"dropped", "counts.dropped", COLUMN_COUNT},
    {"failed", "counts.failed", COLUMN_COUNT},
    {"excluded", "counts.excluded", COLUMN_COUNT},
    {"files", "dir", COLUMN_TEXT},
    {0},
};

int cmd_show(struct ctl *ctl, int argc, char **argv)
{
    json_t *result = NULL;
    int r = ctl_args(ctl, NULL, 1, 1, &argc, argv);
    if (!r)
        r = ctl_call(ctl, "job.show", json_pack("{s:s}", "job", argv[0]), &result);
    if (!r && !print_object(ctl, result)) {
        print_lines(result, show_lines);
        if (json_object_get(result, "spec")) {
            printf("%-*s ", PRINT_TITLE_COLUMNS, "specification");
            print_json(json_object_get(result, "spec"), ctl->format == FORMAT_WIDE);
        }
    }
    json_decref(result);
    return r;
}

/* A verb whose answer is news only to a machine; people get a note. */
static int verb(struct ctl *ctl, const char *job, json_t *take_args, const char *said)
{
    json_t *result = NULL;
    int r = ctl_call(ctl, ctl->command->op, take_args, &result);
    if (!r && !print_object(ctl, result))
        say_note("%s: %s", job, said);
    json_decref(result);
    return r;
}

static int job_verb(struct ctl *ctl, int argc, char **argv, const char *said)
{
    int r = ctl_args(ctl, NULL, 1, 1, &argc, argv);
    return r ?: verb(ctl, argv[0], json_pack("{s:s}", "job", argv[0]), said);
}

int cmd_finish(struct ctl *ctl, int argc, char **argv)
{
    return job_verb(ctl, argc, argv, "takes no more URLs");
}

int cmd_pause(struct ctl *ctl, int argc, char **argv)
{
    return job_verb(ctl, argc, argv, "pausing");
}

int cmd_resume(struct ctl *ctl, int argc, char **argv)
{
    return job_verb(ctl, argc, argv, "goes on");
}

int cmd_cancel(struct ctl *ctl, int argc, char **argv)
{
    return job_verb(ctl, argc, argv, "cancelled");
}

int cmd_delete(struct ctl *ctl, int argc, char **argv)
{
    bool keep = false;
    const struct flag own[] = {{"keep-data", 0, true, flag_set, &keep}, {0}};
    int r = ctl_args(ctl, own, 1, 1, &argc, argv);
    if (r)
        return r;
    json_t *args = json_pack("{s:s}", "job", argv[0]);
    if (args && keep)
        json_object_set_new(args, "keep_data", json_true());
    return verb(ctl, argv[0], args, keep ? "forgotten, its files are kept" : "deleted");
}
