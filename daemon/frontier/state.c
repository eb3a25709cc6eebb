/* SPDX-License-Identifier: MIT */
/* One small function per item, chosen by a table. A batch that reached this point has a right
 * checksum, so what does not fit is a mistake of a program, not of a disk; it is refused as damage
 * all the same, because going on would lose URLs. */
#include "daemon/frontier/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

struct state *state_new(const struct journal_head *head, bool keeps_seen)
{
    struct state *s = xcalloc(1, sizeof *s);
    s->head = *head;
    s->keeps_seen = keeps_seen;
    s->next_seq = s->next_file = 1;
    s->window.base = UINT64_MAX;
    return s;
}

void state_free(struct state *s)
{
    if (!s)
        return;
    seen_done(&s->seen);
    roster_done(&s->roster);
    window_done(&s->window);
    free(s->ends);
    free(s);
}

uint64_t state_file_end(const struct state *s, uint32_t file)
{
    return file < s->end_count ? s->ends[file] : 0;
}

void state_file_grew(struct state *s, uint32_t file, uint64_t end_bytes)
{
    if (file >= s->end_count) {
        uint32_t count = file + 1 + s->end_count / 2;
        s->ends = xrealloc(s->ends, count * sizeof *s->ends);
        memset(s->ends + s->end_count, 0, (count - s->end_count) * sizeof *s->ends);
        s->end_count = count;
    }
    s->ends[file] = end_bytes;
}

static bool apply_file(struct state *s, struct cut *c, uint64_t off)
{
    uint64_t id = cut_varint(c);
    if (!id || id >= STATE_FILE_MAX)
        return false;
    if (id >= s->next_file)
        s->next_file = (uint32_t)id + 1;
    return true;
}

static bool accept(struct state *s, struct cut *c, uint64_t off)
{
    uint64_t seq = cut_varint(c);
    if (c->bad || !seq || seq > s->next_seq || window_holds(&s->window, seq))
        return false;
    uint64_t ordinal = state_ordinal(s, seq);
    if (ordinal >= STATE_URLS_MAX || !roster_open(&s->roster, ordinal))
        return false;
    roster_place(&s->roster, ordinal, off);
    if (seq >= s->next_seq) {
        s->next_seq = seq + 1;
        s->accepted++;
    }
    s->accept_count++;
    s->accept_bytes += (uint64_t)(c->end - c->p) + 8;
    return true;
}

static bool apply_accept(struct state *s, struct cut *c, uint64_t off)
{
    if (!accept(s, c, off))
        return false;
    if (s->keeps_seen)
        seen_add(&s->seen, seen_print(s->head.secret, c->p, (size_t)(c->end - c->p)));
    c->p = c->end;
    return true;
}

static bool apply_accept_new(struct state *s, struct cut *c, uint64_t off)
{
    bool ok = accept(s, c, off);
    c->p = c->end;
    return ok;
}

static bool apply_generated(struct state *s, struct cut *c, uint64_t off)
{
    uint64_t base = cut_varint(c), count = cut_varint(c);
    if (c->bad || !base || !count || s->window.count || base + count < base)
        return false;
    window_init(&s->window, base, count);
    if (s->next_seq < base + count)
        s->next_seq = base + count;
    return true;
}

static bool apply_spill(struct state *s, struct cut *c, uint64_t off)
{
    uint64_t index = cut_varint(c);
    const struct window *w = &s->window;
    if (index >= w->cursor || (w->spilled_count && w->spilled[w->spilled_count - 1] >> 1 >= index))
        return false;
    window_spill(&s->window, index);
    return true;
}

static bool apply_cursor(struct state *s, struct cut *c, uint64_t off)
{
    uint64_t next = cut_varint(c);
    if (next < s->window.cursor || next > s->window.count)
        return false;
    s->accepted += next - s->window.cursor;
    window_move(&s->window, next);
    return true;
}

static bool apply_flag(struct state *s, struct cut *c, uint64_t off)
{
    s->flags |= (unsigned)cut_varint(c);
    return true;
}

static bool apply_duplicates(struct state *s, struct cut *c, uint64_t off)
{
    s->duplicates = cut_varint(c);
    return true;
}

static bool apply_files(struct state *s, struct cut *c)
{
    for (uint64_t n = cut_varint(c); n && !c->bad; n--) {
        uint64_t id = cut_varint(c), end = cut_varint(c);
        if (!id || id >= s->next_file || end < state_file_end(s, (uint32_t)id))
            return false;
        state_file_grew(s, (uint32_t)id, end);
    }
    return true;
}

static bool end_url(struct state *s, uint64_t seq)
{
    if (!window_holds(&s->window, seq))
        return roster_close(&s->roster, state_ordinal(s, seq));
    uint64_t index = seq - s->window.base;
    if (index >= s->window.cursor)
        return false;
    return window_close(&s->window, index) || index + WINDOW_SIZE < s->window.cursor;
}

static bool apply_commit(struct state *s, struct cut *c, uint64_t off)
{
    uint64_t results_bytes = cut_varint(c), seq, last = 0;
    if (results_bytes < s->results_bytes || !apply_files(s, c))
        return false;
    s->results_bytes = results_bytes;
    enum outcome outcome;
    for (uint64_t n = cut_varint(c); n; n--) {
        if (!commit_row_cut(c, &last, &seq, &outcome) || !end_url(s, seq))
            return false;
        s->ended[outcome]++;
    }
    return true;
}

static bool apply_snapshot(struct state *s, struct cut *c, uint64_t off)
{
    if (s->next_seq != 1 || s->next_file != 1)
        return false;
    s->next_seq = cut_varint(c);
    uint64_t next_file = cut_varint(c);
    if (next_file >= STATE_FILE_MAX)
        return false;
    s->next_file = (uint32_t)next_file;
    s->accepted = cut_varint(c);
    s->results_bytes = cut_varint(c);
    for (int o = 0; o < OUTCOME_COUNT; o++)
        s->ended[o] = cut_varint(c);
    return apply_files(s, c);
}

static bool apply_seen(struct state *s, struct cut *c, uint64_t off)
{
    if (!s->keeps_seen)
        c->p = c->end;
    while (c->p < c->end && !c->bad) {
        uint64_t print = cut_u64(c);
        if (print)
            seen_add(&s->seen, print);
    }
    return true;
}

static bool apply_window(struct state *s, struct cut *c, uint64_t off)
{
    uint64_t cursor = cut_varint(c);
    if (!s->window.count || cursor > s->window.count || s->window.cursor)
        return false;
    for (size_t i = 0; i < WINDOW_SIZE / 64; i++)
        s->window.closed[i] = cut_u64(c);
    s->window.cursor = cursor;
    return true;
}

static const struct {
    const char *name;
    bool (*apply)(struct state *s, struct cut *body, uint64_t off);
} items[256] = {
    [ITEM_FILE] = {"FILE", apply_file},
    [ITEM_ACCEPT] = {"ACCEPT", apply_accept},
    [ITEM_ACCEPT_NEW] = {"ACCEPT_NEW", apply_accept_new},
    [ITEM_GENERATED] = {"GENERATED", apply_generated},
    [ITEM_SPILL] = {"SPILL", apply_spill},
    [ITEM_CURSOR] = {"CURSOR", apply_cursor},
    [ITEM_FLAG] = {"FLAG", apply_flag},
    [ITEM_DUPLICATES] = {"DUPLICATES", apply_duplicates},
    [ITEM_COMMIT] = {"COMMIT", apply_commit},
    [ITEM_SNAPSHOT] = {"SNAPSHOT", apply_snapshot},
    [ITEM_SEEN] = {"SEEN", apply_seen},
    [ITEM_WINDOW] = {"WINDOW", apply_window},
};

int state_apply(struct state *s, const struct batch_view *batch, char why[JOURNAL_WHY_BYTES])
{
    struct cut c = batch->items, body;
    const uint8_t *begin = c.p, *at = c.p;
    uint32_t count = 0;
    uint8_t tag = 0;
    for (; cut_item(&c, &tag, &body); at = c.p, count++) {
        uint64_t off = batch->off + JOURNAL_BATCH_HEAD + (uint64_t)(at - begin);
        if (!items[tag].apply || !items[tag].apply(s, &body, off) || body.bad ||
            body.p != body.end) {
            const char *name = items[tag].name ? items[tag].name : "unknown";
            snprintf(why, JOURNAL_WHY_BYTES,
                     "frontier.log: the %s item at offset %llu contradicts what is before it", name,
                     (unsigned long long)off);
            return -EUCLEAN;
        }
    }
    if (c.bad || count != batch->count) {
        snprintf(why, JOURNAL_WHY_BYTES, "frontier.log: the batch at offset %llu is malformed",
                 (unsigned long long)batch->off);
        return -EUCLEAN;
    }
    return 0;
}
