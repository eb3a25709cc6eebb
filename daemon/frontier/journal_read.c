/* SPDX-License-Identifier: MIT */
/* Reading the journal from its file, batch by batch. Where a batch is not whole the reader stops;
 * whether that is a torn tail or damage is told by what follows: only one batch is ever unsynced,
 * so a whole one behind a bad one cannot come from a crash. */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/xalloc.h"
#include "daemon/frontier/fs.h"
#include "daemon/frontier/journal_bytes.h"

#define READ_AHEAD (4u << 20)

static uint32_t get_u32(const char *p)
{
    uint32_t n;
    memcpy(&n, p, sizeof n);
    return le32toh(n);
}

static uint64_t get_u64(const char *p)
{
    uint64_t n;
    memcpy(&n, p, sizeof n);
    return le64toh(n);
}

void pager_done(struct pager *g)
{
    free(g->p);
    g->p = NULL;
    g->len = g->cap = 0;
}

int pager_at(struct pager *g, uint64_t off, size_t n, size_t ahead, const char **ret_p)
{
    if (off > g->size || n > g->size - off)
        return -ENODATA;
    if (off < g->off || off + n > g->off + g->len) {
        size_t want = n > ahead ? n : ahead;
        if (want > g->size - off)
            want = (size_t)(g->size - off);
        if (want > g->cap) {
            free(g->p);
            g->p = xmalloc(want);
            g->cap = want;
        }
        g->len = 0;
        int r = fs_read(g->fd, g->p, want, off);
        if (r < 0)
            return r;
        g->off = off;
        g->len = want;
    }
    *ret_p = g->p + (off - g->off);
    return 0;
}

static int head_get(const char *p, struct journal_head *ret_head, char why[JOURNAL_WHY_BYTES])
{
    if (memcmp(p, JOURNAL_MAGIC, 8)) {
        snprintf(why, JOURNAL_WHY_BYTES, "frontier.log is no journal: its first bytes are foreign");
        return -EUCLEAN;
    }
    if (get_u32(p + 8) != JOURNAL_VERSION) {
        snprintf(why, JOURNAL_WHY_BYTES,
                 "frontier.log has state version %u, this crawld reads version %u", get_u32(p + 8),
                 JOURNAL_VERSION);
        return -EPROTONOSUPPORT;
    }
    if (get_u64(p + 248) != XXH3_64bits(p, 248) || get_u32(p + 12) != JOURNAL_HEAD_BYTES) {
        snprintf(why, JOURNAL_WHY_BYTES, "frontier.log: the head (offset 0) is damaged");
        return -EUCLEAN;
    }
    ret_head->first_number = get_u64(p + 16);
    ret_head->solid_bytes = get_u64(p + 24);
    memcpy(ret_head->secret, p + 56, sizeof ret_head->secret);
    return 0;
}

int journal_reader_init(struct journal_reader *r, int fd, char why[JOURNAL_WHY_BYTES])
{
    *r = (struct journal_reader){.pager = {.fd = fd}, .pos = JOURNAL_HEAD_BYTES};
    int64_t size = fs->size(fd);
    if (size < 0)
        return (int)size;
    r->pager.size = (uint64_t)size;
    const char *p;
    int err = pager_at(&r->pager, 0, JOURNAL_HEAD_BYTES, READ_AHEAD, &p);
    if (err == -ENODATA) {
        snprintf(why, JOURNAL_WHY_BYTES, "frontier.log is only %lld bytes long", (long long)size);
        return -EUCLEAN;
    }
    if (!err)
        err = head_get(p, &r->head, why);
    r->number = r->head.first_number;
    return err;
}

void journal_reader_done(struct journal_reader *r)
{
    pager_done(&r->pager);
}

/* 1: a whole batch at off; 0: none. */
static int batch_at(struct journal_reader *r, uint64_t off, struct batch_view *ret_batch)
{
    const char *p;
    int err = pager_at(&r->pager, off, JOURNAL_BATCH_HEAD, READ_AHEAD, &p);
    if (err)
        return err == -ENODATA ? 0 : err;
    uint64_t length = get_u64(p + 16);
    if (memcmp(p, BATCH_MAGIC, 4) || length > JOURNAL_BATCH_MAX)
        return 0;
    err = pager_at(&r->pager, off, JOURNAL_BATCH_HEAD + (size_t)length, READ_AHEAD, &p);
    if (err)
        return err == -ENODATA ? 0 : err;
    const char *items = p + JOURNAL_BATCH_HEAD;
    if (get_u64(p + 24) != batch_checksum(&r->head, p, items, (size_t)length))
        return 0;
    *ret_batch = (struct batch_view){
        .off = off,
        .number = get_u64(p + 8),
        .count = get_u32(p + 4),
        .items = {.p = (const uint8_t *)items, .end = (const uint8_t *)items + length},
    };
    return 1;
}

int journal_reader_next(struct journal_reader *r, struct batch_view *ret_batch)
{
    struct batch_view b = {0};
    int whole = batch_at(r, r->pos, &b);
    if (whole <= 0 || b.number != r->number)
        return whole < 0 ? whole : 0;
    r->pos = b.off + JOURNAL_BATCH_HEAD + (uint64_t)(b.items.end - b.items.p);
    r->number++;
    *ret_batch = b;
    return 1;
}

int journal_reader_tail(struct journal_reader *r, uint64_t *ret_off)
{
    struct batch_view b = {0};
    for (uint64_t off = r->pos; off + JOURNAL_BATCH_HEAD <= r->pager.size;) {
        size_t n = r->pager.size - off < READ_AHEAD ? (size_t)(r->pager.size - off) : READ_AHEAD;
        const char *p;
        int err = pager_at(&r->pager, off, n, n, &p);
        if (err)
            return err;
        const char *hit = memmem(p, n, BATCH_MAGIC, 4);
        if (!hit) {
            off += n > 3 ? n - 3 : 1;
            continue;
        }
        off += (uint64_t)(hit - p);
        int whole = batch_at(r, off, &b);
        if (whole < 0)
            return whole;
        if (whole && b.number >= r->number) {
            *ret_off = off;
            return 1;
        }
        off++;
    }
    return 0;
}
