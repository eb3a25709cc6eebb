/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "common/suggest.h"
#include "tests/unit/unit.h"

static const char *nearest(const char *given)
{
    static const char *const names[] = {"delay_ms", "workers", "status", "stats", "log_level"};
    struct suggest s;
    suggest_init(&s, given);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        suggest_offer(&s, names[i], names[i]);
    return suggest_answer(&s);
}

START_TEST(the_nearest_name_is_meant)
{
    ck_assert_str_eq(nearest("workres"), "workers");
    ck_assert_str_eq(nearest("worker"), "workers");
    ck_assert_str_eq(nearest("Delay-ms"), "delay_ms");
    ck_assert_str_eq(nearest("dealy_ms"), "delay_ms");
    ck_assert_str_eq(nearest("stast"), "stats");
    ck_assert_str_eq(nearest("statu"), "status");
}
END_TEST

START_TEST(what_is_near_to_nothing_means_nothing)
{
    char longest[200] = "";
    for (int i = 0; i < 190; i++)
        longest[i] = 'w';
    ck_assert_ptr_null(nearest("zzzzzzzz"));
    ck_assert_ptr_null(nearest(""));
    ck_assert_ptr_null(nearest("x"));
    ck_assert_ptr_null(nearest(longest));
}
END_TEST

UNIT_TESTS("suggest", the_nearest_name_is_meant, what_is_near_to_nothing_means_nothing)
