/* SPDX-License-Identifier: MIT */
#include "daemon/fetch/retry_after.h"

#include "common/clock.h"
#include "tests/unit/unit.h"

/* Sun, 06 Nov 1994 08:49:37 GMT, and half a second. */
#define NOW_NS (INT64_C(784111777) * NS_PER_S + NS_PER_S / 2)

static const struct {
    const char *value;
    uint32_t want_s;
} values[] = {
    {"120", 120},
    {"0120 ", 120},
    {"1", 1},
    {"86400", 86400},
    {"86401", 86400},
    {"99999999999999999999999999999999", 86400},
    {"0", 0},
    {"", 0},
    {"-5", 0},
    {"+5", 0},
    {"1.5", 0},
    {"1e3", 0},
    {"0x10", 0},
    {"5s", 0},
    {"5, 7", 0},
    {"soon", 0},
    {"Sun, 06 Nov 1994 08:49:38 GMT", 1},
    {"Sun, 06 Nov 1994 08:50:37 GMT", 60},
    {"Sunday, 06-Nov-94 08:50:37 GMT", 60},
    {"Sun Nov  6 08:50:37 1994", 60},
    {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
    {"Sun, 06 Nov 1994 08:49:36 GMT", 0},
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"Fri, 31 Dec 9999 23:59:59 GMT", 86400},
    {"Sun, 06 Nov 1994 08:50:37 CET", 0},
    {"Sun, 06 Nov 1994 08:50:37 GMT and more", 0},
    {"Sun, 36 Nov 1994 08:50:37 GMT", 0},
};

START_TEST(names_seconds_to_come_or_nothing)
{
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        ck_assert_msg(retry_after_s(values[i].value, NOW_NS) == values[i].want_s, "%s: %u",
                      values[i].value, retry_after_s(values[i].value, NOW_NS));
}
END_TEST

UNIT_TESTS("retry_after", names_seconds_to_come_or_nothing)
