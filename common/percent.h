/* SPDX-License-Identifier: MIT */
/* Percent-encoding: the sets of the WHATWG URL standard (1.3) as one table of bits. */
#ifndef COMMON_PERCENT_H
#define COMMON_PERCENT_H

#include <stdint.h>

enum percent_set {
    PERCENT_C0 = 1,
    PERCENT_FRAGMENT = 2,
    PERCENT_QUERY = 4,
    PERCENT_SPECIAL_QUERY = 8,
    PERCENT_PATH = 16,
    PERCENT_USERINFO = 32,
    PERCENT_DELIMITER = 64, /* no set to encode: / \ ? # @, where the URL parser stops and looks */
};

/* The sets each byte is in. Bytes above 0x7f are in all of them. */
extern const uint8_t percent_sets[256];

/* Writes c as %XX; returns the end of what was written. */
static inline char *percent_put(char *out, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    out[0] = '%';
    out[1] = digits[c >> 4];
    out[2] = digits[c & 15];
    return out + 3;
}

/* Writes [p, end), bytes of the set as %XX; at most three bytes for each. Returns the end. */
char *percent_encode(char *out, const char *p, const char *end, enum percent_set set);

/* The value of a hexadecimal digit, or -1. */
int percent_digit(char c);

/* The byte that %XX at p stands for, or -1 when there is no such triple before end. */
int percent_decode(const char *p, const char *end);

#endif
