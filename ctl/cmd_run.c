/* SPDX-License-Identifier: MIT */
/* One crawl from start to end: a private daemon in --out, the job submitted (or found there and
 * gone on with), progress, summary, the daemon's end. The state directory is the result: the same
 * --out again resumes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/spec.h"
#include "common/xalloc.h"
#include "ctl/commands.h"
#include "ctl/exits.h"
#include "ctl/jobflags.h"
#include "ctl/jsonp.h"
#include "ctl/print.h"
#include "ctl/private.h"
#include "ctl/progress.h"
#include "ctl/reasons.h"
#include "ctl/say.h"
#include "ctl/signals.h"
#include "ctl/text.h"
#include "ctl/upload.h"
#include "ctl/wait.h"

#define GIVE_UP_S    600 /* a one-shot does not wait a day for a host */
#define INTERVAL_MS  200
#define SETTINGS_MAX 64

struct crawl {
    struct ctl *ctl;
    struct jobflags *flags;       /* owned */
    json_t *spec;                 /* owned */
    const char *name;             /* in spec */
    bool unnamed;                 /* neither --name nor --out was given */
    const char *out;              /* borrowed, or out_made */
    char *out_made;               /* owned */
    char *settings[SETTINGS_MAX]; /* owned, each: "key=value" of the daemon */
    size_t setting_count;
    int64_t begun_ns;
    int64_t finished_before; /* rows that were there already */
};

/* The setting of that key, NULL if there is none yet. */
static char **find_setting(struct crawl *c, const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < c->setting_count; i++)
        if (!strncmp(c->settings[i], key, len) && c->settings[i][len] == '=')
            return &c->settings[i];
    return NULL;
}

/* --contact C and the like become a setting of the key in `more`, more than one a list; --set is a
 * setting already. */
static int take_setting(const struct flag *flag, const char *value, void *target)
{
    struct crawl *c = target;
    const char *key = flag->more;
    if (c->setting_count == SETTINGS_MAX || (!key && !strchr(value, '=')))
        return flag_refuse(flag, value, key ? "fewer of them" : "KEY=VALUE");
    struct buf b = {0};
    char **same = key ? find_setting(c, key) : NULL;
    if (same) {
        buf_addf(&b, "%s,%s", *same, value);
        free(*same);
        *same = buf_take(&b, NULL);
        return 0;
    }
    if (key)
        buf_addf(&b, "%s=", key);
    buf_adds(&b, value);
    c->settings[c->setting_count++] = buf_take(&b, NULL);
    return 0;
}

/* The name becomes one of a directory before the daemon sees it. */
static int check_name(const json_t *name)
{
    struct job_spec parsed;
    struct spec_error error;
    json_t *spec = json_pack("{s:O,s:{s:s}}", "name", name, "pace", "preset", "own");
    int bad = spec_parse(spec, &parsed, &error);
    json_decref(spec);
    if (!bad) {
        spec_done(&parsed);
        return 0;
    }
    say_error("%s", error.message);
    say_hint("%s", error.hint);
    return EXIT_USAGE;
}

static int complete_spec(struct crawl *c)
{
    c->unnamed = !c->out && !json_object_get(c->spec, "name");
    if (!json_object_get(c->spec, "name"))
        json_object_set_new(c->spec, "name", json_string("run"));
    if (!jsonp_at(c->spec, "retry.give_up_s"))
        jsonp_put(c->spec, "retry.give_up_s", json_integer(GIVE_UP_S));
    int r = check_name(json_object_get(c->spec, "name"));
    if (r)
        return r;
    c->name = jsonp_text(c->spec, "name");
    if (json_is_true(json_object_get(c->spec, "keep_open"))) {
        say_error("run ends when its job is done: --keep-open does not go with it");
        say_hint("crawlctl submit --keep-open gives the job to a crawld that stays");
        return EXIT_USAGE;
    }
    if (!c->out) {
        struct buf b = {0};
        buf_addf(&b, "crawl-%s", c->name);
        c->out = c->out_made = buf_take(&b, NULL);
    }
    struct stat s;
    if (!jobflags_source(c->flags, c->spec) && stat(c->out, &s)) {
        say_error("run: no URLs");
        say_hint("crawlctl run URL..., or -i FILE, or --template with --words or --range");
        return EXIT_USAGE;
    }
    return 0;
}

static int submit(struct crawl *c, struct client *client)
{
    struct upload upload;
    json_t *result = NULL;
    if (!jobflags_source(c->flags, c->spec)) {
        say_error("%s holds no job %s, and no URLs are given", c->out, c->name);
        return EXIT_USAGE;
    }
    int r = upload_job(client, c->flags, c->spec, &upload, &result);
    json_decref(result);
    say_line(NULL);
    if (!r && (upload.accepted || upload.duplicates || upload.bad))
        upload_tell(&upload);
    return r;
}

/* URLs given again are duplicates; where the job does not look for those they stay out. */
static int add_again(struct crawl *c, struct client *client, bool cut)
{
    struct upload upload;
    upload_init(&upload, client, c->name);
    upload.tolerant = true;
    if (!cut && json_is_false(json_object_get(c->spec, "dedup"))) {
        say_note("the URLs given are not added again: the job does not look for duplicates");
        return 0;
    }
    if (!cut && !json_array_size(json_object_get(c->spec, "seeds")) && !c->flags->input_path)
        return 0;
    int r = upload_again(&upload, c->flags, c->spec, cut);
    say_line(NULL);
    if (!r && upload.refused)
        say_note("the job has taken its URLs already; others need another --out");
    else if (!r)
        upload_tell(&upload);
    return r;
}

/* A crawl that was given no name met one that has ended: its URLs are likely others. */
static int ended_already(const struct crawl *c, const char *state)
{
    if (c->unnamed && jobflags_source(c->flags, c->spec)) {
        say_error("%s holds a crawl that is %s already; nothing was fetched", c->out, state);
        say_hint("--name NAME or --out DIR begins another; --out %s shows this one again", c->out);
        return EXIT_STATE;
    }
    say_note("%s in %s is %s already; nothing was fetched", c->name, c->out, state);
    return 0;
}

static void tell_going_on(const struct crawl *c, const struct progress_counts *counts)
{
    struct buf b = {0};
    text_count(&b, c->finished_before);
    buf_adds(&b, " of ");
    text_count(&b, counts->accepted);
    say_note("going on with %s in %s: %s URLs are finished", c->name, c->out, buf_str(&b));
    buf_done(&b);
}

static int go_on(struct crawl *c, struct client *client, const json_t *job)
{
    const char *state = jsonp_text(job, "state");
    struct progress_counts counts = {0};
    progress_sum(&counts, job);
    c->finished_before = progress_finished(&counts);
    if (!strcmp(state, "done") || !strcmp(state, "cancelled") || !strcmp(state, "damaged")) {
        return ended_already(c, state);
    }
    tell_going_on(c, &counts);
    bool paused = !strcmp(state, "paused");
    bool cut = paused && !strcmp(jsonp_text(job, "why"), "input_cut");
    int r = add_again(c, client, cut);
    json_t *result = NULL;
    if (!r && paused)
        r = client_call_unless(client, "job.resume", json_pack("{s:s}", "job", c->name),
                               "wrong_state", &result);
    json_decref(result);
    return r;
}

static int begin(struct crawl *c, struct client *client)
{
    json_t *job = NULL;
    int r = client_call_unless(client, "job.show", json_pack("{s:s}", "job", c->name), "not_found",
                               &job);
    if (r)
        return r;
    r = job ? go_on(c, client, job) : submit(c, client);
    json_decref(job);
    return r;
}

static void print_counts(const struct progress_counts *n)
{
    const struct {
        int64_t count;
        const char *what;
    } parts[] = {{n->stored, " stored, "},
                 {n->dropped, " dropped, "},
                 {n->failed, " failed, "},
                 {n->excluded, " excluded"}};
    struct buf b = {0};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        text_count(&b, parts[i].count);
        buf_adds(&b, parts[i].what);
    }
    int64_t open = n->accepted - progress_finished(n);
    if (open) {
        buf_adds(&b, ", ");
        text_count(&b, open);
        buf_adds(&b, " not finished");
    }
    printf("       %s\n", buf_str(&b));
    buf_done(&b);
}

static void summarize(const struct crawl *c, const json_t *job)
{
    struct progress_counts n = {0};
    progress_sum(&n, job);
    double seconds = (double)(clock_mono_ns() - c->begun_ns) / 1e9;
    double rate = (double)(progress_finished(&n) - c->finished_before) / seconds;
    const char *dir = jsonp_text(job, "dir");
    struct buf count = {0};
    text_count(&count, progress_finished(&n));
    printf("%s: %s, %s URL%s in %.1f s, %.1f pages/s\n", c->name, jsonp_text(job, "state"),
           buf_str(&count), progress_finished(&n) == 1 ? "" : "s", seconds, rate);
    buf_done(&count);
    print_counts(&n);
    printf("rows   %s/results.jsonl\n", dir);
    struct stat s;
    struct buf warc = {0};
    buf_addf(&warc, "%s/warc", dir);
    if (!stat(buf_str(&warc), &s))
        printf("pages  %s\n", buf_str(&warc));
    char *out = realpath(c->out, NULL);
    printf("log    %s/crawld.log\n", out ?: c->out);
    free(out);
    buf_done(&warc);
}

static void tell(const struct crawl *c, struct client *client, const json_t *job)
{
    summarize(c, job);
    reasons_print(client);
}

static int crawl(struct crawl *c, struct client *client)
{
    int r = begin(c, client);
    char *name = (char *)c->name;
    int waited = r ?: wait_jobs(client, 1, &name, WAIT_DONE, 0, INTERVAL_MS);
    if (r || waited == EXIT_INTERRUPTED || !client_alive(client))
        return r ?: waited;
    json_t *job = NULL;
    r = client_call(client, "job.show", json_pack("{s:s}", "job", name), &job);
    if (!r && !print_object(c->ctl, job))
        tell(c, client, job);
    fflush(stdout);
    json_decref(job);
    return r ?: waited;
}

static int run(struct crawl *c)
{
    struct private *daemon = NULL;
    struct client *client = NULL;
    c->begun_ns = clock_mono_ns();
    int r = private_start(c->out, c->setting_count, (const char *const *)c->settings,
                          c->ctl->reply_timeout_ns, &daemon, &client);
    if (r)
        return r;
    r = crawl(c, client);
    client_close(client);
    say_line(NULL);
    if (signals_interrupted())
        say_note("stopping cleanly; Ctrl-C again stops at once, nothing is lost");
    int stopped = private_stop(daemon);
    if (signals_interrupted()) {
        say_hint("the same --out %s goes on from here", c->out);
        return EXIT_INTERRUPTED;
    }
    return r == EXIT_UNREACHED ? EXIT_FAILED : r ?: stopped;
}

int cmd_run(struct ctl *ctl, int argc, char **argv)
{
    struct crawl c = {.ctl = ctl, .flags = jobflags_new()};
    const struct flag extra[] = {{"out", 0, false, flag_text, &c.out},
                                 {"contact", 0, false, take_setting, &c, "contact"},
                                 {"allow-cidr", 0, false, take_setting, &c, "allow_cidr"},
                                 {"workers", 0, false, take_setting, &c, "workers"},
                                 {"set", 0, false, take_setting, &c},
                                 {0}};
    int r = ctl_args(ctl, jobflags_table(c.flags, extra), 0, -1, &argc, argv);
    if (!r)
        r = jobflags_spec(c.flags, argc, argv, &c.spec);
    if (!r)
        r = complete_spec(&c);
    if (!r)
        r = run(&c);
    for (size_t i = 0; i < c.setting_count; i++)
        free(c.settings[i]);
    free(c.out_made);
    json_decref(c.spec);
    jobflags_free(c.flags);
    return r;
}
