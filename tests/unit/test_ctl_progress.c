/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "common/clock.h"
#include "ctl/progress.h"
#include "ctl/say.h"
#include "ctl/wait.h"
#include "tests/unit/unit.h"

START_TEST(the_rate_follows_the_last_seconds)
{
    struct progress p;
    struct progress_counts c = {.accepted = 1000000};
    int64_t now_ns = 5 * NS_PER_S;
    say_init(0, true);
    progress_init(&p, now_ns);
    ck_assert_double_eq(progress_rate(&p), 0);
    for (int i = 0; i < 100; i++, now_ns += NS_PER_S / 5) {
        c.stored += 20;
        progress_show(&p, "a", &c, now_ns);
    }
    ck_assert_double_eq_tol(progress_rate(&p), 100, 0.01);
    for (int i = 0; i < 40; i++, now_ns += NS_PER_S / 5) {
        c.failed += 200;
        progress_show(&p, "a", &c, now_ns);
    }
    ck_assert_double_eq_tol(progress_rate(&p), 1000, 0.01);
    for (int i = 0; i < 40; i++, now_ns += NS_PER_S / 5)
        progress_show(&p, "a", &c, now_ns);
    ck_assert_double_eq(progress_rate(&p), 0);
}
END_TEST

START_TEST(the_line_tells_share_rate_and_rest)
{
    struct buf b = {0};
    struct progress_counts c = {
        .accepted = 2000, .queued = 990, .in_flight = 10, .stored = 900, .failed = 100};
    progress_text(&b, "news", &c, 100, 0);
    ck_assert_str_eq(
        buf_str(&b),
        "news 1,000/2,000 50%  100 pages/s  ETA 0:10  in flight 10  stored 900  failed 100");
    buf_clear(&b);
    progress_text(&b, "news", &c, 0, 120);
    ck_assert_ptr_nonnull(strstr(buf_str(&b), "[##########----------] 1,000/2,000"));
    buf_clear(&b);
    progress_text(&b, "new", &(struct progress_counts){0}, 0, 0);
    ck_assert_str_eq(buf_str(&b), "new 0/0 0%  0 pages/s");
    buf_done(&b);
}
END_TEST

static int verdict(const char *text, enum wait_for what)
{
    json_error_t error;
    json_t *job = json_loads(text, 0, &error);
    int v = wait_verdict(job, what);
    json_decref(job);
    return v;
}

START_TEST(a_job_is_there_or_not_yet_or_never)
{
    ck_assert_int_eq(verdict("{\"state\":\"running\"}", WAIT_DONE), 0);
    ck_assert_int_eq(verdict("{\"state\":\"paused\"}", WAIT_DONE), 0);
    ck_assert_int_eq(verdict("{\"state\":\"done\"}", WAIT_DONE), 1);
    ck_assert_int_eq(verdict("{\"state\":\"damaged\"}", WAIT_DONE), -1);
    ck_assert_int_eq(verdict("{\"state\":\"running\",\"counts\":{\"queued\":1}}", WAIT_IDLE), 0);
    ck_assert_int_eq(verdict("{\"state\":\"running\",\"counts\":{\"in_flight\":1}}", WAIT_IDLE), 0);
    ck_assert_int_eq(verdict("{\"state\":\"running\",\"counts\":{\"queued\":0}}", WAIT_IDLE), 1);
    ck_assert_int_eq(verdict("{\"state\":\"running\",\"idle\":false}", WAIT_IDLE), 0);
    ck_assert_int_eq(verdict("{\"state\":\"done\"}", WAIT_IDLE), 1);
    ck_assert_int_eq(verdict("{\"state\":\"pausing\"}", WAIT_PAUSED), 0);
    ck_assert_int_eq(verdict("{\"state\":\"cancelled\"}", WAIT_PAUSED), -1);
    ck_assert_int_eq(verdict("{}", WAIT_DONE), 0);
}
END_TEST

UNIT_TESTS("ctl_progress", the_rate_follows_the_last_seconds, the_line_tells_share_rate_and_rest,
           a_job_is_there_or_not_yet_or_never)
