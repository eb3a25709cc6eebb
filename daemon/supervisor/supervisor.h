/* SPDX-License-Identifier: MIT */
/* The supervisor process: the one root of everything it owns. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "common/options.h"
#include "common/slab.h"
#include "common/url.h"
#include "daemon/frontier/disk.h"
#include "daemon/frontier/host.h"
#include "daemon/supervisor/crew.h"
#include "daemon/supervisor/job.h"
#include "daemon/supervisor/lease.h"
#include "daemon/supervisor/memory.h"
#include "daemon/supervisor/notify.h"

struct control;
struct client;
struct disk_guard;
struct blocks;

/* Process counters: stats.since_start. */
struct totals {
    uint64_t started, bytes_in, ended[OUTCOME_COUNT], by_status[6], by_reason[REASON_COUNT];
    uint64_t again, retried, busy, noconn, worker_deaths;
};

static inline uint64_t totals_ended(const struct totals *t)
{
    uint64_t n = 0;
    for (int o = 0; o < OUTCOME_COUNT; o++)
        n += t->ended[o];
    return n;
}

struct supervisor {
    struct ev_loop *loop;
    struct options *options; /* borrowed from main */
    struct disk *disk;       /* owned */
    struct hosts hosts;
    struct blocks *blocks;   /* owned */
    struct crew crew;
    struct memory_plan memory;
    struct leases leases;
    struct slab lease_slab;
    struct list jobs;        /* struct job */
    uint32_t next_job_id;
    struct control *control; /* owned */
    struct totals totals;                 /* now */
    struct totals now_totals, last_totals; /* at the last tick, at the one before */
    int lock_fd;
    bool recovering;         /* jobs are being read */
    bool draining, ending;   /* SIGTERM once; workers are not respawned */
    bool loaded;             /* all job.json have been read */
    bool worker_seen, ready_told;
    unsigned ticks;          /* seconds */
    bool disk_low;           /* below disk_reserve: all jobs are held */
    struct disk_guard *guard; /* owned */
    struct list children;    /* processes that read files for requests: child.c */
    struct list drafts;      /* jobs that wait for their words: draft.c */
    struct notify notify;
    struct url url;          /* scratch */
    struct buf text;         /* scratch */
    int exit_code;
    int64_t start_ns, start_wall_ns, drain_deadline_ns, pump_at_ns;
    ev_prepare prepare;
    ev_timer tick, pump;
    ev_signal on_term, on_int, on_hup;
};

/* Runs until it is stopped; the exit code of the program. */
int supervisor_main(struct options *options);

/* No new fetches; ends when what is in flight has ended. `now`: at once. */
void supervisor_stop(struct supervisor *s, bool now);

/* News that may let something be granted: the pump runs this turn. */
void supervisor_kick(struct supervisor *s);

void supervisor_worker_ready(struct supervisor *s);
void supervisor_worker_down(struct supervisor *s);
void supervisor_ledger_closed(struct supervisor *s);

/* A job's opening is over. */
void supervisor_job_opened(struct supervisor *s);
unsigned supervisor_recovered_percent(const struct supervisor *s);

struct job *jobs_named(const struct supervisor *s, const char *name);
struct job *jobs_by_id(const struct supervisor *s, uint32_t id);
void jobs_worker_died(struct supervisor *s, int slot);

/* A client has gone: jobs it was streaming to are held as input_cut. */
void jobs_client_gone(struct supervisor *s, const struct client *c);

#endif
