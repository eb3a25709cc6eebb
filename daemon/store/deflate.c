/* SPDX-License-Identifier: MIT */
/* One block per member, in three steps:
 *
 *     cut     bytes to sequences (so many literals, then a match); counts each symbol
 *     choose  the code, or none, whose block is the shortest: counts times costs, exact to a bit
 *     write   the code's header, ready made, then the sequences
 *
 * What a general compressor does for each input is done beforehand: no code is built, and the table
 * of earlier positions is small. In length that costs 3 per cent of a record of 2 KiB against
 * libdeflate's level 1, 5 of one of 8 KiB and more above, hence DEFLATE_MAX_BYTES. Matches are at
 * least 4 bytes long; the last place where their first 4 bytes were is taken. */
#include "daemon/store/deflate.h"

#include <libdeflate.h>
#include <stdlib.h>

#include "common/xalloc.h"
#include "daemon/store/deflate_code.h"

#define HASH_BITS         12
#define MATCH_MIN         4
#define GZIP_HEAD_BYTES   10
#define GZIP_TAIL_BYTES   8
#define STORED_HEAD_BYTES 5

_Static_assert(DEFLATE_MAX_BYTES <= DISTANCE_MAX, "a match may be that far back");

/* So many literals, then a match; the last one has length 0. */
struct sequence {
    uint16_t literals, length, distance;
};

struct deflate {
    struct code codes[CODE_COUNT];
    uint16_t last[1 << HASH_BITS]; /* where such 4 bytes were last; 0 also: nowhere */
    uint16_t counts[SYMBOLS];
    struct sequence sequences[DEFLATE_MAX_BYTES / MATCH_MIN + 1];
};

struct deflate *deflate_new(void)
{
    struct deflate *d = xcalloc(1, sizeof *d);
    codes_make(d->codes);
    return d;
}

void deflate_free(struct deflate *d)
{
    free(d);
}

static inline uint32_t load4(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t load8(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

static inline uint16_t *last_of(struct deflate *d, uint32_t four)
{
    return &d->last[four * UINT32_C(0x9e3779b1) >> (32 - HASH_BITS)];
}

/* How many bytes from `a` and from `b` on are equal, `max` at most; the first 4 are. */
static inline uint32_t match_length(const uint8_t *a, const uint8_t *b, uint32_t max)
{
    uint32_t n = MATCH_MIN;
    for (; n + 8 <= max; n += 8) {
        uint64_t differ = load8(a + n) ^ load8(b + n);
        if (differ)
            return n + (uint32_t)__builtin_ctzll(differ) / 8;
    }
    while (n < max && a[n] == b[n])
        n++;
    return n;
}

static void cut(struct deflate *d, const uint8_t *in, uint32_t n)
{
    struct sequence *s = d->sequences;
    uint32_t at = 0, written = 0;
    struct bit_string extra;
    memset(d->last, 0, sizeof d->last);
    memset(d->counts, 0, sizeof d->counts);
    while (at + MATCH_MIN <= n) {
        uint32_t four = load4(in + at), from = *last_of(d, four);
        *last_of(d, four) = (uint16_t)at;
        if (from == at || load4(in + from) != four) {
            d->counts[in[at++]]++;
            continue;
        }
        uint32_t max = n - at < MATCH_MAX ? n - at : MATCH_MAX;
        uint32_t length = match_length(in + from, in + at, max), end = at + length;
        *s++ = (struct sequence){(uint16_t)(at - written), (uint16_t)length, (uint16_t)(at - from)};
        d->counts[length_symbol(length, &extra)]++;
        d->counts[distance_symbol(at - from, &extra)]++;
        for (at++; at < end && at + MATCH_MIN <= n; at++)
            *last_of(d, load4(in + at)) = (uint16_t)at;
        at = written = end;
    }
    *s = (struct sequence){(uint16_t)(n - written), 0, 0};
    for (; at < n; at++)
        d->counts[in[at]]++;
    d->counts[END_SYMBOL]++;
}

/* Bits of the block; UINT32_MAX if it has a symbol the code has not. */
static uint32_t code_block_bits(const struct code *c, const uint16_t *counts)
{
    int32_t sum = 0; /* of signed products of 16 bits: the compiler finds the instruction */
    uint16_t missing = 0;
    for (int i = 0; i < SYMBOLS; i++) {
        sum += (int16_t)counts[i] * (int16_t)c->cost[i];
        missing |= c->cost[i] ? 0 : counts[i];
    }
    return missing ? UINT32_MAX : c->head_bits + (uint32_t)sum;
}

/* The shortest; NULL: none is shorter than the bytes as they are. */
static const struct code *choose(const struct deflate *d, uint32_t n)
{
    const struct code *best = NULL;
    uint32_t least = 8 * (STORED_HEAD_BYTES + n);
    for (int i = 0; i < CODE_COUNT; i++) {
        uint32_t needed = code_block_bits(&d->codes[i], d->counts);
        if (needed > least)
            continue;
        least = needed;
        best = &d->codes[i];
    }
    return best;
}

/* Returns the end. Flushing writes up to 8 bytes behind it, where the member's trailer comes. */
static uint8_t *write_block(const struct deflate *d, const struct code *c, const uint8_t *in,
                            uint8_t *out)
{
    const size_t whole = c->head_bits / 8;
    struct bit_writer w = {.held = c->head[whole], .count = c->head_bits % 8, .at = out + whole};
    struct bit_string extra;
    memcpy(out, c->head, whole);
    for (const struct sequence *s = d->sequences;; s++) {
        const uint8_t *end = in + s->literals;
        for (; end - in >= 4; in += 4) {
            bits_add(&w, c->symbol[in[0]]);
            bits_add(&w, c->symbol[in[1]]);
            bits_add(&w, c->symbol[in[2]]);
            bits_add(&w, c->symbol[in[3]]);
            bits_flush(&w);
        }
        while (in < end)
            bits_add(&w, c->symbol[*in++]);
        bits_flush(&w);
        if (!s->length)
            break;
        bits_add(&w, c->length[s->length]);
        bits_add(&w, c->symbol[distance_symbol(s->distance, &extra)]);
        bits_add(&w, extra);
        bits_flush(&w);
        in += s->length;
    }
    bits_add(&w, c->symbol[END_SYMBOL]);
    bits_flush(&w);
    return w.at + (w.count > 0);
}

static uint8_t *write_stored(const uint8_t *in, uint32_t n, uint8_t *out)
{
    const uint8_t head[STORED_HEAD_BYTES] = {1, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)~n,
                                             (uint8_t)(~n >> 8)};
    memcpy(out, head, sizeof head);
    if (n)
        memcpy(out + sizeof head, in, n);
    return out + sizeof head + n;
}

size_t deflate_gzip_bound(size_t n)
{
    return GZIP_HEAD_BYTES + STORED_HEAD_BYTES + n + GZIP_TAIL_BYTES;
}

size_t deflate_gzip(struct deflate *d, const void *in, size_t n, void *out)
{
    /* No name, no time; the fastest way; no system. */
    static const uint8_t head[GZIP_HEAD_BYTES] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255};
    uint8_t *at = memcpy(out, head, sizeof head);
    cut(d, in, (uint32_t)n);
    const struct code *c = choose(d, (uint32_t)n);
    at += sizeof head;
    at = c ? write_block(d, c, in, at) : write_stored(in, (uint32_t)n, at);
    const uint32_t tail[] = {htole32(libdeflate_crc32(0, in, n)), htole32((uint32_t)n)};
    memcpy(at, tail, GZIP_TAIL_BYTES);
    return (size_t)(at + GZIP_TAIL_BYTES - (uint8_t *)out);
}
