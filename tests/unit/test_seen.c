/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "daemon/frontier/roster.h"
#include "daemon/frontier/seen.h"
#include "daemon/frontier/window.h"
#include "tests/unit/unit.h"

static uint8_t secret[SEEN_SECRET_BYTES] = {1, 2, 3};

static uint64_t print_of(int i)
{
    char url[32];
    int n = snprintf(url, sizeof url, "http://host/%d", i);
    return seen_print(secret, url, (size_t)n);
}

START_TEST(knows_what_was_added_and_nothing_else)
{
    struct seen s = {0};
    ck_assert(!seen_has(&s, print_of(0)));
    for (int i = 0; i < 300000; i++)
        ck_assert(seen_add(&s, print_of(i)));
    for (int i = 0; i < 300000; i += 7)
        ck_assert(!seen_add(&s, print_of(i)));
    for (int i = 0; i < 400000; i++)
        ck_assert_int_eq(seen_has(&s, print_of(i)), i < 300000);
    ck_assert_uint_eq(s.count, 300000);
    seen_done(&s);
}
END_TEST

START_TEST(costs_at_most_16_bytes_per_url)
{
    struct seen s = {0};
    for (int i = 0; i < 1000000; i++) {
        seen_add(&s, print_of(i));
        if (i > 20000)
            ck_assert_uint_le(s.bytes, ((uint64_t)i + 1) * 16);
    }
    seen_done(&s);
}
END_TEST

START_TEST(another_secret_gives_other_prints)
{
    uint64_t before = print_of(1);
    for (size_t i = 0; i < sizeof secret; i++)
        secret[i] = (uint8_t)(secret[i] + i * i + 3);
    ck_assert_uint_ne(before, print_of(1));
}
END_TEST

START_TEST(the_roster_keeps_only_chunks_with_something_open)
{
    struct roster r = {0};
    for (uint64_t i = 1; i < 300000; i++)
        ck_assert(roster_open(&r, i));
    ck_assert(!roster_open(&r, 5));
    roster_place(&r, 70, 1000);
    roster_place(&r, 71, 2000);
    ck_assert_uint_eq(roster_offset(&r, 100), 1000);
    ck_assert_uint_eq(roster_offset(&r, 63), 0);
    uint64_t full = roster_bytes(&r);
    for (uint64_t i = 1; i < 200000; i++) {
        ck_assert(roster_close(&r, i));
        ck_assert(!roster_close(&r, i));
    }
    ck_assert_uint_lt(roster_bytes(&r), full / 2);
    ck_assert_uint_eq(r.open_count, 100000);
    ck_assert_uint_eq(roster_next(&r, 0), 200000);
    ck_assert_uint_eq(roster_next(&r, 250001), 250001);
    ck_assert_uint_eq(roster_next(&r, 300000), UINT64_MAX);
    ck_assert(!roster_close(&r, UINT64_MAX));
    roster_done(&r);
}
END_TEST

START_TEST(a_window_remembers_what_was_spilled_and_forgets_what_ended)
{
    struct window w = {0};
    uint64_t open[8], spilled = 0;
    window_init(&w, 10, 1u << 20);
    window_move(&w, 1000);
    for (uint64_t i = 0; i < 1000; i++)
        if (i != 7 && i != 500)
            ck_assert(window_close(&w, i));
    ck_assert(!window_close(&w, 8));
    ck_assert(!window_close(&w, 1000));
    uint64_t next = WINDOW_SIZE + 100;
    for (uint64_t i = 0; (i = window_leaving(&w, next, i)) != UINT64_MAX; i++, spilled++)
        window_spill(&w, i);
    ck_assert_uint_eq(spilled, 1);
    window_move(&w, next);
    ck_assert_uint_eq(window_list(&w, 0, open, 8), 8);
    ck_assert_uint_eq(open[0], 7);
    ck_assert_uint_eq(open[1], 500);
    ck_assert_uint_eq(open[2], 1000);
    ck_assert(window_is_open(&w, 7));
    ck_assert(window_close(&w, 7));
    ck_assert(!window_close(&w, 7));
    ck_assert(!window_close(&w, 20));
    ck_assert_uint_eq(window_open_count(&w), 1 + next - 1000);
    window_done(&w);
}
END_TEST

UNIT_TESTS("seen", knows_what_was_added_and_nothing_else, costs_at_most_16_bytes_per_url,
           another_secret_gives_other_prints, the_roster_keeps_only_chunks_with_something_open,
           a_window_remembers_what_was_spilled_and_forgets_what_ended)
