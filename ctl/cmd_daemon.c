/* SPDX-License-Identifier: MIT */
/* The daemon as a whole: how it is, its workers, its counters, its end. */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "ctl/commands.h"
#include "ctl/exits.h"
#include "ctl/jsonp.h"
#include "ctl/print.h"
#include "ctl/say.h"
#include "ctl/signals.h"
#include "ctl/text.h"

static const struct column status_lines[] = {
    {"state", "state", COLUMN_TEXT},
    {"why", "why", COLUMN_TEXT},
    {"up", "uptime_s", COLUMN_SPAN},
    {"workers", "workers.alive", COLUMN_COUNT},
    {"accepted", "counts.accepted", COLUMN_COUNT},
    {"duplicates", "counts.duplicates", COLUMN_COUNT},
    {"queued", "counts.queued", COLUMN_COUNT},
    {"in flight", "counts.in_flight", COLUMN_COUNT},
    {"stored", "counts.stored", COLUMN_COUNT},
    {"dropped", "counts.dropped", COLUMN_COUNT},
    {"failed", "counts.failed", COLUMN_COUNT},
    {"excluded", "counts.excluded", COLUMN_COUNT},
    {"pages/s", "pages_per_s", COLUMN_COUNT},
    {"memory", "memory.rss_bytes", COLUMN_BYTES},
    {"memory limit", "memory.limit_bytes", COLUMN_BYTES},
    {"of fetches", "memory.fetches_bytes", COLUMN_BYTES},
    {"fetches' limit", "memory.fetches_limit_bytes", COLUMN_BYTES},
    {"bytes per fetch", "memory.bytes_per_fetch", COLUMN_BYTES},
    {"files", "state_dir", COLUMN_TEXT},
    {0},
};

/* Members that are not among status_lines, so that nothing the daemon says is hidden. */
static bool is_told(const char *key)
{
    for (const struct column *c = status_lines; c->title; c++)
        if (!strncmp(c->path, key, strlen(key)) && strchr(".", c->path[strlen(key)]))
            return true;
    return !strcmp(key, "counts") || !strcmp(key, "version") || !strcmp(key, "pid");
}

static void print_rest(const json_t *object, const char *prefix)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        struct buf name = {0}, text = {0};
        buf_addf(&name, "%s%s%s", prefix, *prefix ? " " : "", key);
        if (!*prefix && is_told(key)) {
            ;
        } else if (json_is_object(value)) {
            print_rest(value, buf_str(&name));
        } else if (!json_is_null(value)) {
            print_value(&text, value, strstr(key, "bytes") ? COLUMN_BYTES : COLUMN_COUNT);
            printf("%-*s %s\n", PRINT_TITLE_COLUMNS, buf_str(&name), buf_str(&text));
        }
        buf_done(&name);
        buf_done(&text);
    }
}

int cmd_status(struct ctl *ctl, int argc, char **argv)
{
    json_t *result = NULL;
    int r = ctl_args(ctl, NULL, 0, 0, &argc, argv);
    if (!r)
        r = ctl_call(ctl, "status", NULL, &result);
    if (!r && !print_object(ctl, result)) {
        const json_t *hello = client_hello(ctl->client);
        printf("%-*s %s, pid %lld\n", PRINT_TITLE_COLUMNS, "crawld", jsonp_text(hello, "version"),
               (long long)jsonp_int(hello, "pid"));
        print_lines(result, status_lines);
        print_rest(result, "");
    }
    json_decref(result);
    return r;
}

static const struct column worker_columns[] = {
    {"NAME", "name", COLUMN_TEXT},
    {"PID", "pid", COLUMN_NUMBER},
    {"STATE", "state", COLUMN_TEXT},
    {"STARTED", "started", COLUMN_TEXT, true},
    {"RESTARTS", "restarts", COLUMN_COUNT},
    {"IN FLIGHT", "in_flight", COLUMN_COUNT},
    {"MEMORY", "rss_bytes", COLUMN_BYTES},
    {"CPU", "cpu_s", COLUMN_SPAN},
    {"LAST EXIT", "last_exit.exitcode", COLUMN_NUMBER},
    {"EXITED", "last_exit.time", COLUMN_TEXT, true},
    {"EXITED PID", "last_exit.pid", COLUMN_NUMBER, true},
    {0},
};

int cmd_workers(struct ctl *ctl, int argc, char **argv)
{
    json_t *result = NULL;
    int r = ctl_args(ctl, NULL, 0, 0, &argc, argv);
    if (!r)
        r = ctl_call(ctl, "worker.list", NULL, &result);
    if (!r)
        print_items(ctl, result, json_object_get(result, "items"), worker_columns);
    json_decref(result);
    return r;
}

static int stats_once(struct ctl *ctl, const char *field)
{
    json_t *result = NULL;
    int r = ctl_call(ctl, "stats", NULL, &result);
    const json_t *value = !r && field ? jsonp_at(result, field) : result;
    if (!r && !value) {
        say_error("stats has no %s", field);
        say_hint("crawlctl stats lists the paths");
        r = EXIT_NOT_FOUND;
    } else if (!r && field && json_is_string(value) && ctl->format == FORMAT_TABLE) {
        puts(json_string_value(value));
    } else if (!r && (field || ctl->format != FORMAT_TABLE)) {
        if (ctl->format != FORMAT_CSV || !json_is_object(value))
            print_json(value, ctl->format == FORMAT_JSON && !field);
        else
            print_object(ctl, value);
    } else if (!r) {
        print_rest(result, "");
    }
    json_decref(result);
    return r;
}

int cmd_stats(struct ctl *ctl, int argc, char **argv)
{
    const char *field = NULL;
    int64_t every_s = 0;
    const struct flag own[] = {
        {"field", 0, false, flag_text, &field}, {"watch", 'w', false, flag_count, &every_s}, {0}};
    int r = ctl_args(ctl, own, 0, 0, &argc, argv);
    while (!r && !(r = stats_once(ctl, field)) && every_s) {
        fflush(stdout);
        int64_t until_ns = clock_mono_ns() + every_s * NS_PER_S, left_ns;
        while (!r && (left_ns = until_ns - clock_mono_ns()) > 0)
            if (signals_sleep_ns(left_ns < NS_PER_S ? left_ns : NS_PER_S))
                r = EXIT_INTERRUPTED;
    }
    return r;
}

int cmd_ping(struct ctl *ctl, int argc, char **argv)
{
    json_t *result = NULL;
    int r = ctl_args(ctl, NULL, 0, 0, &argc, argv);
    if (!r)
        r = ctl_call(ctl, "ping", NULL, &result);
    if (!r && !print_object(ctl, result))
        puts("pong");
    json_decref(result);
    return r;
}

int cmd_version(struct ctl *ctl, int argc, char **argv)
{
    int r = ctl_args(ctl, NULL, 0, 0, &argc, argv);
    if (r)
        return r;
    bool people = ctl->format == FORMAT_TABLE || ctl->format == FORMAT_WIDE;
    if (people) {
        printf("crawlctl %s\n", CRAWLD_VERSION);
        fflush(stdout);
    }
    r = ctl_connect(ctl);
    if (r)
        return r;
    const char *daemon = jsonp_text(client_hello(ctl->client), "version");
    json_t *both = json_pack("{s:s,s:s}", "crawlctl", CRAWLD_VERSION, "crawld", daemon);
    if (!print_object(ctl, both))
        printf("crawld   %s\n", daemon);
    json_decref(both);
    return 0;
}

int cmd_stop(struct ctl *ctl, int argc, char **argv)
{
    bool now = false;
    const struct flag own[] = {{"now", 0, true, flag_set, &now}, {0}};
    json_t *result = NULL;
    int r = ctl_args(ctl, own, 0, 0, &argc, argv);
    if (!r)
        r = ctl_call(ctl, "stop", now ? json_pack("{s:b}", "now", 1) : NULL, &result);
    if (!r && !print_object(ctl, result))
        say_note(now ? "crawld stops at once" : "crawld finishes what is in flight and stops");
    json_decref(result);
    return r;
}

static void print_problem(const json_t *problem)
{
    struct buf b = {0};
    print_value(&b, problem, COLUMN_TEXT);
    puts(buf_str(&b));
    buf_done(&b);
}

static void print_repair(const char *job, int64_t cut_bytes)
{
    if (!cut_bytes)
        printf("%s: nothing to repair\n", job);
    else
        printf("%s: cut %lld bytes off frontier.log, kept as frontier.log.cut; what they said is "
               "fetched again, URLs they took in must be added again\n",
               job, (long long)cut_bytes);
}

/* Reading every file takes as long as it takes: no reply timeout unless one was asked for. */
int cmd_verify(struct ctl *ctl, int argc, char **argv)
{
    json_t *result = NULL, *problem;
    size_t i;
    bool repair = false;
    const struct flag own[] = {{"repair", 0, true, flag_set, &repair}, {0}};
    int r = ctl_args(ctl, own, 0, 1, &argc, argv);
    if (!r && repair && !argc) {
        say_error("verify --repair: which job?");
        say_hint("crawlctl verify JOB --repair; crawlctl jobs shows which are damaged");
        return EXIT_USAGE;
    }
    if (!r)
        r = ctl_connect(ctl);
    if (r)
        return r;
    if (ctl->reply_timeout_ns == CTL_REPLY_TIMEOUT_NS)
        client_set_timeout(ctl->client, 0);
    json_t *args = argc ? json_pack("{s:s}", "job", argv[0]) : NULL;
    if (repair)
        json_object_set_new(args, "repair", json_true());
    r = ctl_call(ctl, "verify", args, &result);
    if (r)
        return r;
    bool ok = json_is_true(json_object_get(result, "ok"));
    if (!print_object(ctl, result)) {
        if (repair)
            print_repair(argv[0], jsonp_int(result, "cut_bytes"));
        json_array_foreach(json_object_get(result, "problems"), i, problem) print_problem(problem);
        puts(ok ? "ok" : "damaged");
    }
    json_decref(result);
    return ok ? EXIT_OK : EXIT_FAILED;
}
