/* SPDX-License-Identifier: MIT */
/* What is put into a ledger is encoded at once into the batch being built, the youngest of
 * `pending`; beside it stands what the loop must do when the batch is durable. A batch that is
 * full is closed by beginning another, always before an item, so that a URL accepted with its row
 * lies in one batch with it. */
#include <errno.h>
#include <stdlib.h>

#include "common/xalloc.h"
#include "daemon/frontier/ledger_impl.h"

static bool is_full(const struct cycle *c)
{
    return buf_len(&c->items) >= CYCLE_BYTES || buf_len(&c->rows) >= CYCLE_ROWS_BYTES ||
           c->item_count + buf_len(&c->ended) / sizeof(struct put_row) >= CYCLE_ITEMS;
}

static bool is_open(const struct ledger *l)
{
    return l->phase == PHASE_OPEN;
}

static struct cycle *begin(struct ledger *l)
{
    struct cycle *c = cycle_new(l);
    list_add_tail(&l->pending, &c->link);
    return c;
}

void put_closed(struct ledger *l, struct cycle *c)
{
    c->pending_bytes = buf_len(&c->items) + buf_len(&c->rows);
    l->pending_bytes += c->pending_bytes;
}

/* The batch that the next item goes into. */
struct cycle *put_open(struct ledger *l)
{
    struct cycle *c = NULL;
    if (!list_empty(&l->pending)) {
        c = list_of(l->pending.prev, struct cycle, link);
        if (!is_full(c))
            return c;
        put_closed(l, c);
    }
    c = begin(l);
    cycle_kick(l);
    return c;
}

void put_done(struct ledger *l, struct cycle *c)
{
    c->position = ++l->position;
}

/* Notes where the batch's first ACCEPT of a group lies. Whether one before it is known counts when
 * the batch is durable: a compaction that runs now may forget it. */
static void mark(struct cycle *c, uint64_t ordinal)
{
    struct put_mark m = {.ordinal = ordinal, .off = buf_len(&c->items)};
    size_t n = buf_len(&c->marks) / sizeof m;
    const struct put_mark *marks = (void *)buf_data(&c->marks);
    if (n && marks[n - 1].ordinal / ROSTER_GROUP == ordinal / ROSTER_GROUP)
        return;
    buf_add(&c->marks, &m, sizeof m);
}

uint64_t ledger_accept(struct ledger *l, const char *url, size_t len, bool dedup, bool ends)
{
    struct state *s = l->state;
    if (!is_open(l))
        return 0;
    if (dedup && !seen_add(&s->seen, seen_print(s->head.secret, url, len))) {
        s->duplicates++;
        return 0;
    }
    struct cycle *c = put_open(l);
    uint64_t seq = s->next_seq++, ordinal = state_ordinal(s, seq);
    mark(c, ordinal);
    item_put(&c->items, dedup ? ITEM_ACCEPT : ITEM_ACCEPT_NEW, seq, url, len);
    c->item_count++;
    c->accepted_count++;
    if (ends) {
        l->ends_seq = seq;
    } else {
        struct put_url u = {
            .seq = seq, .off = (uint32_t)(buf_len(&c->items) - len), .len = (uint32_t)len};
        buf_add(&c->urls, &u, sizeof u);
    }
    roster_open(&s->roster, ordinal);
    s->accept_count++;
    s->accept_bytes += len + 8;
    put_done(l, c);
    return seq;
}

bool ledger_seen(const struct ledger *l, const char *url, size_t len)
{
    return seen_has(&l->state->seen, seen_print(l->state->head.secret, url, len));
}

/* ---- rows and records */

static bool file_may_grow(struct ledger *l, uint32_t id, uint64_t end_bytes,
                          struct warc_file **ret_file)
{
    *ret_file = NULL;
    if (!id)
        return true;
    *ret_file = warcs_find(l, id);
    return *ret_file && end_bytes >= (*ret_file)->reported;
}

static void file_grew(struct cycle *c, struct warc_file *f, uint64_t end_bytes)
{
    if (!f)
        return;
    f->reported = end_bytes;
    if (f->cycle != c) {
        f->cycle = c;
        f->cycle_count++;
        f->slot = buf_len(&c->files) / sizeof(struct file_end);
        struct file_end e = {.file = f};
        buf_add(&c->files, &e, sizeof e);
    }
    ((struct file_end *)(void *)buf_data(&c->files))[f->slot].end_bytes = end_bytes;
}

static bool close_url(struct state *s, uint64_t seq)
{
    if (window_holds(&s->window, seq))
        return window_close(&s->window, seq - s->window.base);
    return roster_close(&s->roster, state_ordinal(s, seq));
}

int ledger_row(struct ledger *l, uint64_t seq, enum outcome outcome, const char *row, size_t len,
               uint32_t file, uint64_t end_bytes)
{
    struct warc_file *f;
    if (!is_open(l) || !file_may_grow(l, file, end_bytes, &f) || !close_url(l->state, seq))
        return -EINVAL;
    struct cycle *c =
        seq == l->ends_seq ? list_of(l->pending.prev, struct cycle, link) : put_open(l);
    l->ends_seq = 0;
    buf_add(&c->rows, row, len);
    struct put_row r = {.seq = seq, .outcome = outcome};
    buf_add(&c->ended, &r, sizeof r);
    file_grew(c, f, end_bytes);
    put_done(l, c);
    return 0;
}

int ledger_hop(struct ledger *l, uint32_t file, uint64_t end_bytes)
{
    struct warc_file *f;
    if (!is_open(l) || !file || !file_may_grow(l, file, end_bytes, &f))
        return -EINVAL;
    struct cycle *c = put_open(l);
    file_grew(c, f, end_bytes);
    put_done(l, c);
    return 0;
}

/* ---- flags and generators */

void ledger_flag(struct ledger *l, enum ledger_flag flag)
{
    if (!is_open(l) || ledger_has(l, flag))
        return;
    struct cycle *c = put_open(l);
    l->state->flags |= flag;
    item_put1(&c->items, ITEM_FLAG, flag);
    c->item_count++;
    put_done(l, c);
}

bool ledger_has(const struct ledger *l, enum ledger_flag flag)
{
    return l->state->flags & flag;
}

uint64_t ledger_generated(struct ledger *l, uint64_t count)
{
    struct state *s = l->state;
    if (is_open(l) && count && s->window.count == count)
        return s->window.base;
    if (!is_open(l) || !count || s->window.count || count > INT64_MAX - s->next_seq)
        return 0;
    struct cycle *c = put_open(l);
    window_init(&s->window, s->next_seq, count);
    item_put2(&c->items, ITEM_GENERATED, s->next_seq, count);
    c->item_count++;
    s->next_seq += count;
    put_done(l, c);
    return s->window.base;
}

static void spill(struct ledger *l, uint64_t next)
{
    struct window *w = &l->state->window;
    for (uint64_t i = 0; (i = window_leaving(w, next, i)) != UINT64_MAX; i++) {
        struct cycle *c = put_open(l);
        window_spill(w, i);
        item_put1(&c->items, ITEM_SPILL, i);
        c->item_count++;
        put_done(l, c);
    }
}

void ledger_cursor(struct ledger *l, uint64_t next)
{
    struct window *w = &l->state->window;
    if (!is_open(l) || next > w->count)
        return;
    while (w->cursor < next) {
        uint64_t step = next - w->cursor < WINDOW_SIZE ? next : w->cursor + WINDOW_SIZE;
        spill(l, step);
        struct cycle *c = put_open(l);
        c->accepted_count += step - w->cursor;
        window_move(w, step);
        item_put1(&c->items, ITEM_CURSOR, step);
        c->item_count++;
        put_done(l, c);
    }
}

uint64_t ledger_cursor_now(const struct ledger *l)
{
    return l->state->window.cursor;
}

size_t ledger_generated_open(const struct ledger *l, uint64_t *ret_indices, size_t cap,
                             uint64_t from)
{
    return window_list(&l->state->window, from, ret_indices, cap);
}
