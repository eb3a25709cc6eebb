/* SPDX-License-Identifier: MIT */
/* The life of a ledger. Phases:
 *
 *   NEW ──create/open──▶ OPENING ──▶ OPEN ──close──▶ CLOSING ──▶ CLOSED
 *                          ▲  └─▶ FAILED ◀─┘            │
 *                          └─recover──┘ └────close──────┘
 *
 * Ops run one after another on the disk thread. When one fails, on_disk.failed keeps those behind
 * it from running; the loop hears of it in op_done() and throws away all that was pending: what
 * counts is what recovery finds on disk. */
#include "daemon/frontier/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "daemon/frontier/fs.h"
#include "daemon/frontier/ledger_impl.h"

/* ---- ops */

static void op_run(struct disk_op *disk)
{
    struct op *op = (struct op *)disk;
    struct on_disk *s = &op->l->on_disk;
    if (s->failed && !op->anyway) {
        op->err = -ECANCELED;
        return;
    }
    op->err = op->run(op);
    if (op->err && !s->failed)
        s->failed = op->err;
}

static void drop_pending(struct ledger *l)
{
    list_each_safe(it, tmp, &l->pending)
    {
        list_del(it);
        cycle_free(list_of(it, struct cycle, link));
    }
    texts_drop(l);
    cycle_free(l->spare);
    l->spare = NULL;
    l->pending_bytes = 0;
    l->feed_next = l->feed_end = 0;
    l->ends_seq = 0;
}

static void fail(struct ledger *l, int err, const char *what)
{
    bool closing = l->phase == PHASE_CLOSING;
    if (l->phase != PHASE_OPEN && !closing)
        return;
    l->err = err;
    if (!closing)
        l->phase = PHASE_FAILED;
    ev_timer_stop(l->loop, &l->timer);
    drop_pending(l);
    waits_answer(l, err);
    warcs_failed(l);
    if (!closing)
        l->ops->failed(l->owner, err, what);
}

static void op_done(struct disk_op *disk)
{
    struct op *op = (struct op *)disk;
    struct ledger *l = op->l;
    int err = op->err;
    const char *what = op->what;
    op->finished(op);
    if (err && err != -ECANCELED)
        fail(l, err, what);
    l->asked_count--;
    ledger_settle(l);
}

void ledger_ask(struct ledger *l, struct op *op)
{
    op->l = l;
    op->disk.run = op_run;
    op->disk.done = op_done;
    l->asked_count++;
    disk_ask(l->disk, &op->disk);
}

/* ---- opening */

struct open_op {
    struct op op;
    struct list files; /* struct warc_file of before: to be closed; owned */
    uint64_t generation;
    bool create;
};

static void close_files(struct list *files)
{
    list_each_safe(it, tmp, files)
    {
        struct warc_file *f = list_of(it, struct warc_file, link);
        list_del(it);
        fs->close(f->fd);
        free(f);
    }
}

static void close_on_disk(struct on_disk *d)
{
    if (d->journal_fd >= 0)
        fs->close(d->journal_fd);
    if (d->results_fd >= 0)
        fs->close(d->results_fd);
    d->journal_fd = d->results_fd = -1;
}

static int open_run(struct op *op)
{
    struct open_op *o = (struct open_op *)op;
    struct ledger *l = op->l;
    struct recovered *r = &l->recovered;
    close_files(&o->files);
    close_on_disk(&l->on_disk);
    int err = o->create ? recover_create(l->dir, l->warc_dir, r) : recover(l->dir, l->warc_dir, r);
    if (err)
        return err;
    l->on_disk = (struct on_disk){
        .journal_fd = r->journal_fd,
        .results_fd = r->results_fd,
        .journal_bytes = r->journal_bytes,
        .results_bytes = r->state->results_bytes,
        .number = r->number,
        .generation = o->generation,
        .head = r->state->head,
    };
    return 0;
}

static void move_files(struct list *from, struct list *to)
{
    list_init(to);
    list_each_safe(it, tmp, from)
    {
        list_del(it);
        list_add_tail(to, it);
    }
}

static void open_finished(struct op *op)
{
    struct ledger *l = op->l;
    int err = op->err;
    uint64_t generation = ((struct open_op *)op)->generation;
    free(op);
    struct recovered *r = &l->recovered;
    if (l->phase == PHASE_CLOSING) {
        state_free(r->state);
        return;
    }
    l->err = err;
    l->phase = err ? PHASE_FAILED : PHASE_OPEN;
    if (!err) {
        state_free(l->state);
        l->state = r->state;
        r->state = NULL;
        l->durable_duplicates = l->state->duplicates;
        l->journal_bytes = r->journal_bytes;
        l->position = l->durable = 0;
        l->compact_at = 0;
        l->generation = generation;
        l->feed_next = 0;
        l->feed_end = l->state->roster.end;
    }
    l->ops->opened(l->owner, err, r->why[0] ? r->why : err ? strerror(-err) : NULL, r->torn_bytes);
    texts_feed(l);
}

static void open_start(struct ledger *l, bool create, const char *what)
{
    struct open_op *o = xcalloc(1, sizeof *o);
    o->op = (struct op){.run = open_run, .finished = open_finished, .what = what, .anyway = true};
    o->create = create;
    o->generation = ++l->generations;
    recovered_init(&l->recovered);
    move_files(&l->files, &o->files);
    l->phase = PHASE_OPENING;
    ledger_ask(l, &o->op);
}

void ledger_create(struct ledger *l)
{
    open_start(l, true, "making the job's files");
}

void ledger_open(struct ledger *l)
{
    open_start(l, false, "recovery");
}

void ledger_recover(struct ledger *l)
{
    if (l->phase == PHASE_FAILED)
        open_start(l, false, "recovery");
}

unsigned ledger_progress(const struct ledger *l)
{
    return atomic_load_explicit(&l->recovered.percent, memory_order_relaxed);
}

/* ---- closing */

static int close_run(struct op *op)
{
    struct open_op *o = (struct open_op *)op;
    close_files(&o->files);
    close_on_disk(&op->l->on_disk);
    return 0;
}

static void close_finished(struct op *op)
{
    op->l->phase = PHASE_CLOSED;
    free(op);
}

/* Called when an op has ended: goes on with closing when nothing is left to be done. */
void ledger_settle(struct ledger *l)
{
    if (l->asked_count)
        return;
    if (l->phase == PHASE_CLOSED) {
        l->ops->closed(l->owner);
        return;
    }
    if (l->phase != PHASE_CLOSING || !list_empty(&l->pending))
        return;
    waits_answer(l, l->err);
    struct open_op *o = xcalloc(1, sizeof *o);
    o->op =
        (struct op){.run = close_run, .finished = close_finished, .what = "close", .anyway = true};
    move_files(&l->files, &o->files);
    ledger_ask(l, &o->op);
}

void ledger_close(struct ledger *l)
{
    if (l->phase == PHASE_CLOSING || l->phase == PHASE_CLOSED)
        return;
    if (l->phase == PHASE_NEW || l->phase == PHASE_FAILED || l->phase == PHASE_OPENING)
        l->err = l->err ? l->err : -ECANCELED;
    l->phase = PHASE_CLOSING;
    l->feed_next = l->feed_end = 0;
    if (list_empty(&l->pending))
        ledger_settle(l);
    else
        cycle_kick(l);
}

struct ledger *ledger_new(struct disk *disk, struct ev_loop *loop, const char *dir,
                          const char *suffix, enum ledger_durability durability,
                          int64_t commit_interval_ns, const struct ledger_ops *ops, void *owner)
{
    struct ledger *l = xcalloc(1, sizeof *l);
    l->disk = disk;
    l->loop = loop;
    l->ops = ops;
    l->owner = owner;
    l->dir = xstrdup(dir);
    l->warc_dir = recover_path(dir, "warc");
    l->suffix = xstrdup(suffix);
    l->name = strrchr(l->dir, '/') ? strrchr(l->dir, '/') + 1 : l->dir;
    l->on_disk.journal_fd = l->on_disk.results_fd = -1;
    ledger_set_pace(l, durability, commit_interval_ns);
    l->state = state_new(&(struct journal_head){0}, true);
    list_init(&l->pending);
    list_init(&l->waits);
    list_init(&l->files);
    list_init(&l->making);
    list_init(&l->reads);
    ev_timer_init(&l->timer, cycle_turn, 0, 0);
    l->timer.data = l;
    return l;
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    ev_timer_stop(l->loop, &l->timer);
    drop_pending(l);
    state_free(l->state);
    free(l->dir);
    free(l->warc_dir);
    free(l->suffix);
    free(l);
}

void ledger_set_pace(struct ledger *l, enum ledger_durability durability,
                     int64_t commit_interval_ns)
{
    l->durability = durability;
    l->interval_ns = commit_interval_ns;
}

struct ledger_counts ledger_counts(const struct ledger *l)
{
    const struct state *s = l->state;
    struct ledger_counts c = {
        .accepted = s->accepted,
        .duplicates = l->durable_duplicates,
        .results_bytes = s->results_bytes,
        .journal_bytes = l->journal_bytes,
        .seen_bytes = s->seen.bytes,
        .open_bytes = roster_bytes(&s->roster),
        .pending_bytes = l->pending_bytes,
    };
    memcpy(c.ended, s->ended, sizeof c.ended);
    if (!list_empty(&l->pending)) {
        const struct cycle *last = list_of(l->pending.prev, struct cycle, link);
        c.pending_bytes += buf_len(&last->items) + buf_len(&last->rows);
    }
    return c;
}
