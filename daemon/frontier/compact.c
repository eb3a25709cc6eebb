/* SPDX-License-Identifier: MIT */
/* A snapshot of the journal: what is open with its text, of what has ended only the fingerprints
 * and the counts. It is made between two cycles from the journal itself, read twice: first to know
 * what is open, then to copy that over. The new file is synced, renamed over the old one, and the
 * directory synced before another batch is appended. If it cannot be written (a full disk, say)
 * the old journal goes on. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "daemon/frontier/fs.h"
#include "daemon/frontier/ledger_impl.h"

#define COMPACT_MIN  (64u << 20)
#define PRINTS_BYTES 65536u

struct compaction {
    struct op op;
    struct state *state; /* owned; where the journal stands, without the seen set */
    struct buf out, prints;
    uint32_t out_count;
    int fd;
    uint64_t written, number, first_number, generation;
    struct roster offsets; /* into the new file */
    struct buf marks;      /* struct put_mark of the batch in `out` */
    bool made;
};

/* Worth it when less than a third of the journal would remain. */
bool compact_wanted(const struct ledger *l)
{
    const struct state *s = l->state;
    if (l->phase != PHASE_OPEN || l->journal_bytes < COMPACT_MIN ||
        l->journal_bytes < l->compact_at)
        return false;
    uint64_t each = s->accept_count ? s->accept_bytes / s->accept_count : 0;
    uint64_t stay = each * s->roster.open_count + s->seen.count * 8;
    return l->journal_bytes / 3 > stay;
}

/* ---- on the disk thread */

static int flush(struct compaction *k)
{
    if (!k->out_count)
        return 0;
    batch_seal(&k->out, &k->state->head, k->number++, k->out_count);
    const struct put_mark *m = (void *)buf_data(&k->marks);
    for (size_t i = 0; i < buf_len(&k->marks) / sizeof *m; i++) {
        roster_open(&k->offsets, m[i].ordinal);
        roster_place(&k->offsets, m[i].ordinal, k->written + m[i].off);
    }
    int err = fs_write(k->fd, buf_data(&k->out), buf_len(&k->out), k->written);
    k->written += buf_len(&k->out);
    k->out_count = 0;
    buf_clear(&k->out);
    buf_clear(&k->marks);
    batch_begin(&k->out);
    return err;
}

static int added(struct compaction *k)
{
    k->out_count++;
    return buf_len(&k->out) >= CYCLE_BYTES ? flush(k) : 0;
}

static int flush_prints(struct compaction *k)
{
    if (!buf_len(&k->prints))
        return 0;
    item_bytes(&k->out, ITEM_SEEN, buf_data(&k->prints), buf_len(&k->prints));
    buf_clear(&k->prints);
    return added(k);
}

static int add_prints(struct compaction *k, const void *p, size_t n)
{
    buf_add(&k->prints, p, n);
    return buf_len(&k->prints) >= PRINTS_BYTES ? flush_prints(k) : 0;
}

static void put_snapshot(struct compaction *k)
{
    const struct state *s = k->state;
    struct buf body = {0};
    journal_varint(&body, s->next_seq);
    journal_varint(&body, s->next_file);
    journal_varint(&body, s->accepted);
    journal_varint(&body, s->results_bytes);
    for (int o = 0; o < OUTCOME_COUNT; o++)
        journal_varint(&body, s->ended[o]);
    uint64_t files = 0;
    for (uint32_t id = 1; id < s->end_count; id++)
        files += s->ends[id] > 0;
    journal_varint(&body, files);
    for (uint32_t id = 1; id < s->end_count; id++)
        if (s->ends[id]) {
            journal_varint(&body, id);
            journal_varint(&body, s->ends[id]);
        }
    item_bytes(&k->out, ITEM_SNAPSHOT, buf_data(&body), buf_len(&body));
    k->out_count++;
    buf_done(&body);
}

static int put_window(struct compaction *k)
{
    const struct window *w = &k->state->window;
    if (!w->count)
        return 0;
    item_put2(&k->out, ITEM_GENERATED, w->base, w->count);
    k->out_count++;
    struct buf bits = {0};
    for (size_t i = 0; i < WINDOW_SIZE / 64; i++) {
        uint64_t word = htole64(w->closed[i]);
        buf_add(&bits, &word, sizeof word);
    }
    item_put(&k->out, ITEM_WINDOW, w->cursor, buf_data(&bits), buf_len(&bits));
    k->out_count++;
    buf_done(&bits);
    int err = 0;
    for (size_t i = 0; i < w->spilled_count && !err; i++)
        if (!(w->spilled[i] & 1)) {
            item_put1(&k->out, ITEM_SPILL, w->spilled[i] >> 1);
            err = added(k);
        }
    return err;
}

static int copy_accept(struct compaction *k, uint8_t tag, struct cut *body)
{
    struct cut c = *body;
    uint64_t ordinal = state_ordinal(k->state, cut_varint(&c));
    size_t len = (size_t)(c.end - c.p);
    if (!roster_is_open(&k->state->roster, ordinal)) {
        uint64_t print = htole64(seen_print(k->state->head.secret, c.p, len));
        return tag == ITEM_ACCEPT ? add_prints(k, &print, sizeof print) : 0;
    }
    struct put_mark mark = {.ordinal = ordinal, .off = buf_len(&k->out)};
    buf_add(&k->marks, &mark, sizeof mark);
    item_bytes(&k->out, tag, body->p, (size_t)(body->end - body->p));
    return added(k);
}

static int copy_batch(struct compaction *k, struct batch_view *b)
{
    uint8_t tag;
    struct cut body;
    int err = 0;
    while (!err && cut_item(&b->items, &tag, &body)) {
        if (tag == ITEM_ACCEPT || tag == ITEM_ACCEPT_NEW)
            err = copy_accept(k, tag, &body);
        else if (tag == ITEM_SEEN)
            err = add_prints(k, body.p, (size_t)(body.end - body.p));
    }
    return err;
}

/* Reads the whole journal, giving each batch to state_apply() or copy_batch(). */
static int read_all(struct compaction *k, bool copy)
{
    struct journal_reader r;
    char why[JOURNAL_WHY_BYTES];
    int err = journal_reader_init(&r, k->op.l->on_disk.journal_fd, why);
    if (!err && !copy)
        k->state = state_new(&r.head, false);
    struct batch_view b;
    while (!err && (err = journal_reader_next(&r, &b)) > 0)
        err = copy ? copy_batch(k, &b) : state_apply(k->state, &b, why);
    if (!err && r.pos != k->op.l->on_disk.journal_bytes)
        err = -EUCLEAN;
    journal_reader_done(&r);
    return err;
}

/* The head says how long the file is, so it is written last. */
static int put_head(struct compaction *k)
{
    struct journal_head head = k->state->head;
    head.first_number = k->first_number;
    head.solid_bytes = k->written;
    struct buf b = {0};
    journal_head_put(&b, &head);
    int err = fs_write(k->fd, buf_data(&b), buf_len(&b), 0);
    buf_done(&b);
    return err;
}

static int write_new(struct compaction *k)
{
    k->written = JOURNAL_HEAD_BYTES;
    k->first_number = k->number = k->op.l->on_disk.number;
    batch_begin(&k->out);
    put_snapshot(k);
    if (k->state->flags) {
        item_put1(&k->out, ITEM_FLAG, k->state->flags);
        k->out_count++;
    }
    item_put1(&k->out, ITEM_DUPLICATES, k->state->duplicates);
    k->out_count++;
    int err = put_window(k);
    if (!err)
        err = read_all(k, true);
    if (!err)
        err = flush_prints(k);
    if (!err)
        err = flush(k);
    if (!err)
        err = put_head(k);
    return err ? err : fs->fsync(k->fd);
}

static int give_up(struct ledger *l, struct compaction *k, const char *fresh)
{
    if (k->fd >= 0)
        fs->close(k->fd);
    int err = fs->unlink(fresh);
    if (err == -ENOENT)
        err = 0;
    return err ? err : fs_sync_dir(l->dir);
}

static int take_new(struct ledger *l, struct compaction *k, const char *fresh)
{
    char *journal = recover_path(l->dir, "frontier.log");
    int err = fs->rename(fresh, journal);
    free(journal);
    struct on_disk *s = &l->on_disk;
    fs->close(s->journal_fd);
    s->journal_fd = k->fd;
    s->journal_bytes = k->written;
    s->reserved_to = 0;
    s->number = k->number;
    s->generation = k->generation;
    k->made = true;
    return err ? err : fs_sync_dir(l->dir);
}

static int compact_run(struct op *op)
{
    struct compaction *k = (struct compaction *)op;
    struct ledger *l = op->l;
    int err = read_all(k, false);
    if (err)
        return err;
    char *fresh = recover_path(l->dir, "frontier.log.new");
    k->fd = fs->open(fresh, O_RDWR | O_CREAT | O_EXCL);
    err = k->fd < 0 ? k->fd : write_new(k);
    err = err ? give_up(l, k, fresh) : take_new(l, k, fresh);
    free(fresh);
    return err;
}

/* ---- on the loop */

static void compact_finished(struct op *op)
{
    struct compaction *k = (struct compaction *)op;
    struct ledger *l = op->l;
    l->compacting = false;
    if (!op->err && k->made) {
        roster_take_offsets(&l->state->roster, &k->offsets);
        l->journal_bytes = k->written;
        l->generation = k->generation;
    }
    l->compact_at = l->journal_bytes + l->journal_bytes / 2;
    state_free(k->state);
    roster_done(&k->offsets);
    buf_done(&k->out);
    buf_done(&k->prints);
    buf_done(&k->marks);
    free(k);
    cycle_kick(l);
}

void compact_start(struct ledger *l)
{
    struct compaction *k = xcalloc(1, sizeof *k);
    k->op = (struct op){.run = compact_run, .finished = compact_finished, .what = "compaction"};
    k->fd = -1;
    k->generation = ++l->generations;
    l->compacting = true;
    ledger_ask(l, &k->op);
}
