/* SPDX-License-Identifier: MIT */
#include "common/percent.h"

#define ALL           (PERCENT_C0 | FROM_FRAGMENT | PERCENT_SPECIAL_QUERY)
#define FROM_PATH     (PERCENT_PATH | PERCENT_USERINFO)
#define QUERIES       (PERCENT_QUERY | PERCENT_SPECIAL_QUERY)
#define FROM_FRAGMENT (PERCENT_FRAGMENT | QUERIES | FROM_PATH)

const uint8_t percent_sets[256] = {
    [0 ... 0x1f] = ALL,
    [0x7f ... 0xff] = ALL,
    [' '] = FROM_FRAGMENT,
    ['"'] = FROM_FRAGMENT,
    ['<'] = FROM_FRAGMENT,
    ['>'] = FROM_FRAGMENT,
    ['`'] = PERCENT_FRAGMENT | FROM_PATH,
    ['#'] = QUERIES | FROM_PATH | PERCENT_DELIMITER,
    ['\''] = PERCENT_SPECIAL_QUERY,
    ['?'] = FROM_PATH | PERCENT_DELIMITER,
    ['^'] = FROM_PATH,
    ['{'] = FROM_PATH,
    ['}'] = FROM_PATH,
    ['/'] = PERCENT_USERINFO | PERCENT_DELIMITER,
    [':'] = PERCENT_USERINFO,
    [';'] = PERCENT_USERINFO,
    ['='] = PERCENT_USERINFO,
    ['@'] = PERCENT_USERINFO | PERCENT_DELIMITER,
    ['['] = PERCENT_USERINFO,
    ['\\'] = PERCENT_USERINFO | PERCENT_DELIMITER,
    [']'] = PERCENT_USERINFO,
    ['|'] = PERCENT_USERINFO,
};

char *percent_encode(char *out, const char *p, const char *end, enum percent_set set)
{
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (percent_sets[c] & set)
            out = percent_put(out, c);
        else
            *out++ = (char)c;
    }
    return out;
}

int percent_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int percent_decode(const char *p, const char *end)
{
    if (end - p < 3 || *p != '%')
        return -1;
    int high = percent_digit(p[1]), low = percent_digit(p[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}
