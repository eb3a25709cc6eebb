/* SPDX-License-Identifier: MIT */
/* The process table: one slot per worker, the process in it, and the order in which a death is
 * handled: its socket is read to the end, it is reaped, and only then are its leases, hosts and
 * files taken back (the protocol's rule 8). */
#ifndef SUPERVISOR_CREW_H
#define SUPERVISOR_CREW_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/ipc.h"
#include "common/list.h"
#include "common/stats.h"
#include "daemon/frontier/host.h"

struct supervisor;

enum worker_state {
    WORKER_DOWN,     /* no process; `respawn` runs unless the daemon ends */
    WORKER_STARTING, /* spawned, not READY */
    WORKER_READY,
    WORKER_DRAINING, /* takes no more leases */
    WORKER_DYING,    /* killed by us, not reaped yet */
};

struct worker {
    struct supervisor *s;      /* borrowed root */
    int slot;
    enum worker_state state;
    pid_t pid;                 /* 0 while DOWN */
    struct ipc ipc;
    ev_io reading, writing, log;
    ev_child child;
    ev_timer respawn;
    struct buf log_text;       /* a line not yet whole */
    uint32_t log_room;         /* lines that may be logged this second */
    uint64_t log_suppressed_count;
    struct stats_block *stats; /* mapped; never NULL */
    int stats_fd;
    uint32_t slots;            /* leases it can hold */
    uint32_t held_count;       /* leases in `leases` */
    struct list leases;
    struct list waiting;       /* hosts bound to it that found it full */
    struct bound bound;        /* hosts with anything under way here */
    int64_t beat_ns, started_wall_ns;
    uint64_t finished_count;   /* leases ended by this process */
    unsigned early_deaths;     /* in a row, before the first finished fetch */
    bool hung;                 /* killed because its heart stopped */
    bool unheard;              /* broke the protocol: what it says counts no more */
    uint64_t cell;             /* its loop's blame cell at the last tick */
    int64_t cell_ns;           /* since when it has named that lease */
    unsigned restarts;
    pid_t last_pid;            /* the process before: its end */
    int last_exitcode;
    int64_t last_wall_ns;
};

struct crew {
    struct worker *workers; /* owned array */
    int count;
    int lock_fd;            /* the state lock, handed down */
};

/* Spawns `count` workers. */
void crew_start(struct supervisor *s, int count);

/* Kills whatever still runs and frees all. */
void crew_done(struct supervisor *s);

/* Writes what is waiting for the workers; once per loop turn. */
void crew_flush(struct supervisor *s);

/* Once a second: hearts, log room. */
void crew_tick(struct supervisor *s);

/* The ready worker with most room, NULL if all are full. */
struct worker *crew_roomiest(struct supervisor *s);

static inline bool worker_has_room(const struct worker *w)
{
    return w->state == WORKER_READY && w->held_count < w->slots;
}

static inline bool worker_alive(const struct worker *w)
{
    return w->state == WORKER_STARTING || w->state == WORKER_READY || w->state == WORKER_DRAINING;
}

void worker_kill(struct worker *w, const char *why);

/* No more leases; it ends when none is left. */
void worker_drain(struct worker *w);

/* Are all processes gone? */
bool crew_down(const struct supervisor *s);

const char *worker_state_name(enum worker_state state);

#endif
