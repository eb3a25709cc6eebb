/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "daemon/fetch/wheel.h"
#include "tests/unit/unit.h"

#define MS INT64_C(1000000)

static int64_t now_ns;

struct timed {
    struct wheel_member member;
    int64_t due_ns, woken_ns;
};

static int64_t test_clock(void)
{
    return now_ns;
}

static void note(struct wheel_member *m)
{
    struct timed *t = list_of(m, struct timed, member);
    ck_assert_int_eq(t->woken_ns, 0);
    t->woken_ns = now_ns;
}

static struct wheel *wheel_of_test(void)
{
    struct wheel *w = malloc(sizeof *w);
    now_ns = 1000 * MS;
    wheel_init(w, ev_default_loop(0), note);
    w->clock_ns = test_clock;
    return w;
}

START_TEST(wakes_each_within_two_slots_after_its_time_and_never_before)
{
    enum { COUNT = 3000 };
    struct wheel *w = wheel_of_test();
    struct timed *t = calloc(COUNT, sizeof *t);
    srandom(17);
    for (int i = 0; i < COUNT; i++) {
        wheel_member_init(&t[i].member);
        t[i].due_ns = now_ns + random() % (40000 * MS);
        wheel_set(w, &t[i].member, t[i].due_ns);
    }
    while (w->count) {
        now_ns += random() % (30 * MS);
        wheel_turn(w, now_ns);
    }
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_ge(t[i].woken_ns, t[i].due_ns);
        ck_assert_int_lt(t[i].woken_ns, t[i].due_ns + 2 * WHEEL_SLOT_NS + 30 * MS);
    }
    ck_assert(!ev_is_active(&w->timer));
    free(t);
    free(w);
}
END_TEST

START_TEST(a_time_moved_on_is_filed_again_and_one_moved_back_is_kept)
{
    struct wheel *w = wheel_of_test();
    struct timed later = {0}, sooner = {0};
    wheel_member_init(&later.member);
    wheel_member_init(&sooner.member);
    wheel_set(w, &later.member, now_ns + 100 * MS);
    wheel_set(w, &later.member, now_ns + 5000 * MS);
    wheel_set(w, &sooner.member, now_ns + 60000 * MS);
    wheel_set(w, &sooner.member, now_ns + 200 * MS);
    ck_assert_uint_eq(w->count, 2);
    int64_t begin = now_ns;
    while (now_ns < begin + 300 * MS) {
        now_ns += 16 * MS;
        wheel_turn(w, now_ns);
    }
    ck_assert_int_ge(sooner.woken_ns, begin + 200 * MS);
    ck_assert_int_eq(later.woken_ns, 0);
    now_ns = begin + 5100 * MS;
    wheel_turn(w, now_ns);
    ck_assert_int_ne(later.woken_ns, 0);
    free(w);
}
END_TEST

START_TEST(a_removed_member_is_never_woken)
{
    struct wheel *w = wheel_of_test();
    struct timed t = {0};
    wheel_member_init(&t.member);
    wheel_set(w, &t.member, now_ns + 100 * MS);
    wheel_remove(w, &t.member);
    wheel_remove(w, &t.member);
    now_ns += 100000 * MS;
    wheel_turn(w, now_ns);
    ck_assert_int_eq(t.woken_ns, 0);
    ck_assert_uint_eq(w->count, 0);
    free(w);
}
END_TEST

START_TEST(a_leap_of_many_turns_wakes_everything_once)
{
    struct wheel *w = wheel_of_test();
    struct timed t[100] = {0};
    for (int i = 0; i < 100; i++) {
        wheel_member_init(&t[i].member);
        wheel_set(w, &t[i].member, now_ns + i * 700 * MS);
    }
    now_ns += 10000000 * MS;
    wheel_turn(w, now_ns);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(t[i].woken_ns, now_ns);
    free(w);
}
END_TEST

UNIT_TESTS("wheel", wakes_each_within_two_slots_after_its_time_and_never_before,
           a_time_moved_on_is_filed_again_and_one_moved_back_is_kept,
           a_removed_member_is_never_woken, a_leap_of_many_turns_wakes_everything_once)
