/* SPDX-License-Identifier: MIT */
/* Jobs are asked for with job.show, soon again at first and then at the caller's interval. */
#include "ctl/wait.h"

#include <string.h>

#include "common/clock.h"
#include "ctl/exits.h"
#include "ctl/jsonp.h"
#include "ctl/progress.h"
#include "ctl/say.h"
#include "ctl/signals.h"

#define FIRST_PAUSE_MS 20

struct waiting {
    struct client *client;
    int count;
    char *const *jobs;
    enum wait_for what;
    int reached; /* jobs that are there */
    bool told_paused;
    struct progress progress;
    struct progress_counts counts; /* of the last look */
};

static bool is_idle(const json_t *job)
{
    const json_t *told = json_object_get(job, "idle");
    if (json_is_boolean(told))
        return json_is_true(told);
    return !jsonp_int(job, "counts.queued") && !jsonp_int(job, "counts.in_flight");
}

int wait_verdict(const json_t *job, enum wait_for what)
{
    const char *state = jsonp_text(job, "state");
    bool done = !strcmp(state, "done");
    bool lost = !strcmp(state, "cancelled") || !strcmp(state, "damaged");
    if (what == WAIT_PAUSED)
        return !strcmp(state, "paused") ? 1 : done || lost ? -1 : 0;
    if (done)
        return 1;
    return lost ? -1 : what == WAIT_IDLE && is_idle(job);
}

static void tell_paused(struct waiting *w, const json_t *job)
{
    if (w->told_paused || w->what == WAIT_PAUSED || strcmp(jsonp_text(job, "state"), "paused"))
        return;
    w->told_paused = true;
    const char *why = jsonp_text(job, "why");
    say_note("%s is paused%s%s; waiting till it goes on", jsonp_text(job, "name"), *why ? ": " : "",
             why);
}

/* One look at every job. */
static int look(struct waiting *w)
{
    w->reached = 0;
    w->counts = (struct progress_counts){0};
    for (int i = 0; i < w->count; i++) {
        json_t *job = NULL;
        int r = client_call(w->client, "job.show", json_pack("{s:s}", "job", w->jobs[i]), &job);
        if (r)
            return r;
        progress_sum(&w->counts, job);
        int verdict = wait_verdict(job, w->what);
        w->reached += verdict > 0;
        tell_paused(w, job);
        if (verdict < 0) {
            const char *why = jsonp_text(job, "why");
            say_error("%s is %s%s%s", w->jobs[i], jsonp_text(job, "state"), *why ? ": " : "", why);
            r = EXIT_FAILED;
        }
        json_decref(job);
        if (r)
            return r;
    }
    return 0;
}

static int timed_out(const struct waiting *w)
{
    say_error("timed out: %d of %d %s there", w->reached, w->count, w->count == 1 ? "job" : "jobs");
    return EXIT_TIMEOUT;
}

int wait_jobs(struct client *client, int count, char *const *jobs, enum wait_for what,
              int64_t timeout_ns, int interval_ms)
{
    struct waiting w = {.client = client, .count = count, .jobs = jobs, .what = what};
    int64_t begun_ns = clock_mono_ns(), pause_ms = FIRST_PAUSE_MS;
    progress_init(&w.progress, begun_ns);
    int r;
    while (!(r = look(&w))) {
        int64_t now_ns = clock_mono_ns(), pause_ns = pause_ms * NS_PER_MS;
        progress_show(&w.progress, count == 1 ? jobs[0] : "all", &w.counts, now_ns);
        if (w.reached == count)
            break;
        if (timeout_ns && now_ns - begun_ns >= timeout_ns) {
            r = timed_out(&w);
            break;
        }
        if (timeout_ns && begun_ns + timeout_ns - now_ns < pause_ns)
            pause_ns = begun_ns + timeout_ns - now_ns;
        if (signals_sleep_ns(pause_ns)) {
            r = EXIT_INTERRUPTED;
            break;
        }
        pause_ms = pause_ms * 2 < interval_ms ? pause_ms * 2 : interval_ms;
    }
    say_line(NULL);
    return r;
}
