/* SPDX-License-Identifier: MIT */
/* Start: lock the state directory, listen, read the jobs (the socket answers `recovering`
 * meanwhile), start the workers, READY. Stop: SIGTERM drains: nothing new is granted, what is in
 * flight ends, ledgers are committed and closed, workers leave, exit 0; a second SIGTERM or the
 * deadline ends the waiting: leases are simply forgotten, which loses nothing. */
#include "daemon/supervisor/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/supervisor/blocks.h"
#include "daemon/supervisor/child.h"
#include "daemon/supervisor/control.h"
#include "daemon/supervisor/disk_guard.h"
#include "daemon/supervisor/ops.h"
#include "daemon/supervisor/state.h"

#define EXIT_TEMPORARY 75
#define STATUS_EVERY_S 10

void supervisor_kick(struct supervisor *s)
{
    s->pump_at_ns = 0;
}

/* ---- stopping ---- */

static bool ledgers_open(const struct supervisor *s)
{
    list_each(it, &s->jobs)
        if (list_of(it, struct job, link)->ledger)
            return true;
    return false;
}

/* Workers are gone: their leases and files came back with their deaths. */
static void close_ledgers(struct supervisor *s)
{
    list_each(it, &s->jobs)
    {
        struct job *j = list_of(it, struct job, link);
        if (j->ledger && j->phase != JOB_CLOSED && j->phase != JOB_SHUT) {
            job_enter(j, JOB_SHUT);
            ledger_close(j->ledger);
        }
    }
}

/* One step of going down, whenever something has ended. */
static void stop_step(struct supervisor *s)
{
    if (!s->draining)
        return;
    bool in_flight = false;
    for (int i = 0; i < s->crew.count; i++)
        in_flight |= s->crew.workers[i].held_count > 0;
    if (!s->ending && (!in_flight || clock_mono_ns() >= s->drain_deadline_ns)) {
        s->ending = true;
        for (int i = 0; i < s->crew.count; i++) {
            struct worker *w = &s->crew.workers[i];
            ev_timer_stop(s->loop, &w->respawn);
            if (w->pid && w->held_count)
                worker_kill(w, "was not done when the daemon had to end");
            else
                worker_drain(w);
        }
    }
    if (!s->ending || !crew_down(s))
        return;
    close_ledgers(s);
    if (!ledgers_open(s))
        ev_break(s->loop, EVBREAK_ALL);
}

void supervisor_worker_down(struct supervisor *s)
{
    stop_step(s);
}

void supervisor_ledger_closed(struct supervisor *s)
{
    stop_step(s);
}

void supervisor_stop(struct supervisor *s, bool now)
{
    int64_t timeout_ms = s->options->drain_timeout_ms;
    if (!s->draining) {
        log_notice("stopping%s", now ? " now" : ": no new fetches, what is in flight may end");
        notify_stopping(&s->notify);
        notify_extend(&s->notify, timeout_ms + STATUS_EVERY_S * 1000);
        s->drain_deadline_ns = timeout_ms ? clock_mono_ns() + timeout_ms * NS_PER_MS : INT64_MAX;
    }
    if (now || s->draining)
        s->drain_deadline_ns = 0;
    s->draining = true;
    stop_step(s);
}

static void on_stop_signal(EV_P_ ev_signal *w, int revents)
{
    supervisor_stop(w->data, false);
}

static void on_hup(EV_P_ ev_signal *w, int revents)
{
    log_warning("reload is not built yet: restart the daemon to change its configuration");
}

/* ---- the loop ---- */

static void on_prepare(EV_P_ ev_prepare *w, int revents)
{
    struct supervisor *s = w->data;
    if (!s->draining && s->pump_at_ns <= clock_mono_ns()) {
        s->pump_at_ns = INT64_MAX;
        int64_t next_ns = leases_pump(s);
        if (next_ns < s->pump_at_ns)
            s->pump_at_ns = next_ns;
    }
    crew_flush(s);
    blocks_flush(s);
    stop_step(s);
    ev_timer_stop(EV_A_ & s->pump);
    if (s->draining || s->pump_at_ns == INT64_MAX)
        return;
    int64_t wait_ns = s->pump_at_ns - clock_mono_ns();
    ev_timer_set(&s->pump, wait_ns > 0 ? (double)wait_ns / 1e9 : 0, 0);
    ev_timer_start(EV_A_ & s->pump);
}

static void on_pump(EV_P_ ev_timer *w, int revents)
{
    /* its running out wakes the loop; on_prepare does the work */
}

/* For `systemctl status`. */
static void tell_status(struct supervisor *s)
{
    struct job_counts sum = jobs_counts(s);
    unsigned running = 0;
    list_each(it, &s->jobs)
    {
        const struct job *j = list_of(it, struct job, link);
        running += j->phase == JOB_OPEN && j->hold == HOLD_NONE;
    }
    if (s->recovering)
        notify_status(&s->notify, "reading jobs: %u %%", supervisor_recovered_percent(s));
    else
        notify_status(&s->notify,
                      "%s%zu jobs, %u running; queued %llu, in flight %llu, stored %llu, dropped "
                      "%llu, failed %llu, excluded %llu; %llu pages/s",
                      s->draining ? "stopping; " : "", list_count(&s->jobs), running,
                      (unsigned long long)sum.queued, (unsigned long long)sum.in_flight,
                      (unsigned long long)sum.ended[OUTCOME_STORED],
                      (unsigned long long)sum.ended[OUTCOME_DROPPED],
                      (unsigned long long)sum.ended[OUTCOME_FAILED],
                      (unsigned long long)sum.ended[OUTCOME_EXCLUDED],
                      (unsigned long long)totals_ended(&s->now_totals) -
                          totals_ended(&s->last_totals));
}

/* The service manager's patience goes on as long as we are reading or draining. */
static void tell_manager(struct supervisor *s)
{
    if (s->ticks++ % STATUS_EVERY_S == 0)
        tell_status(s);
    if (s->recovering || s->draining)
        notify_extend(&s->notify, STATUS_EVERY_S * 1000);
}

static void on_tick(EV_P_ ev_timer *w, int revents)
{
    struct supervisor *s = w->data;
    tell_manager(s);
    s->last_totals = s->now_totals;
    s->now_totals = s->totals;
    crew_tick(s);
    control_tick(s);
    disk_guard_tick(s);
    list_each(it, &s->jobs)
        job_tick(list_of(it, struct job, link));
}

/* ---- starting ---- */

static void tell_ready(struct supervisor *s)
{
    if (s->ready_told || s->recovering || !s->worker_seen)
        return;
    s->ready_told = true;
    log_notice("ready pid=%d workers=%d socket=%s state_dir=%s", (int)getpid(), s->crew.count,
               s->options->socket, s->options->state_dir);
    notify_ready(&s->notify);
}

static void tell_slots(const struct supervisor *s, unsigned slots)
{
    if (s->options->in_flight > slots)
        log_warning("in_flight=%lld is more than descriptors and memory allow",
                    (long long)s->options->in_flight);
    log_notice("each worker holds fetches=%u", slots);
}

void supervisor_worker_ready(struct supervisor *s)
{
    const struct worker *w = crew_roomiest(s);
    if (!s->worker_seen && w)
        tell_slots(s, w->slots);
    s->worker_seen = true;
    tell_ready(s);
}

unsigned supervisor_recovered_percent(const struct supervisor *s)
{
    unsigned jobs = 0, sum = 0;
    list_each(it, &s->jobs)
    {
        const struct job *j = list_of(it, struct job, link);
        jobs++;
        sum += j->phase == JOB_OPENING && j->ledger ? ledger_progress(j->ledger) : 100;
    }
    return jobs ? sum / jobs : 0;
}

void supervisor_job_opened(struct supervisor *s)
{
    if (!s->recovering || !s->loaded)
        return;
    list_each(it, &s->jobs)
    {
        const struct job *j = list_of(it, struct job, link);
        if (j->phase == JOB_OPENING && !job_unread(j))
            return;
    }
    s->recovering = false;
    tell_ready(s);
}

static void on_loaded(struct supervisor *s)
{
    s->loaded = true;
    supervisor_job_opened(s);
}

struct job *jobs_named(const struct supervisor *s, const char *name)
{
    list_each(it, &s->jobs)
    {
        struct job *j = list_of(it, struct job, link);
        if (!strcmp(j->spec.name, name))
            return j;
    }
    return NULL;
}

struct job *jobs_by_id(const struct supervisor *s, uint32_t id)
{
    list_each(it, &s->jobs)
    {
        struct job *j = list_of(it, struct job, link);
        if (j->id == id)
            return j;
    }
    return NULL;
}

void jobs_client_gone(struct supervisor *s, const struct client *c)
{
    list_each(it, &s->jobs)
    {
        struct job *j = list_of(it, struct job, link);
        if (j->streamer != c)
            continue;
        j->streamer = NULL;
        if (j->streaming && j->phase != JOB_CLOSED)
            job_pause(j, HOLD_INPUT_CUT);
    }
}

/* Clients, workers and jobs need descriptors. */
static void raise_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return;
    r.rlim_cur = r.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &r) < 0)
        log_warning("cannot raise the limit of open files: %m");
}

static void plan_memory(struct supervisor *s)
{
    const struct memory_plan *m = &s->memory;
    s->memory = memory_plan((uint64_t)s->options->memory_limit_bytes, (int)s->options->workers);
    log_notice("memory limit=%lluMiB from=%s supervisor=%lluMiB fetches_of_each_worker=%lluMiB",
               (unsigned long long)m->limit_bytes >> 20, m->from,
               (unsigned long long)m->supervisor_bytes >> 20,
               (unsigned long long)m->worker_bytes >> 20);
}

static void watch(struct supervisor *s)
{
    ev_prepare_init(&s->prepare, on_prepare);
    ev_timer_init(&s->tick, on_tick, 1, 1);
    ev_init(&s->pump, on_pump);
    ev_signal_init(&s->on_term, on_stop_signal, SIGTERM);
    ev_signal_init(&s->on_int, on_stop_signal, SIGINT);
    ev_signal_init(&s->on_hup, on_hup, SIGHUP);
    s->prepare.data = s->tick.data = s->pump.data = s;
    s->on_term.data = s->on_int.data = s->on_hup.data = s;
    ev_prepare_start(s->loop, &s->prepare);
    ev_timer_start(s->loop, &s->tick);
    ev_signal_start(s->loop, &s->on_term);
    ev_signal_start(s->loop, &s->on_int);
    ev_signal_start(s->loop, &s->on_hup);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

static int lock_state(struct supervisor *s)
{
    pid_t pid = 0;
    s->lock_fd = state_lock(s->options->state_dir, &pid);
    if (s->lock_fd >= 0)
        return 0;
    if (s->lock_fd == -EBUSY) {
        log_err("state directory is in use state_dir=%s pid=%d: stop that daemon, or give this one "
                "another --state-dir",
                s->options->state_dir, (int)pid);
        return EXIT_TEMPORARY;
    }
    log_err("cannot use the state directory state_dir=%s: %s; it must be writable for user %d",
            s->options->state_dir, strerror(-s->lock_fd), (int)geteuid());
    return EXIT_FAILURE;
}

static void shut(struct supervisor *s)
{
    control_done(s);
    children_done(s);
    crew_done(s);
    disk_free(s->disk);
    blocks_done(s);
    list_each_safe(it, next, &s->jobs)
        job_dispose(list_of(it, struct job, link));
    drafts_done(s);
    disk_guard_done(s);
    leases_done(&s->leases);
    slab_done(&s->lease_slab);
    hosts_done(&s->hosts);
    notify_done(&s->notify);
    url_done(&s->url);
    buf_done(&s->text);
    close(s->lock_fd);
}

/* Jobs are read when it is known which hosts are blocked. */
static void load_jobs(struct supervisor *s)
{
    state_load(s, on_loaded);
}

int supervisor_main(struct options *options)
{
    struct supervisor s = {.options = options, .recovering = true, .lock_fd = -1};
    list_init(&s.jobs);
    list_init(&s.drafts);
    list_init(&s.children);
    int r = lock_state(&s);
    if (r)
        return r;
    s.crew.lock_fd = s.lock_fd;
    raise_limit();
    tzset(); /* or the first time that is printed reads /etc/localtime on the loop */
    s.loop = ev_default_loop(EVBACKEND_EPOLL);
    s.start_ns = clock_mono_ns();
    s.start_wall_ns = clock_wall_ns();
    slab_init(&s.lease_slab, sizeof(struct lease));
    hosts_init(&s.hosts, s.start_ns);
    s.disk = disk_new(s.loop);
    notify_init(&s.notify, getenv("NOTIFY_SOCKET"));
    watch(&s);
    if (control_start(&s) < 0) {
        shut(&s);
        return EXIT_FAILURE;
    }
    plan_memory(&s);
    crew_start(&s, s.memory.workers);
    blocks_load(&s, load_jobs);
    ev_run(s.loop, 0);
    shut(&s);
    log_notice("stopped");
    return s.exit_code;
}
