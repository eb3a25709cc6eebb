/* SPDX-License-Identifier: MIT */
/* The text of open URLs lies only in the journal. The roster tells where the first ACCEPT of each
 * 64 lies; from there the disk thread walks from item to item, over batch heads (whose first byte
 * is no item's tag), to the one wanted. Wanted seqs are visited in rising order, so neighbours
 * come from one read. The URLs open after a recovery are queued the same way, a slice at a time.
 *
 * A compaction moves the offsets: an op that was asked before and runs after it notices by the
 * generation, and is asked again. Another, asked meanwhile, then runs before it; so what was asked
 * stands in ledger.reads, and answers are told in that order. */
#include <errno.h>
#include <stdlib.h>

#include "common/xalloc.h"
#include "daemon/frontier/ledger_impl.h"

#define FEED_COUNT 2048u
#define AHEAD      (128u << 10)
#define TAG_MAX    21u /* tag and the varints of length and seq */

struct want {
    uint64_t seq, off; /* off: where to begin to look; 0 if not known */
    uint32_t order;    /* as asked */
    uint32_t len;
    size_t text; /* in texts; SIZE_MAX if not found */
};

struct reading {
    struct op op;
    struct list link; /* in ledger.reads, oldest first; a feed is in none */
    uint64_t generation;
    bool feed, stale, done;
    size_t count;
    struct buf texts;
    struct want wants[];
};

/* ---- on the disk thread */

/* Looks at the item at `off`: its whole length, and for an ACCEPT its seq (else 0) and text. */
static int look(struct pager *g, uint64_t off, uint64_t *ret_len, uint64_t *ret_seq,
                struct cut *ret_text)
{
    uint64_t left = g->size - off;
    size_t n = left < TAG_MAX ? (size_t)left : TAG_MAX;
    const char *p;
    int err = pager_at(g, off, n, AHEAD, &p);
    if (err)
        return err;
    struct cut c = {.p = (const uint8_t *)p, .end = (const uint8_t *)p + n};
    uint8_t tag = *c.p++;
    *ret_seq = 0;
    if (tag == 0xB7) {
        *ret_len = JOURNAL_BATCH_HEAD;
        return 0;
    }
    uint64_t body = cut_varint(&c);
    size_t before = (size_t)(c.p - (const uint8_t *)p);
    *ret_len = before + body;
    if (c.bad || body > JOURNAL_BATCH_MAX)
        return -EUCLEAN;
    if (tag != ITEM_ACCEPT && tag != ITEM_ACCEPT_NEW)
        return 0;
    if ((err = pager_at(g, off, (size_t)*ret_len, AHEAD, &p)))
        return err;
    c = (struct cut){.p = (const uint8_t *)p + before, .end = (const uint8_t *)p + *ret_len};
    *ret_seq = cut_varint(&c);
    *ret_text = c;
    return c.bad ? -EUCLEAN : 0;
}

/* Walks from *off to the wanted URL; *off is then behind it, or at the first one above it. */
static int walk(struct pager *g, struct reading *r, struct want *w, uint64_t *off)
{
    uint64_t len, seq;
    struct cut text = {0};
    while (*off < g->size) {
        int err = look(g, *off, &len, &seq, &text);
        if (err)
            return err;
        if (seq > w->seq)
            return 0;
        *off += len;
        if (seq == w->seq) {
            w->text = buf_len(&r->texts);
            w->len = (uint32_t)(text.end - text.p);
            buf_add(&r->texts, text.p, w->len);
            return 0;
        }
    }
    return 0;
}

static int by_seq(const void *a, const void *b)
{
    const struct want *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static int by_order(const void *a, const void *b)
{
    const struct want *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

static int reading_run(struct op *op)
{
    struct reading *r = (struct reading *)op;
    const struct on_disk *s = &op->l->on_disk;
    r->stale = r->generation != s->generation;
    if (r->stale)
        return 0;
    struct pager g = {.fd = s->journal_fd, .size = s->journal_bytes};
    uint64_t off = 0, last = 0;
    int err = 0;
    qsort(r->wants, r->count, sizeof *r->wants, by_seq);
    for (size_t i = 0; i < r->count && !err; i++) {
        struct want *w = &r->wants[i];
        if (i && w->seq == last)
            off = 0;
        last = w->seq;
        if (w->off > off || (!off && w->off))
            off = w->off;
        if (w->off)
            err = walk(&g, r, w, &off);
    }
    qsort(r->wants, r->count, sizeof *r->wants, by_order);
    pager_done(&g);
    return err;
}

/* ---- on the loop */

static void reading_free(struct reading *r)
{
    list_del(&r->link);
    buf_done(&r->texts);
    free(r);
}

static void reading_ask(struct ledger *l, struct reading *r)
{
    r->generation = l->generation;
    for (size_t i = 0; i < r->count; i++) {
        struct want *w = &r->wants[i];
        uint64_t ordinal = state_ordinal(l->state, w->seq);
        w->off =
            window_holds(&l->state->window, w->seq) ? 0 : roster_offset(&l->state->roster, ordinal);
        w->text = SIZE_MAX;
    }
    ledger_ask(l, &r->op);
}

static void tell(struct ledger *l, struct reading *r)
{
    struct ledger_url *urls = xcalloc(r->count ? r->count : 1, sizeof *urls);
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct want *w = &r->wants[i];
        bool found = w->text != SIZE_MAX;
        if (!found && r->feed)
            continue;
        urls[n++] = (struct ledger_url){.seq = w->seq,
                                        .url = found ? buf_data(&r->texts) + w->text : NULL,
                                        .len = found ? w->len : 0};
    }
    if (r->feed)
        l->ops->queued(l->owner, urls, n);
    else
        l->ops->read(l->owner, urls, n);
    free(urls);
}

/* What was read and not told counts no more. */
void texts_drop(struct ledger *l)
{
    list_each_safe(it, tmp, &l->reads)
    {
        struct reading *r = list_of(it, struct reading, link);
        if (r->done)
            reading_free(r);
    }
}

static void tell_in_order(struct ledger *l)
{
    while (!list_empty(&l->reads)) {
        struct reading *r = list_of(l->reads.next, struct reading, link);
        if (!r->done)
            break;
        list_del(&r->link);
        tell(l, r);
        reading_free(r);
    }
}

static void reading_finished(struct op *op)
{
    struct reading *r = (struct reading *)op;
    struct ledger *l = op->l;
    if (op->err || l->phase != PHASE_OPEN) {
        reading_free(r);
        return;
    }
    if (r->stale) {
        reading_ask(l, r);
        return;
    }
    r->done = true;
    if (!r->feed) {
        tell_in_order(l);
        return;
    }
    tell(l, r);
    reading_free(r);
    texts_feed(l);
}

static struct reading *reading_new(size_t count)
{
    struct reading *r = xcalloc(1, sizeof *r + count * sizeof *r->wants);
    r->op = (struct op){
        .run = reading_run, .finished = reading_finished, .what = "reading frontier.log"};
    list_init(&r->link);
    r->count = count;
    return r;
}

void ledger_read(struct ledger *l, const uint64_t *seqs, size_t count)
{
    struct reading *r = reading_new(count);
    for (size_t i = 0; i < count; i++)
        r->wants[i] = (struct want){.seq = seqs[i], .order = (uint32_t)i};
    list_add_tail(&l->reads, &r->link);
    reading_ask(l, r);
}

/* Asks for the next slice of the URLs that recovery found open. */
void texts_feed(struct ledger *l)
{
    if (l->phase != PHASE_OPEN || l->feed_next >= l->feed_end)
        return;
    struct reading *r = reading_new(FEED_COUNT);
    r->feed = true;
    size_t n = 0;
    while (n < FEED_COUNT) {
        uint64_t ordinal = roster_next(&l->state->roster, l->feed_next);
        if (ordinal >= l->feed_end) {
            l->feed_next = l->feed_end;
            break;
        }
        r->wants[n] = (struct want){.seq = state_seq(l->state, ordinal), .order = (uint32_t)n};
        n++;
        l->feed_next = ordinal + 1;
    }
    r->count = n;
    if (n)
        reading_ask(l, r);
    else
        reading_free(r);
}
