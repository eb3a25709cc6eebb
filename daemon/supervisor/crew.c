/* SPDX-License-Identifier: MIT */
/* A slot's life:
 *
 *   DOWN ─spawn─▶ STARTING ─READY─▶ READY ─drain─▶ DRAINING
 *     ▲              │                │               │
 *     │              └───── killed by us: DYING ◀─────┘
 *     └── reaped: socket read to its end, log too, leases taken back, respawn after a back-off
 *
 * A death is told by SIGCHLD alone: the end of its socket comes before its exit code, which says
 * whom to blame. A worker that closes its socket but goes on gives no more signs of life. */
#include "daemon/supervisor/crew.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/heritage.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/frontier/host.h"
#include "daemon/supervisor/job.h"
#include "daemon/supervisor/lease.h"
#include "daemon/supervisor/spawn.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/supervisor/uplink.h"
#include "daemon/supervisor/wlog.h"

#define SILENCE_MAX_NS  (10 * NS_PER_S)
#define STANDSTILL_NS   (5 * NS_PER_S) /* in one step, of a silence */
#define BACKOFF_FIRST_S 0.1
#define BACKOFF_MAX_S   10.0

static const char *const state_names[] = {[WORKER_DOWN] = "down",
                                          [WORKER_STARTING] = "starting",
                                          [WORKER_READY] = "ready",
                                          [WORKER_DRAINING] = "draining",
                                          [WORKER_DYING] = "dying"};

const char *worker_state_name(enum worker_state state)
{
    return state_names[state];
}

static void on_writable(EV_P_ ev_io *io, int revents)
{
    struct worker *w = io->data;
    if (ipc_flush(&w->ipc) != 1)
        ev_io_stop(EV_A_ io);
}

/* Everything it has said. False: nothing it says counts any more. */
static bool listen_to(struct worker *w, bool *ret_eof)
{
    if (w->unheard)
        return false;
    int r = ipc_fill(&w->ipc);
    *ret_eof = r == 1;
    const struct ipc_head *m;
    int next = 0;
    bool good = r >= 0;
    while (good && (next = ipc_next(&w->ipc, &m)) == 1)
        good = uplink_heard(w, m);
    if (r < 0 || next < 0) {
        log_err("worker spoke out of turn worker=%d pid=%d: %s", w->slot, (int)w->pid,
                strerror(r < 0 ? -r : -next));
        good = false;
    }
    w->unheard = !good;
    return good;
}

static void on_readable(EV_P_ ev_io *io, int revents)
{
    struct worker *w = io->data;
    bool eof = false;
    if (!listen_to(w, &eof)) {
        worker_kill(w, "broke the protocol");
        ev_io_stop(EV_A_ io);
    } else if (eof) {
        ev_io_stop(EV_A_ io);
    }
}

static void on_log(EV_P_ ev_io *io, int revents)
{
    struct worker *w = io->data;
    if (wlog_read(w) != 1)
        return;
    ev_io_stop(EV_A_ io);
}

/* The lease to blame for a death, 0 for nobody: rule 14. */
static uint64_t guilty_lease(const struct worker *w, int status)
{
    const struct stats_block *b = w->stats;
    if (w->hung)
        return b->blame[THREAD_LOOP] == w->cell && clock_mono_ns() - w->cell_ns > STANDSTILL_NS
                   ? w->cell
                   : 0;
    bool by_itself = WIFSIGNALED(status)
                         ? WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM
                         : WEXITSTATUS(status) != 0;
    if (!by_itself || w->state == WORKER_DYING)
        return 0;
    if (b->guilty)
        return b->guilty == STATS_NOBODY ? 0 : b->guilty;
    uint64_t loop = b->blame[THREAD_LOOP], store = b->blame[THREAD_STORE];
    return loop && store ? 0 : loop + store;
}

static void schedule_respawn(struct worker *w)
{
    double wait_s = 0;
    if (!w->finished_count && w->state != WORKER_DRAINING) {
        wait_s = BACKOFF_FIRST_S;
        for (unsigned i = 0; i < w->early_deaths && wait_s < BACKOFF_MAX_S; i++)
            wait_s *= 2;
        w->early_deaths++;
    } else {
        w->early_deaths = 0;
    }
    ev_timer_set(&w->respawn, wait_s < BACKOFF_MAX_S ? wait_s : BACKOFF_MAX_S, 0);
    ev_timer_start(w->s->loop, &w->respawn);
}

static void bury(struct worker *w, int status)
{
    struct supervisor *s = w->s;
    uint64_t guilty = guilty_lease(w, status);
    w->last_pid = w->pid;
    w->last_exitcode = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    w->last_wall_ns = clock_wall_ns();
    bool expected = w->state == WORKER_DRAINING && w->last_exitcode == 0;
    log_line(expected ? LOG_INFO : LOG_ERR,
             "worker ended worker=%d pid=%d exitcode=%d leases=%u guilty=%s", w->slot, (int)w->pid,
             w->last_exitcode, w->held_count, guilty ? "yes" : "nobody");
    ev_io_stop(s->loop, &w->reading);
    ev_io_stop(s->loop, &w->writing);
    ipc_done(&w->ipc);
    wlog_end(w);
    leases_of_dead(w, guilty);
    jobs_worker_died(s, w->slot);
    hosts_wake_all(&s->hosts, &w->waiting);
    memset(w->stats, 0, sizeof *w->stats);
    w->pid = 0;
    if (!s->ending)
        schedule_respawn(w);
    w->state = WORKER_DOWN;
    supervisor_worker_down(s);
}

static void on_child(EV_P_ ev_child *c, int revents)
{
    struct worker *w = c->data;
    ev_child_stop(EV_A_ c);
    bool eof = false;
    while (!eof && listen_to(w, &eof))
        ;
    bury(w, c->rstatus);
}

static void spawn(struct worker *w)
{
    struct supervisor *s = w->s;
    int r = spawn_worker(w, s->crew.lock_fd);
    if (r < 0) {
        log_err("cannot start a worker worker=%d: %s", w->slot, strerror(-r));
        schedule_respawn(w);
        return;
    }
    w->state = WORKER_STARTING;
    w->hung = w->unheard = false;
    w->cell = 0;
    w->slots = 0;
    w->finished_count = 0;
    w->beat_ns = clock_mono_ns();
    w->started_wall_ns = clock_wall_ns();
    w->restarts += w->last_pid != 0;
    ev_io_set(&w->reading, w->ipc.fd, EV_READ);
    ev_io_set(&w->writing, w->ipc.fd, EV_WRITE);
    ev_io_start(s->loop, &w->reading);
    ev_io_start(s->loop, &w->log);
    ev_child_set(&w->child, w->pid, 0);
    ev_child_start(s->loop, &w->child);
    uplink_greet(w);
}

static void on_respawn(EV_P_ ev_timer *t, int revents)
{
    spawn(t->data);
}

static void worker_init(struct supervisor *s, struct worker *w, int slot)
{
    *w = (struct worker){.s = s, .slot = slot, .ipc = {.fd = -1}, .stats_fd = -1};
    list_init(&w->leases);
    list_init(&w->waiting);
    ev_init(&w->reading, on_readable);
    ev_init(&w->writing, on_writable);
    ev_init(&w->log, on_log);
    wlog_tick(w);
    ev_init(&w->child, on_child);
    ev_init(&w->respawn, on_respawn);
    w->reading.data = w->writing.data = w->log.data = w->child.data = w->respawn.data = w;
    w->stats = spawn_stats(&w->stats_fd);
}

void crew_start(struct supervisor *s, int count)
{
    s->crew.workers = xcalloc((size_t)count, sizeof *s->crew.workers);
    s->crew.count = count;
    for (int i = 0; i < count; i++) {
        worker_init(s, &s->crew.workers[i], i);
        spawn(&s->crew.workers[i]);
    }
}

void crew_done(struct supervisor *s)
{
    for (int i = 0; i < s->crew.count; i++) {
        struct worker *w = &s->crew.workers[i];
        if (w->pid) {
            kill(w->pid, SIGKILL);
            waitpid(w->pid, NULL, 0);
        }
        ev_io_stop(s->loop, &w->reading);
        ev_io_stop(s->loop, &w->writing);
        ev_child_stop(s->loop, &w->child);
        ev_timer_stop(s->loop, &w->respawn);
        ipc_done(&w->ipc);
        wlog_end(w);
        bound_done(&w->bound);
        munmap(w->stats, sizeof *w->stats);
        close(w->stats_fd);
    }
    free(s->crew.workers);
    s->crew.workers = NULL;
    s->crew.count = 0;
}

void crew_flush(struct supervisor *s)
{
    for (int i = 0; i < s->crew.count; i++) {
        struct worker *w = &s->crew.workers[i];
        if (!w->pid || ev_is_active(&w->writing) || !buf_len(&w->ipc.out))
            continue;
        if (ipc_flush(&w->ipc) == 1)
            ev_io_start(s->loop, &w->writing);
    }
}

static void look_at_cell(struct worker *w, int64_t now_ns)
{
    uint64_t cell = w->stats->blame[THREAD_LOOP];
    if (cell == w->cell)
        return;
    w->cell = cell;
    w->cell_ns = now_ns;
}

void crew_tick(struct supervisor *s)
{
    int64_t now = clock_mono_ns();
    for (int i = 0; i < s->crew.count; i++) {
        struct worker *w = &s->crew.workers[i];
        wlog_tick(w);
        look_at_cell(w, now);
        if (worker_alive(w) && now - w->beat_ns > SILENCE_MAX_NS) {
            w->hung = true;
            worker_kill(w, "gave no sign of life");
        }
    }
}

struct worker *crew_roomiest(struct supervisor *s)
{
    struct worker *best = NULL;
    for (int i = 0; i < s->crew.count; i++) {
        struct worker *w = &s->crew.workers[i];
        if (worker_has_room(w) &&
            (!best || w->slots - w->held_count > best->slots - best->held_count))
            best = w;
    }
    return best;
}

void worker_kill(struct worker *w, const char *why)
{
    if (!w->pid)
        return;
    log_err("killing worker worker=%d pid=%d: it %s", w->slot, (int)w->pid, why);
    w->state = WORKER_DYING;
    kill(w->pid, SIGKILL);
}

void worker_drain(struct worker *w)
{
    if (w->state != WORKER_STARTING && w->state != WORKER_READY)
        return;
    w->state = WORKER_DRAINING;
    ipc_add_number(&w->ipc, IPC_DRAIN, 0);
}

bool crew_down(const struct supervisor *s)
{
    for (int i = 0; i < s->crew.count; i++)
        if (s->crew.workers[i].pid)
            return false;
    return true;
}
