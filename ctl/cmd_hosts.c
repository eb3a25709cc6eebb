/* SPDX-License-Identifier: MIT */
/* Hosts as a list and one by one, the operator's blocks, and why a URL or host stands where it
 * does. */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "ctl/commands.h"
#include "ctl/exits.h"
#include "ctl/jsonp.h"
#include "ctl/print.h"
#include "ctl/say.h"

#define PAGE         500 /* hosts asked for at a time */
#define SORTED_LIMIT 100

static const struct column host_columns[] = {
    {"HOST", "host", COLUMN_TEXT},
    {"STATE", "state", COLUMN_TEXT},
    {"WHY", "why", COLUMN_TEXT},
    {"QUEUED", "queued", COLUMN_COUNT},
    {"IN FLIGHT", "in_flight", COLUMN_COUNT},
    {"DELAY MS", "delay_ms", COLUMN_COUNT, true},
    {"FAILURES", "failures", COLUMN_COUNT, true},
    {"BLOCKED BY", "blocked.by", COLUMN_TEXT},
    {"FOR", "blocked.why", COLUMN_TEXT},
    {"SINCE", "blocked.since", COLUMN_TEXT, true},
    {"UNTIL", "blocked.until", COLUMN_TEXT},
    {0},
};

/* The next page, added to *all. *ret_more: there is another. */
static int next_page(struct ctl *ctl, const char *sort, int64_t limit, json_t **all, bool *ret_more)
{
    json_t *args = json_pack("{s:I,s:s*}", "limit", (json_int_t)limit, "sort", sort), *page = NULL;
    json_t *cursor = *all ? json_object_get(*all, "next") : NULL;
    if (cursor)
        json_object_set(args, "after", cursor);
    int r = ctl_call(ctl, "host.list", args, &page);
    if (r)
        return r;
    *ret_more = json_is_string(json_object_get(page, "next"));
    if (!*all) {
        *all = page;
        return 0;
    }
    json_array_extend(json_object_get(*all, "items"), json_object_get(page, "items"));
    json_object_set(*all, "next", json_object_get(page, "next"));
    json_decref(page);
    return 0;
}

int cmd_hosts(struct ctl *ctl, int argc, char **argv)
{
    const char *sort = NULL;
    int64_t limit = -1;
    const struct flag own[] = {
        {"sort", 0, false, flag_text, &sort}, {"limit", 0, false, flag_count, &limit}, {0}};
    json_t *all = NULL;
    int r = ctl_args(ctl, own, 0, 0, &argc, argv);
    bool more = !r;
    int64_t left = limit > 0 ? limit : limit < 0 && sort ? SORTED_LIMIT : INT64_MAX;
    while (more && left > 0 && !(r = next_page(ctl, sort, left < PAGE ? left : PAGE, &all, &more)))
        left -= left == INT64_MAX ? 0 : PAGE;
    if (!r)
        print_items(ctl, all, json_object_get(all, "items"), host_columns);
    json_decref(all);
    return r;
}

static const struct column host_lines[] = {
    {"host", "host", COLUMN_TEXT},
    {"state", "state", COLUMN_TEXT},
    {"why", "why", COLUMN_TEXT},
    {"next request", "next", COLUMN_TEXT},
    {"queued", "queued", COLUMN_COUNT},
    {"in flight", "in_flight", COLUMN_COUNT},
    {"connections", "connections", COLUMN_COUNT},
    {"delay ms", "delay_ms", COLUMN_COUNT},
    {"per host", "connections_per_host", COLUMN_COUNT},
    {"per address", "connections_per_ip", COLUMN_COUNT},
    {"failures", "failures", COLUMN_COUNT},
    {"worker", "worker", COLUMN_NUMBER},
    {0},
};

static const struct column block_lines[] = {
    {"blocked by", "by", COLUMN_TEXT}, {"because of", "why", COLUMN_TEXT},
    {"since", "since", COLUMN_TEXT},   {"stopped since", "stopped_since", COLUMN_TEXT},
    {"until", "until", COLUMN_TEXT},   {0},
};

static void print_host(const json_t *host)
{
    const json_t *block = json_object_get(host, "blocked"), *job;
    size_t i;
    print_lines(host, host_lines);
    if (json_is_object(block)) {
        print_lines(block, block_lines);
        if (json_is_null(json_object_get(block, "until")))
            printf("%-*s %s\n", PRINT_TITLE_COLUMNS, "until", "until unblocked");
    }
    json_array_foreach(json_object_get(host, "jobs"), i, job)
        printf("%-*s %s, %lld queued\n", PRINT_TITLE_COLUMNS, i ? "" : "jobs",
               jsonp_text(job, "job"), (long long)jsonp_int(job, "queued"));
}

int cmd_host(struct ctl *ctl, int argc, char **argv)
{
    static const char *const verbs[] = {"show", "block", "unblock"};
    int64_t for_ns = 0;
    const struct flag own[] = {{"for", 0, false, flag_span, &for_ns}, {0}};
    json_t *result = NULL;
    char op[16] = "";
    int r = ctl_args(ctl, own, 2, 2, &argc, argv);
    if (r)
        return r;
    for (size_t i = 0; i < 3; i++)
        if (!strcmp(argv[0], verbs[i]))
            snprintf(op, sizeof op, "host.%s", verbs[i]);
    if (!*op || (for_ns && strcmp(argv[0], "block"))) {
        say_error(*op ? "host %s takes no --for" : "no command host %s", argv[0]);
        say_hint("crawlctl host show|unblock HOST, crawlctl host block HOST [--for DUR]");
        return EXIT_USAGE;
    }
    json_t *args = json_pack("{s:s}", "host", argv[1]);
    if (for_ns)
        json_object_set_new(args, "for_s", json_integer((for_ns + NS_PER_S - 1) / NS_PER_S));
    r = ctl_call(ctl, op, args, &result);
    if (!r && !print_object(ctl, result)) {
        if (strcmp(argv[0], "show"))
            say_note("%s is %sed", jsonp_text(result, "host"), argv[0]);
        else
            print_host(result);
    }
    json_decref(result);
    return r;
}

static const struct column why_lines[] = {
    {"url", "url", COLUMN_TEXT},
    {"host", "host", COLUMN_TEXT},
    {"job", "job", COLUMN_TEXT},
    {"state", "state", COLUMN_TEXT},
    {"rule", "rule", COLUMN_TEXT},
    {"why", "why", COLUMN_TEXT},
    {"since", "since", COLUMN_TEXT},
    {"until", "until", COLUMN_TEXT},
    {"ahead of it", "ahead", COLUMN_COUNT},
    {"blocked by", "block.by", COLUMN_TEXT},
    {"because of", "block.why", COLUMN_TEXT},
    {"status", "row.status", COLUMN_NUMBER},
    {"detail", "row.detail", COLUMN_TEXT},
    {"attempts", "row.attempts", COLUMN_NUMBER},
    {0},
};

/* What has a scheme is a URL. Reading a job's files takes as long as it takes. */
int cmd_why(struct ctl *ctl, int argc, char **argv)
{
    const char *job = NULL;
    const struct flag own[] = {{"job", 0, false, flag_text, &job}, {0}};
    json_t *result = NULL;
    int r = ctl_args(ctl, own, 1, 1, &argc, argv);
    if (!r)
        r = ctl_connect(ctl);
    if (r)
        return r;
    if (ctl->reply_timeout_ns == CTL_REPLY_TIMEOUT_NS)
        client_set_timeout(ctl->client, 0);
    bool is_url = strchr(argv[0], '/') || (strchr(argv[0], ':') && argv[0][0] != '[');
    r = ctl_call(ctl, "url.why",
                 json_pack("{s:s,s:s*}", is_url ? "url" : "host", argv[0], "job", job), &result);
    if (!r && !print_object(ctl, result))
        print_lines(result, why_lines);
    json_decref(result);
    return r;
}
