/* SPDX-License-Identifier: MIT */
/* A block holds from the moment it is known; a restart knows it once its line is in hosts.log, some
 * milliseconds later. One write is under way at a time; what changes meanwhile goes with the next.
 * When hosts.log cannot be written (a full disk), blocks hold all the same, no job is touched,
 * that is said once, and it is tried every RETRY_NS until it can: a restart before would forget
 * them. */
#include "daemon/supervisor/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/frontier/blocklog.h"
#include "daemon/supervisor/supervisor.h"

#define LINES_MOST   2000  /* of one write */
#define RESTORE_MOST 20000 /* in one turn */
#define RETRY_NS     (10 * NS_PER_S)

struct blocks {
    struct supervisor *s; /* borrowed */
    struct disk_op op;
    struct blocklog log; /* the disk thread's while asking */
    struct blocklog_entries found;
    struct buf text; /* lines being written, or to be tried again */
    size_t restored; /* of found */
    int64_t wall_ns, retry_ns;
    int err;
    bool asking, failing;
    struct list waiting, next; /* job_wait: for the write under way, for one after it */
    ev_timer slice;
    void (*then)(struct supervisor *s);
};

/* ---- reading ---- */

static void load_run(struct disk_op *op)
{
    struct blocks *b = list_of(op, struct blocks, op);
    b->err = blocklog_open(&b->log, b->wall_ns, &b->found);
}

/* In slices: there may be a million. */
static void on_slice(EV_P_ ev_timer *t, int revents)
{
    struct blocks *b = t->data;
    struct supervisor *s = b->s;
    int64_t now_ns = clock_mono_ns(), wall_ns = clock_wall_ns();
    for (unsigned n = 0; n < RESTORE_MOST && b->restored < b->found.count; n++) {
        const struct blocklog_entry *e = &b->found.v[b->restored];
        const char *name = blocklog_name(&b->found, b->restored++);
        struct host_block known = blocklog_block(e, now_ns, wall_ns);
        block_restore(&s->hosts, hosts_get(&s->hosts, name, e->name_len, NULL), &known, now_ns);
    }
    if (b->restored < b->found.count) {
        ev_timer_start(EV_A_ t);
        return;
    }
    if (b->found.count)
        log_notice("hosts.log read hosts=%zu", b->found.count);
    blocklog_entries_done(&b->found);
    b->then(s);
}

static void load_done(struct disk_op *op)
{
    struct blocks *b = list_of(op, struct blocks, op);
    b->asking = false;
    if (b->err)
        log_err("hosts.log cannot be read: %s; blocks of before are not known", strerror(-b->err));
    ev_timer_start(b->s->loop, &b->slice);
}

void blocks_load(struct supervisor *s, void (*then)(struct supervisor *s))
{
    struct blocks *b = xcalloc(1, sizeof *b);
    s->blocks = b;
    b->s = s;
    b->then = then;
    list_init(&b->waiting);
    list_init(&b->next);
    blocklog_init(&b->log, s->options->state_dir);
    ev_timer_init(&b->slice, on_slice, 0, 0);
    b->slice.data = b;
    b->wall_ns = clock_wall_ns();
    b->op.run = load_run;
    b->op.done = load_done;
    b->asking = true;
    disk_ask(s->disk, &b->op);
}

void blocks_done(struct supervisor *s)
{
    struct blocks *b = s->blocks;
    if (!b)
        return;
    ev_timer_stop(s->loop, &b->slice);
    blocklog_done(&b->log);
    blocklog_entries_done(&b->found);
    buf_done(&b->text);
    free(b);
    s->blocks = NULL;
}

const char *blocks_path(const struct supervisor *s)
{
    return s->blocks->log.path;
}

/* ---- writing ---- */

static void write_run(struct disk_op *op)
{
    struct blocks *b = list_of(op, struct blocks, op);
    b->err = blocklog_add(&b->log, buf_data(&b->text), buf_len(&b->text), b->wall_ns);
}

static void tell(struct list *waiting, int err)
{
    while (!list_empty(waiting)) {
        struct job_wait *w = list_of(waiting->next, struct job_wait, link);
        list_del(&w->link);
        w->done(w, err);
    }
}

static void write_done(struct disk_op *op)
{
    struct blocks *b = list_of(op, struct blocks, op);
    b->asking = false;
    if (b->err) {
        b->retry_ns = clock_mono_ns() + RETRY_NS;
        if (!b->failing)
            log_err("hosts.log cannot be written: %s; blocks hold, but a restart would forget "
                    "the new ones; tried again every 10 s",
                    strerror(-b->err));
    } else {
        buf_clear(&b->text);
        if (b->failing)
            log_notice("hosts.log is written again");
    }
    b->failing = b->err != 0;
    tell(&b->waiting, b->err);
}

/* Lines for what changed; all of it unless there is too much for one write. */
static void take_changed(struct blocks *b, int64_t now_ns)
{
    struct list *changed = &b->s->hosts.changed;
    for (unsigned n = 0; n < LINES_MOST && !list_empty(changed); n++) {
        struct host_block *block = list_of(changed->next, struct host_block, changed);
        list_del(&block->changed);
        blocklog_put(&b->text, block->host->name, block->host->name_len, block, now_ns, b->wall_ns);
    }
    if (!list_empty(changed))
        return;
    while (!list_empty(&b->next)) {
        struct list *w = b->next.next;
        list_del(w);
        list_add_tail(&b->waiting, w);
    }
}

void blocks_flush(struct supervisor *s)
{
    struct blocks *b = s->blocks;
    int64_t now_ns = clock_mono_ns();
    bool news = !list_empty(&s->hosts.changed) || buf_len(&b->text) || !list_empty(&b->next);
    if (b->asking || !news || (b->failing && now_ns < b->retry_ns && list_empty(&b->next)))
        return;
    b->wall_ns = clock_wall_ns();
    take_changed(b, now_ns);
    if (!buf_len(&b->text)) {
        tell(&b->waiting, 0);
        return;
    }
    b->op.run = write_run;
    b->op.done = write_done;
    b->asking = true;
    disk_ask(s->disk, &b->op);
}

void blocks_wait(struct supervisor *s, struct job_wait *w)
{
    list_add_tail(&s->blocks->next, &w->link);
}

/* ---- workers ---- */

void blocks_stop(struct supervisor *s, const struct host *host, const struct worker *but)
{
    for (int i = 0; i < s->crew.count; i++) {
        struct worker *w = &s->crew.workers[i];
        bool there = host->free_act || (host->act && host->worker == w->slot);
        if (w != but && there && worker_alive(w))
            ipc_add_number(&w->ipc, IPC_STOP, host->id);
    }
}
