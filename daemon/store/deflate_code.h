/* SPDX-License-Identifier: MIT */
/* The two Huffman codes that deflate.c chooses from, ready to write. */
#ifndef STORE_DEFLATE_CODE_H
#define STORE_DEFLATE_CODE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define MATCH_MAX    258
#define DISTANCE_MAX 8192

/* Symbols: literals, the end, lengths of matches, then their distances. */
#define END_SYMBOL     256
#define FIRST_LENGTH   257
#define FIRST_DISTANCE 286
#define DISTANCES      26 /* up to DISTANCE_MAX bytes back */
#define SYMBOLS        (FIRST_DISTANCE + DISTANCES)

#define CODE_COUNT 2

/* A symbol's code with the extra bits behind it. */
struct bit_string {
    uint32_t bits; /* the first one lowest */
    uint32_t count;
};

#define CODE_HEAD_BYTES 128 /* most of a block's header; these two have 60 and 72 */

struct code {
    uint16_t cost[SYMBOLS]; /* bits, extra bits too; 0: no such symbol */
    struct bit_string symbol[SYMBOLS];
    struct bit_string length[MATCH_MAX + 1]; /* of matches, with the extra bits */
    uint8_t head[CODE_HEAD_BYTES];           /* the block's header */
    unsigned head_bits;
};

struct bit_writer {
    uint64_t held; /* bits not yet written, the first one lowest */
    unsigned count;
    uint8_t *at;
};

/* At most 56 bits between two flushes. */
static inline void bits_add(struct bit_writer *w, struct bit_string s)
{
    w->held |= (uint64_t)s.bits << w->count;
    w->count += s.count;
}

/* Writes 8 bytes; only those that are full are taken. */
static inline void bits_flush(struct bit_writer *w)
{
    uint64_t bytes = htole64(w->held);
    memcpy(w->at, &bytes, sizeof bytes);
    w->at += w->count >> 3;
    w->held >>= w->count & 56;
    w->count &= 7;
}

static inline struct bit_string bits(uint32_t value, uint32_t count)
{
    return (struct bit_string){value, count};
}

/* Which of the symbols stands for x, and what is left for its extra bits: `group` symbols in a row
 * have as many of them, the next `group` one more (RFC 1951 3.2.5). */
static inline uint32_t symbol_of(uint32_t x, uint32_t log2_group, struct bit_string *ret_extra)
{
    *ret_extra = bits(0, 0);
    if (x < 2u << log2_group)
        return x;
    uint32_t extra = 31 - (uint32_t)__builtin_clz(x) - log2_group;
    *ret_extra = bits(x & ((1u << extra) - 1), extra);
    return (extra << log2_group) + (x >> extra);
}

static inline uint32_t length_symbol(uint32_t length, struct bit_string *ret_extra)
{
    uint32_t symbol = FIRST_LENGTH + symbol_of(length - 3, 2, ret_extra);
    if (length < MATCH_MAX)
        return symbol;
    *ret_extra = bits(0, 0);
    return FIRST_DISTANCE - 1;
}

static inline uint32_t distance_symbol(uint32_t distance, struct bit_string *ret_extra)
{
    return FIRST_DISTANCE + symbol_of(distance - 1, 1, ret_extra);
}

/* The codes are constants; this gives them the shape that is quick to write. */
void codes_make(struct code ret_codes[CODE_COUNT]);

#endif
