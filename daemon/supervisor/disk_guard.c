/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/disk_guard.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/supervisor/supervisor.h"

#define EVERY_TICKS 5

struct disk_guard {
    struct disk_op op;
    struct supervisor *s;
    unsigned ticks;
    bool asking;
    uint64_t free_bytes; /* UINT64_MAX: not known */
};

static void guard_run(struct disk_op *op)
{
    struct disk_guard *g = list_of(op, struct disk_guard, op);
    struct statvfs st;
    g->free_bytes = statvfs(g->s->options->state_dir, &st) < 0
                        ? UINT64_MAX
                        : (uint64_t)st.f_bavail * st.f_frsize;
}

static void guard_done(struct disk_op *op)
{
    struct disk_guard *g = list_of(op, struct disk_guard, op);
    struct supervisor *s = g->s;
    g->asking = false;
    bool low = g->free_bytes < (uint64_t)s->options->disk_reserve_bytes;
    if (low == s->disk_low)
        return;
    s->disk_low = low;
    log_line(low ? LOG_ERR : LOG_NOTICE, "disk space %s free_bytes=%llu disk_reserve=%llu",
             low ? "is low: all jobs are held" : "is enough again: jobs go on",
             (unsigned long long)g->free_bytes, (unsigned long long)s->options->disk_reserve_bytes);
    list_each(it, &s->jobs) job_update(list_of(it, struct job, link));
    supervisor_kick(s);
}

void disk_guard_tick(struct supervisor *s)
{
    if (!s->guard) {
        s->guard = xcalloc(1, sizeof *s->guard);
        s->guard->s = s;
        s->guard->op.run = guard_run;
        s->guard->op.done = guard_done;
    }
    if (s->guard->asking || !s->options->disk_reserve_bytes || s->guard->ticks++ % EVERY_TICKS)
        return;
    s->guard->asking = true;
    disk_ask(s->disk, &s->guard->op);
}

void disk_guard_done(struct supervisor *s)
{
    free(s->guard);
    s->guard = NULL;
}
