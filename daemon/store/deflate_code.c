/* SPDX-License-Identifier: MIT */
/* The codes come from what WARC records with text in them look like: tests/bench/deflate_codes.py
 * counted and printed them. Kept are the lengths, in the form the header of a block tells them
 * (RFC 1951 3.2.7); the header and the bits follow from those. */
#include "daemon/store/deflate_code.h"

#include <stdbool.h>

#define META_SYMBOLS 19 /* of the code in which a header tells the lengths */

/* Lengths in bits of each symbol's code, 'a' is 1; '.': the code has no such symbol. None is longer
 * than 14. The first code is for printable ASCII only. */
static const struct {
    char lengths[SYMBOLS + 1], meta[META_SYMBOLS + 1];
} made[CODE_COUNT] = {
    {".........mf..g..................elhlmmiiiiiiieffffffffffffehhhhmlgggghhhhhhhii"
     "iiiighfiiiiiinnnnnnefeedffgekhfgeefheeefhhhhhlmkm............................."
     ".............................................................................."
     "......................klfgggghhhhjjjjjmlnnnnnnnnnnnnggjhheeeeeddddddcccffffhij",
     "f..ffccdceeeddf.bff"},
    {"nnnnnnnnnnfnngnnnnnnnnnnnnnnnnnnejfklllljknjhefffffgggggggfggggknhhhhhhhhhhhhh"
     "hhhhhhgiiiiiinkmnhnegefdfffejhffeefjeeegggggjmmknnmmllllllllllllllllllllllllll"
     "lllllllllllllllllllllllllllllllllllmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm"
     "mmmmmmmmmmmmmmmmmmmmmmmmeffgghhgiiiiiikkkkkkknnnnnnnfjkieeeeeeddcddddddddffghk",
     "...feccddeddfec.b.."},
};

static uint8_t length_of(char letter)
{
    return letter == '.' ? 0 : (uint8_t)(letter - 'a' + 1);
}

/* The canonical code of these lengths (RFC 1951 3.2.2), its bits turned round. */
static void code_assign(const char *lengths, int n, struct bit_string *ret_symbols)
{
    uint32_t value = 0;
    for (uint32_t length = 1; length < 16; length++, value <<= 1)
        for (int i = 0; i < n; i++) {
            if (length_of(lengths[i]) != length)
                continue;
            ret_symbols[i] = bits(0, length);
            for (uint32_t k = 0; k < length; k++)
                ret_symbols[i].bits |= (value >> k & 1) << (length - 1 - k);
            value++;
        }
}

/* One item of the list of lengths from `i` on (RFC 1951 3.2.7); how many lengths it says. */
static int head_item(struct bit_writer *w, const struct bit_string *meta, const char *lengths,
                     int i)
{
    int run = 1;
    while (i + run < SYMBOLS && lengths[i + run] == lengths[i])
        run++;
    bool none = lengths[i] == '.', again = !none && i && lengths[i] == lengths[i - 1];
    int most = none ? 138 : again ? 6 : 1;
    run = run > most ? most : run;
    if (run < 3)
        run = 1;
    bits_add(w, meta[run == 1 ? length_of(lengths[i]) : again ? 16 : run > 10 ? 18 : 17]);
    if (run > 10)
        bits_add(w, bits((uint32_t)run - 11, 7));
    else if (run > 1)
        bits_add(w, bits((uint32_t)run - 3, again ? 2 : 3));
    return run;
}

static void code_head(struct code *c, const char *lengths, const char *meta)
{
    static const uint8_t order[META_SYMBOLS] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                11, 4,  12, 3, 13, 2, 14, 1, 15};
    struct bit_string meta_symbols[META_SYMBOLS] = {0};
    struct bit_writer w = {.at = c->head};
    code_assign(meta, META_SYMBOLS, meta_symbols);
    bits_add(&w, bits(1, 1)); /* the last block */
    bits_add(&w, bits(2, 2)); /* with codes of its own */
    bits_add(&w, bits(FIRST_DISTANCE - 257, 5));
    bits_add(&w, bits(DISTANCES - 1, 5));
    bits_add(&w, bits(META_SYMBOLS - 4, 4));
    for (int i = 0; i < META_SYMBOLS; i++) {
        bits_add(&w, bits(length_of(meta[order[i]]), 3));
        bits_flush(&w);
    }
    for (int i = 0; i < SYMBOLS; bits_flush(&w))
        i += head_item(&w, meta_symbols, lengths, i);
    c->head_bits = (unsigned)(w.at - c->head) * 8 + w.count;
}

static void code_make(struct code *c, const char *lengths, const char *meta)
{
    struct bit_string extra;
    code_assign(lengths, FIRST_DISTANCE, c->symbol);
    code_assign(lengths + FIRST_DISTANCE, DISTANCES, c->symbol + FIRST_DISTANCE);
    for (int i = 0; i < SYMBOLS; i++)
        c->cost[i] = (uint16_t)c->symbol[i].count;
    for (uint32_t n = 3; n <= MATCH_MAX; n++) {
        uint32_t s = length_symbol(n, &extra);
        const struct bit_string own = c->symbol[s];
        c->length[n] = bits(own.bits | extra.bits << own.count, own.count + extra.count);
        c->cost[s] = (uint16_t)c->length[n].count;
    }
    for (uint32_t n = 1; n <= DISTANCE_MAX; n++) {
        uint32_t s = distance_symbol(n, &extra);
        c->cost[s] = (uint16_t)(c->symbol[s].count + extra.count);
    }
    code_head(c, lengths, meta);
}

void codes_make(struct code ret_codes[CODE_COUNT])
{
    for (int i = 0; i < CODE_COUNT; i++)
        code_make(&ret_codes[i], made[i].lengths, made[i].meta);
}
