/* SPDX-License-Identifier: MIT */
#include "common/utf8.h"

#include <stdint.h>
#include <string.h>

size_t utf8_ascii(const char *p, size_t n)
{
    size_t i = 0;
    uint64_t eight;
    for (; i + sizeof eight <= n; i += sizeof eight) {
        memcpy(&eight, p + i, sizeof eight);
        if (eight & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < n && (uint8_t)p[i] < 0x80)
        i++;
    return i;
}

/* Length by the first byte; 0 if it begins no character. */
static int length_of(uint8_t lead)
{
    if (lead < 0x80)
        return 1;
    return lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
}

int utf8_sequence(const char *p, size_t n)
{
    const uint8_t *b = (const uint8_t *)p;
    uint8_t low = b[0] == 0xe0 ? 0xa0 : b[0] == 0xf0 ? 0x90 : 0x80;  /* no overlong forms */
    uint8_t high = b[0] == 0xed ? 0x9f : b[0] == 0xf4 ? 0x8f : 0xbf; /* no surrogates, U+10FFFF */
    int len = length_of(b[0]);
    if (!len)
        return -1;
    for (int i = 1; i < len; i++) {
        if ((size_t)i == n)
            return 0;
        if (b[i] < low || b[i] > high)
            return -i;
        low = 0x80;
        high = 0xbf;
    }
    return len;
}

bool utf8_valid(const char *p, size_t n, bool last)
{
    for (size_t i = utf8_ascii(p, n); i < n; i += utf8_ascii(p + i, n - i)) {
        int len = utf8_sequence(p + i, n - i);
        if (len <= 0)
            return !len && !last;
        i += (size_t)len;
    }
    return true;
}

size_t utf8_put(char *to, unsigned code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    to[0] = (char)(0xe0 | code >> 12);
    to[1] = (char)(0x80 | (code >> 6 & 0x3f));
    to[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}
