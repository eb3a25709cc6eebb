/* SPDX-License-Identifier: MIT */
/* The commit cycle takes the oldest pending batch. On the disk thread, in this order:
 *
 *   fdatasync the WARC files it touches ▸ append its rows, fdatasync ▸ append the batch with its
 *   COMMIT last, fdatasync
 *
 * and back on the loop: count, move ends, tell what was queued and ended, answer waits, finish
 * files, begin the next. Only one batch is ever unsynced. A cycle begins from the timer alone,
 * never inside a call, so that what one turn of the loop puts in goes together. */
#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/xalloc.h"
#include "daemon/frontier/fs.h"
#include "daemon/frontier/ledger_impl.h"

void cycle_free(struct cycle *c)
{
    if (!c)
        return;
    buf_done(&c->items);
    buf_done(&c->rows);
    buf_done(&c->urls);
    buf_done(&c->ended);
    buf_done(&c->files);
    buf_done(&c->marks);
    free(c);
}

struct cycle *cycle_new(struct ledger *l)
{
    struct cycle *c = l->spare ? l->spare : xcalloc(1, sizeof *c);
    l->spare = NULL;
    batch_begin(&c->items);
    return c;
}

static struct buf emptied(struct buf b)
{
    buf_clear(&b);
    return b;
}

/* Fresh memory is dear, so a busy ledger goes on with what it has. */
static void cycle_done_with(struct ledger *l, struct cycle *c)
{
    if (list_empty(&l->pending) || l->spare) {
        cycle_free(c);
        return;
    }
    *c = (struct cycle){.items = emptied(c->items),
                        .rows = emptied(c->rows),
                        .urls = emptied(c->urls),
                        .ended = emptied(c->ended),
                        .files = emptied(c->files),
                        .marks = emptied(c->marks)};
    l->spare = c;
}

/* ---- on the disk thread */

static int sync_data(const struct cycle *c, int fd)
{
    return c->syncs ? fs->fdatasync(fd) : 0;
}

/* The size is looked at too: a worker may say that it wrote what it did not. */
static int sync_warcs(struct cycle *c)
{
    const struct file_end *e = (void *)buf_data(&c->files);
    for (size_t i = 0; i < buf_len(&c->files) / sizeof *e; i++) {
        int64_t size = fs->size(e[i].file->fd);
        if (size < 0)
            return (int)size;
        if ((uint64_t)size < e[i].end_bytes)
            return -EBADMSG;
        int err = sync_data(c, e[i].file->fd);
        if (err)
            return err;
    }
    return 0;
}

static int append_rows(struct cycle *c)
{
    struct on_disk *s = &c->op.l->on_disk;
    c->results_bytes = s->results_bytes + buf_len(&c->rows);
    if (!buf_len(&c->rows))
        return 0;
    int err = fs_write(s->results_fd, buf_data(&c->rows), buf_len(&c->rows), s->results_bytes);
    return err ? err : sync_data(c, s->results_fd);
}

static void commit_put(struct cycle *c)
{
    const struct file_end *e = (void *)buf_data(&c->files);
    const struct put_row *r = (void *)buf_data(&c->ended);
    size_t files = buf_len(&c->files) / sizeof *e, rows = buf_len(&c->ended) / sizeof *r;
    if (!files && !rows)
        return;
    struct buf body = {0};
    journal_varint(&body, c->results_bytes);
    journal_varint(&body, files);
    for (size_t i = 0; i < files; i++) {
        journal_varint(&body, e[i].file->id);
        journal_varint(&body, e[i].end_bytes);
    }
    journal_varint(&body, rows);
    uint64_t last = 0;
    for (size_t i = 0; i < rows; i++)
        commit_row_put(&body, &last, r[i].seq, r[i].outcome);
    item_bytes(&c->items, ITEM_COMMIT, buf_data(&body), buf_len(&body));
    c->item_count++;
    buf_done(&body);
}

/* Blocks behind the end, so that a COMMIT fits on a full disk; best effort. */
static void reserve(struct on_disk *s)
{
    if (s->journal_bytes + RESERVE_BYTES <= s->reserved_to)
        return;
    if (!fs->reserve(s->journal_fd, s->journal_bytes, 2 * RESERVE_BYTES))
        s->reserved_to = s->journal_bytes + 2 * RESERVE_BYTES;
}

static int append_batch(struct cycle *c)
{
    struct on_disk *s = &c->op.l->on_disk;
    commit_put(c);
    batch_seal(&c->items, &s->head, s->number, c->item_count);
    reserve(s);
    int err = fs_write(s->journal_fd, buf_data(&c->items), buf_len(&c->items), s->journal_bytes);
    if (!err)
        err = sync_data(c, s->journal_fd);
    if (err)
        return err;
    c->off = s->journal_bytes;
    s->journal_bytes += buf_len(&c->items);
    s->results_bytes = c->results_bytes;
    s->number++;
    c->journal_bytes = s->journal_bytes;
    return 0;
}

static int cycle_run(struct op *op)
{
    struct cycle *c = (struct cycle *)op;
    int err = sync_warcs(c);
    if (!err)
        err = append_rows(c);
    return err ? err : append_batch(c);
}

/* ---- on the loop, afterwards */

static void count(struct ledger *l, struct cycle *c)
{
    const struct put_mark *m = (void *)buf_data(&c->marks);
    for (size_t i = 0; i < buf_len(&c->marks) / sizeof *m; i++)
        roster_place(&l->state->roster, m[i].ordinal, c->off + m[i].off);
    const struct file_end *e = (void *)buf_data(&c->files);
    for (size_t i = 0; i < buf_len(&c->files) / sizeof *e; i++) {
        e[i].file->committed = e[i].end_bytes;
        e[i].file->cycle_count--;
        state_file_grew(l->state, e[i].file->id, e[i].end_bytes);
    }
    const struct put_row *r = (void *)buf_data(&c->ended);
    for (size_t i = 0; i < buf_len(&c->ended) / sizeof *r; i++)
        l->state->ended[r[i].outcome]++;
    l->state->accepted += c->accepted_count;
    l->durable_duplicates = c->duplicates;
    l->state->results_bytes = c->results_bytes;
    l->journal_bytes = c->journal_bytes;
    l->durable = c->position;
}

static void tell_ended(struct ledger *l, struct cycle *c)
{
    const struct put_row *r = (void *)buf_data(&c->ended);
    for (size_t i = 0; i < buf_len(&c->ended) / sizeof *r; i++)
        l->ops->ended(l->owner, r[i].seq, r[i].outcome);
}

static void tell_queued(struct ledger *l, struct cycle *c)
{
    const struct put_url *u = (void *)buf_data(&c->urls);
    size_t n = buf_len(&c->urls) / sizeof *u;
    struct ledger_url urls[256];
    for (size_t i = 0; i < n;) {
        size_t k = 0;
        for (; k < 256 && i < n; k++, i++)
            urls[k] = (struct ledger_url){
                .seq = u[i].seq, .url = buf_data(&c->items) + u[i].off, .len = u[i].len};
        l->ops->queued(l->owner, urls, k);
    }
}

static void cycle_finished(struct op *op)
{
    struct cycle *c = (struct cycle *)op;
    struct ledger *l = op->l;
    l->running = NULL;
    if (!op->err) {
        l->pending_bytes -= c->pending_bytes;
        count(l, c);
        tell_ended(l, c);
        tell_queued(l, c);
        waits_answer(l, 0);
        warcs_finish_ready(l);
        if (compact_wanted(l))
            compact_start(l);
    }
    cycle_done_with(l, c);
    cycle_kick(l);
}

/* ---- when */

/* Errors answer all; else those whose items are durable are answered. */
void waits_answer(struct ledger *l, int err)
{
    while (!list_empty(&l->waits)) {
        struct ledger_wait *w = list_of(l->waits.next, struct ledger_wait, link);
        if (!err && w->position > l->durable)
            return;
        list_del(&w->link);
        w->done(w, err);
    }
}

void ledger_wait(struct ledger *l, struct ledger_wait *w)
{
    w->position = l->position;
    list_add_tail(&l->waits, &w->link);
    cycle_kick(l);
}

static bool is_going(const struct ledger *l)
{
    return l->phase == PHASE_OPEN || l->phase == PHASE_CLOSING;
}

/* Seconds until something is to be done; negative if nothing is. */
static double due_s(const struct ledger *l)
{
    bool waited = !list_empty(&l->waits);
    if (waited &&
        (!is_going(l) || list_of(l->waits.next, struct ledger_wait, link)->position <= l->durable))
        return 0;
    if (!is_going(l) || l->running || l->compacting || list_empty(&l->pending))
        return -1;
    if (waited || l->durability == LEDGER_EACH || l->phase == PHASE_CLOSING ||
        l->pending.next != l->pending.prev)
        return 0;
    double due = l->started + (double)l->interval_ns / NS_PER_S - ev_now(l->loop);
    return due > 0 ? due : 0;
}

void cycle_kick(struct ledger *l)
{
    double due = due_s(l);
    ev_timer_stop(l->loop, &l->timer);
    if (due < 0)
        return;
    ev_timer_set(&l->timer, due, 0);
    ev_timer_start(l->loop, &l->timer);
}

static void cycle_start(struct ledger *l)
{
    struct cycle *c = list_of(l->pending.next, struct cycle, link);
    bool built = l->pending.next == l->pending.prev;
    list_del(&c->link);
    list_each(it, &l->files)
    {
        struct warc_file *f = list_of(it, struct warc_file, link);
        if (f->cycle == c)
            f->cycle = NULL;
    }
    if (l->state->duplicates != l->durable_duplicates) {
        item_put1(&c->items, ITEM_DUPLICATES, l->state->duplicates);
        c->item_count++;
    }
    if (built)
        put_closed(l, c);
    c->syncs = l->durability != LEDGER_OS;
    c->duplicates = l->state->duplicates;
    c->op = (struct op){.run = cycle_run, .finished = cycle_finished, .what = "commit"};
    l->running = c;
    l->started = ev_now(l->loop);
    ledger_ask(l, &c->op);
}

void cycle_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct ledger *l = w->data;
    if (!is_going(l)) {
        waits_answer(l, l->err ? l->err : -ECANCELED);
        return;
    }
    waits_answer(l, 0);
    double due = due_s(l);
    if (is_going(l) && due == 0 && !l->running && !l->compacting &&
        !list_empty(&l->pending))
        cycle_start(l);
    else
        cycle_kick(l); /* whoever waited may have gone: then it is due later */
}
