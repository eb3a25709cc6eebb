/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>

#include "common/quantity.h"
#include "tests/unit/unit.h"

static const struct {
    const char *text;
    int64_t ms, bytes; /* -1: refused */
} cases[] = {
    {"0", 0, 0},
    {"1", -1, 1},
    {"1s", 1000, -1},
    {"1S", 1000, -1},
    {"0.5s", 500, -1},
    {"1.5m", 90000, 1572864},
    {"2min", 120000, -1},
    {"250ms", 250, -1},
    {"0.5ms", -1, -1},
    {"1d", 86400000, -1},
    {"1h", 3600000, -1},
    {"2GiB", -1, 2147483648},
    {"2G", -1, 2147483648},
    {"1.5GiB", -1, 1610612736},
    {"10MB", -1, 10000000},
    {"512k", -1, 524288},
    {"7B", -1, 7},
    {"", -1, -1},
    {" 1s", -1, -1},
    {"1 s", -1, -1},
    {"-1s", -1, -1},
    {"1.s", -1, -1},
    {".5s", -1, -1},
    {"1.2345s", -1, -1},
    {"s", -1, -1},
    {"1e3", -1, -1},
    {"9223372036854775807", -1, -1},
    {"99999999999999999999", -1, -1},
    {"8388608TiB", -1, -1},
};

START_TEST(durations_need_a_unit_and_sizes_may_have_one)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = -1, bytes = -1;
        int r = quantity_parse_ms(cases[i].text, &ms);
        ck_assert_msg(ms == cases[i].ms && r == (ms < 0 ? -EINVAL : 0), "%s: %d, %lld ms",
                      cases[i].text, r, (long long)ms);
        r = quantity_parse_bytes(cases[i].text, &bytes);
        ck_assert_msg(bytes == cases[i].bytes && r == (bytes < 0 ? -EINVAL : 0),
                      "%s: %d, %lld bytes", cases[i].text, r, (long long)bytes);
    }
}
END_TEST

START_TEST(what_is_written_reads_back)
{
    const int64_t numbers[] = {0,     1,        999,     1000,    1024,       1500,     60000,
                               90000, 86400000, 1 << 20, 1000000, 2147483648, 1ll << 50};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct buf b = {0};
        int64_t n = -1;
        quantity_add_ms(&b, numbers[i]);
        ck_assert_int_eq(quantity_parse_ms(buf_str(&b), &n), 0);
        ck_assert_int_eq(n, numbers[i]);
        buf_clear(&b);
        quantity_add_bytes(&b, numbers[i]);
        ck_assert_int_eq(quantity_parse_bytes(buf_str(&b), &n), 0);
        ck_assert_int_eq(n, numbers[i]);
        buf_done(&b);
    }
}
END_TEST

UNIT_TESTS("quantity", durations_need_a_unit_and_sizes_may_have_one, what_is_written_reads_back)
