/* SPDX-License-Identifier: MIT */
#include "common/quantity.h"

#include <errno.h>
#include <stddef.h>
#include <strings.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first; of equal ones the first is what is written. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"min", 60000},
    {"s", 1000},     {"ms", 1},      {NULL, 0},
};

static const struct unit byte_units[] = {
    {"TiB", 1ll << 40}, {"TB", 1000000000000},
    {"T", 1ll << 40},   {"GiB", 1ll << 30},
    {"GB", 1000000000}, {"G", 1ll << 30},
    {"MiB", 1 << 20},   {"MB", 1000000},
    {"M", 1 << 20},     {"KiB", 1024},
    {"kB", 1000},       {"K", 1024},
    {"B", 1},           {"", 1},
    {NULL, 0},
};

/* digits[.digits]: the number in thousandths, and where the unit begins. */
static int parse_number(const char *text, int64_t *ret_thousandths, const char **ret_rest)
{
    int64_t n = 0;
    int digits = 0, decimals = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++, digits++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
            return -EINVAL;
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++, decimals++)
            if (decimals == 3 || __builtin_mul_overflow(n, 10, &n) ||
                __builtin_add_overflow(n, *p - '0', &n))
                return -EINVAL;
    if (!digits || (p[-1] == '.'))
        return -EINVAL;
    for (; decimals < 3; decimals++)
        if (__builtin_mul_overflow(n, 10, &n))
            return -EINVAL;
    *ret_thousandths = n;
    *ret_rest = p;
    return 0;
}

static int parse(const struct unit *units, const char *text, int64_t *ret_n)
{
    int64_t thousandths;
    const char *rest;
    if (parse_number(text, &thousandths, &rest) < 0)
        return -EINVAL;
    for (; units->name; units++) {
        __int128 n = (__int128)thousandths * units->factor;
        if (strcasecmp(rest, units->name) || n % 1000 || n / 1000 > INT64_MAX)
            continue;
        *ret_n = (int64_t)(n / 1000);
        return 0;
    }
    return -EINVAL;
}

static void add(struct buf *b, const struct unit *units, int64_t n)
{
    while (units->factor > 1 && (n % units->factor || !n))
        units++;
    buf_addf(b, "%lld%s", (long long)(n / units->factor), units->name);
}

int quantity_parse_ms(const char *text, int64_t *ret_ms)
{
    if (!strcasecmp(text, "0")) {
        *ret_ms = 0;
        return 0;
    }
    return parse(duration_units, text, ret_ms);
}

int quantity_parse_bytes(const char *text, int64_t *ret_bytes)
{
    return parse(byte_units, text, ret_bytes);
}

void quantity_add_ms(struct buf *b, int64_t ms)
{
    if (ms)
        add(b, duration_units, ms);
    else
        buf_adds(b, "0s");
}

void quantity_add_bytes(struct buf *b, int64_t bytes)
{
    if (bytes)
        add(b, byte_units, bytes);
    else
        buf_addc(b, '0');
}
