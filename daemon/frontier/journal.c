/* SPDX-License-Identifier: MIT */
/* Writing the journal's bytes, and taking them apart in memory. */
#include "daemon/frontier/journal.h"

#include <endian.h>
#include <string.h>
#include <xxhash.h>

#include "daemon/frontier/journal_bytes.h"

static void put_u32(char *p, uint32_t n)
{
    n = htole32(n);
    memcpy(p, &n, sizeof n);
}

static void put_u64(char *p, uint64_t n)
{
    n = htole64(n);
    memcpy(p, &n, sizeof n);
}

void journal_head_put(struct buf *b, const struct journal_head *h)
{
    char *p = buf_reserve(b, JOURNAL_HEAD_BYTES);
    memset(p, 0, JOURNAL_HEAD_BYTES);
    memcpy(p, JOURNAL_MAGIC, 8);
    put_u32(p + 8, JOURNAL_VERSION);
    put_u32(p + 12, JOURNAL_HEAD_BYTES);
    put_u64(p + 16, h->first_number);
    put_u64(p + 24, h->solid_bytes);
    memcpy(p + 56, h->secret, sizeof h->secret);
    put_u64(p + 248, XXH3_64bits(p, 248));
    buf_grew(b, JOURNAL_HEAD_BYTES);
}

uint64_t batch_checksum(const struct journal_head *h, const char *head, const char *items, size_t n)
{
    uint64_t seed;
    memcpy(&seed, h->secret, sizeof seed);
    seed = XXH3_64bits_withSeed(head, 24, le64toh(seed));
    return XXH3_64bits_withSeed(items, n, seed);
}

void batch_begin(struct buf *b)
{
    memset(buf_reserve(b, JOURNAL_BATCH_HEAD), 0, JOURNAL_BATCH_HEAD);
    buf_grew(b, JOURNAL_BATCH_HEAD);
}

void batch_seal(struct buf *b, const struct journal_head *h, uint64_t number, uint32_t count)
{
    char *p = buf_data(b);
    size_t n = buf_len(b) - JOURNAL_BATCH_HEAD;
    memcpy(p, BATCH_MAGIC, 4);
    put_u32(p + 4, count);
    put_u64(p + 8, number);
    put_u64(p + 16, n);
    put_u64(p + 24, batch_checksum(h, p, p + JOURNAL_BATCH_HEAD, n));
}

static size_t varint(char *p, uint64_t n)
{
    size_t len = 0;
    for (; n >= 0x80; n >>= 7)
        p[len++] = (char)(n | 0x80);
    p[len++] = (char)n;
    return len;
}

void journal_varint(struct buf *b, uint64_t n)
{
    buf_grew(b, varint(buf_reserve(b, VARINT_MAX), n));
}

void item_put(struct buf *b, enum item_tag tag, uint64_t n, const void *rest, size_t len)
{
    char number[VARINT_MAX];
    size_t number_len = varint(number, n);
    char *p = buf_reserve(b, 1 + VARINT_MAX + number_len + len), *at = p;
    *at++ = (char)tag;
    at += varint(at, number_len + len);
    memcpy(at, number, number_len);
    at += number_len;
    if (len)
        memcpy(at, rest, len);
    buf_grew(b, (size_t)(at - p) + len);
}

void item_put1(struct buf *b, enum item_tag tag, uint64_t n)
{
    item_put(b, tag, n, NULL, 0);
}

void item_put2(struct buf *b, enum item_tag tag, uint64_t n, uint64_t m)
{
    char second[VARINT_MAX];
    item_put(b, tag, n, second, varint(second, m));
}

void item_bytes(struct buf *b, enum item_tag tag, const void *body, size_t len)
{
    buf_addc(b, (char)tag);
    journal_varint(b, len);
    buf_add(b, body, len);
}

void commit_row_put(struct buf *b, uint64_t *last, uint64_t seq, enum outcome outcome)
{
    int64_t step = (int64_t)(seq - *last);
    uint64_t zigzag = ((uint64_t)step << 1) ^ (uint64_t)(step >> 63);
    journal_varint(b, zigzag << 2 | (uint64_t)outcome);
    *last = seq;
}

uint64_t cut_varint(struct cut *c)
{
    uint64_t n = 0;
    for (unsigned shift = 0; c->p < c->end && shift < 64; shift += 7) {
        uint8_t byte = *c->p++;
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return n;
    }
    c->bad = true;
    c->p = c->end;
    return 0;
}

uint64_t cut_u64(struct cut *c)
{
    uint64_t n;
    if (c->end - c->p < (ptrdiff_t)sizeof n) {
        c->bad = true;
        return 0;
    }
    memcpy(&n, c->p, sizeof n);
    c->p += sizeof n;
    return le64toh(n);
}

bool cut_item(struct cut *c, uint8_t *ret_tag, struct cut *ret_body)
{
    if (c->p == c->end || c->bad)
        return false;
    uint8_t tag = *c->p++;
    uint64_t n = cut_varint(c);
    if (c->bad || n > (uint64_t)(c->end - c->p)) {
        c->bad = true;
        return false;
    }
    *ret_tag = tag;
    *ret_body = (struct cut){.p = c->p, .end = c->p + n};
    c->p += n;
    return true;
}

bool commit_row_cut(struct cut *c, uint64_t *last, uint64_t *ret_seq, enum outcome *ret_outcome)
{
    uint64_t n = cut_varint(c);
    if (c->bad)
        return false;
    uint64_t zigzag = n >> 2;
    *last += (zigzag >> 1) ^ -(zigzag & 1);
    *ret_seq = *last;
    *ret_outcome = (enum outcome)(n & 3);
    return true;
}
