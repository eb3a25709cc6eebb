/* SPDX-License-Identifier: MIT */
#include "tests/unit/hosts_fixture.h"

static const struct host_end unanswered = {.grant = GRANT_OPEN};

static int64_t until_ns(const struct host *host, enum block_cause want)
{
    int64_t until_ns;
    ck_assert_str_eq(block_cause_name(block_now(host, now, &until_ns)), block_cause_name(want));
    return until_ns;
}

static void about(int64_t got_ns, int64_t want_ns)
{
    ck_assert_msg(got_ns >= want_ns - want_ns / 10 && got_ns <= want_ns + want_ns / 10,
                  "%.1f s, about %.1f wanted", (double)got_ns / 1e9, (double)want_ns / 1e9);
}

static void fail_times(struct host *host, int count)
{
    for (int i = 0; i < count; i++)
        block_failed(&hosts, host, REASON_CONNECT_TIMEOUT, now);
}

START_TEST(waits_as_long_as_retry_after_says)
{
    struct host *a = host_named("a"), *b = host_named("b");
    struct source *s = source_of(0, 1, 0);
    push(a, s, 1, 3);
    push(b, s, 9, 1);
    pick_grant(a, GRANT_OPEN);
    block_busy(&hosts, a, 429, 7, now);
    host_end(&hosts, a, &unanswered, now);
    host_conn_closed(&hosts, a);
    pick_grant(b, GRANT_OPEN);
    ck_assert_int_eq(until_ns(a, BLOCK_ANSWER), now + 7 * S);
    ck_assert_str_eq(block_why(a->block, BLOCK_ANSWER), "429");
    nothing_before(now + 7 * S, a, GRANT_OPEN);
}
END_TEST

START_TEST(holds_hosts_without_limits_too)
{
    struct host *a = host_named("a");
    push(a, source_of(0, 0, 0), 1, 9);
    pick_grant(a, GRANT_FREE);
    pick_grant(a, GRANT_FREE);
    block_busy(&hosts, a, 503, 7, now);
    host_end(&hosts, a, &(struct host_end){.grant = GRANT_FREE}, now);
    nothing_now();
    now += 7 * S;
    nothing_now();
    ck_assert_int_eq(a->free_act, 1);
    end(a, GRANT_FREE, false, false);
    pick_grant(a, GRANT_FREE);
}
END_TEST

START_TEST(asks_once_after_a_block_until_there_is_an_answer)
{
    struct host *a = host_named("a");
    push(a, source_of(0, 0, 0), 1, 9);
    block_busy(&hosts, a, 429, 7, now);
    now += 7 * S;
    pick_grant(a, GRANT_FREE);
    nothing_now();
    host_end(&hosts, a, &(struct host_end){.grant = GRANT_FREE}, now);
    pick_grant(a, GRANT_FREE);
    nothing_now();
    end(a, GRANT_FREE, false, false);
    pick_grant(a, GRANT_FREE);
    pick_grant(a, GRANT_FREE);
}
END_TEST

START_TEST(doubles_where_the_host_does_not_say_up_to_a_day)
{
    struct host *a = host_named("a");
    int64_t want_ns = 60 * S, differ = 0;
    for (int i = 0; i < 16; i++) {
        block_busy(&hosts, a, 503, 0, now);
        int64_t got_ns = until_ns(a, BLOCK_ANSWER) - now;
        about(got_ns, want_ns);
        ck_assert_int_le(got_ns, BLOCK_MOST_NS);
        differ += got_ns != want_ns;
        want_ns = want_ns * 2 < BLOCK_MOST_NS ? want_ns * 2 : BLOCK_MOST_NS;
        now += got_ns;
    }
    ck_assert_int_gt(differ, 8);
}
END_TEST

START_TEST(no_host_asks_for_more_than_a_day)
{
    struct host *a = host_named("a");
    block_busy(&hosts, a, 429, UINT32_MAX, now);
    ck_assert_int_eq(until_ns(a, BLOCK_ANSWER), now + BLOCK_MOST_NS);
}
END_TEST

START_TEST(answers_under_way_lengthen_a_block_but_do_not_double_it)
{
    struct host *a = host_named("a");
    block_busy(&hosts, a, 429, 0, now);
    int64_t first_ns = until_ns(a, BLOCK_ANSWER);
    for (int i = 0; i < 50; i++)
        block_busy(&hosts, a, 429, 0, now += S / 10);
    ck_assert_int_eq(until_ns(a, BLOCK_ANSWER), first_ns);
    block_busy(&hosts, a, 429, 500, now);
    ck_assert_int_eq(until_ns(a, BLOCK_ANSWER), now + 500 * S);
    block_busy(&hosts, a, 429, 3, now);
    ck_assert_int_eq(until_ns(a, BLOCK_ANSWER), now + 500 * S);
    now += 500 * S;
    block_busy(&hosts, a, 429, 0, now);
    about(until_ns(a, BLOCK_ANSWER) - now, 120 * S);
}
END_TEST

START_TEST(forgives_after_thirty_quiet_minutes)
{
    struct host *a = host_named("a");
    for (int i = 0; i < 3; i++) {
        block_busy(&hosts, a, 429, 0, now);
        now = until_ns(a, BLOCK_ANSWER);
    }
    now += BLOCK_QUIET_NS - 1;
    hosts_tick(&hosts, now);
    ck_assert_ptr_nonnull(a->block);
    block_busy(&hosts, a, 429, 0, now);
    about(until_ns(a, BLOCK_ANSWER) - now, 480 * S);
    now = until_ns(a, BLOCK_ANSWER) + BLOCK_QUIET_NS;
    hosts_tick(&hosts, now);
    ck_assert_ptr_null(a->block);
    block_busy(&hosts, a, 429, 0, now);
    about(until_ns(a, BLOCK_ANSWER) - now, 60 * S);
}
END_TEST

START_TEST(forgives_without_a_tick_as_well)
{
    struct host *a = host_named("a");
    block_busy(&hosts, a, 429, 0, now);
    now = until_ns(a, BLOCK_ANSWER);
    block_busy(&hosts, a, 429, 0, now);
    now = until_ns(a, BLOCK_ANSWER) + BLOCK_QUIET_NS;
    block_busy(&hosts, a, 429, 0, now);
    about(until_ns(a, BLOCK_ANSWER) - now, 60 * S);
}
END_TEST

START_TEST(ten_failures_in_a_row_block_for_an_hour_doubling)
{
    struct host *a = host_named("a");
    fail_times(a, 9);
    until_ns(a, BLOCK_NONE);
    block_answered(&hosts, a, now);
    fail_times(a, 9);
    until_ns(a, BLOCK_NONE);
    ck_assert_ptr_null(a->block);
    fail_times(a, 5);
    about(until_ns(a, BLOCK_FAILURE) - now, 3600 * S);
    ck_assert_str_eq(block_why(a->block, BLOCK_FAILURE), "connect_timeout");
    for (int64_t want_ns = 7200 * S; want_ns < BLOCK_MOST_NS; want_ns *= 2) {
        now = until_ns(a, BLOCK_FAILURE);
        fail_times(a, 3);
        about(until_ns(a, BLOCK_FAILURE) - now, want_ns);
    }
    now = until_ns(a, BLOCK_FAILURE) + BLOCK_QUIET_NS;
    hosts_tick(&hosts, now);
    fail_times(a, 9);
    until_ns(a, BLOCK_NONE);
}
END_TEST

START_TEST(only_a_host_in_trouble_is_blocked)
{
    static const enum reason harmless[] = {
        REASON_NONE,           REASON_DNS_NOT_FOUND, REASON_BAD_RESPONSE, REASON_BODY_INCOMPLETE,
        REASON_ADDRESS_DENIED, REASON_EMPTY_REPLY,   REASON_CONN_RESET,   REASON_CONTACT};
    static const enum reason trouble[] = {REASON_DNS_ERROR,   REASON_DNS_TIMEOUT,
                                          REASON_TLS_ERROR,   REASON_CONNECT_REFUSED,
                                          REASON_TLS_TIMEOUT, REASON_FIRST_BYTE_TIMEOUT};
    struct host *a = host_named("a");
    for (int i = 0; i < 300; i++)
        block_failed(&hosts, a, harmless[i % 8], now);
    until_ns(a, BLOCK_NONE);
    for (int i = 0; i < 300; i++)
        block_failed(&hosts, a, trouble[i % 6], now);
    until_ns(a, BLOCK_FAILURE);
}
END_TEST

START_TEST(the_operators_block_lasts_as_long_as_said)
{
    struct host *a = host_named("a");
    push(a, source_of(0, 1, 0), 1, 1);
    block_by_operator(&hosts, a, now + 5 * S, now);
    ck_assert_int_eq(until_ns(a, BLOCK_OPERATOR), now + 5 * S);
    nothing_before(now + 5 * S, a, GRANT_OPEN);
    block_by_operator(&hosts, a, BLOCK_FOREVER, now);
    block_busy(&hosts, a, 429, 60, now);
    until_ns(a, BLOCK_OPERATOR);
    now += 400 * 86400 * S;
    nothing_now();
    until_ns(a, BLOCK_OPERATOR);
}
END_TEST

START_TEST(unblocking_ends_every_block_and_forgets)
{
    struct host *a = host_named("a");
    push(a, source_of(0, 1, 0), 1, 1);
    ck_assert(!block_lift(&hosts, a, now));
    for (int i = 0; i < 5; i++) {
        block_busy(&hosts, a, 429, 0, now);
        now = until_ns(a, BLOCK_ANSWER);
    }
    block_busy(&hosts, a, 429, 0, now);
    block_by_operator(&hosts, a, BLOCK_FOREVER, now);
    nothing_now();
    ck_assert(block_lift(&hosts, a, now));
    until_ns(a, BLOCK_NONE);
    ck_assert(!list_empty(&hosts.changed));
    pick_grant(a, GRANT_OPEN);
    block_busy(&hosts, a, 429, 0, now);
    about(until_ns(a, BLOCK_ANSWER) - now, 60 * S);
}
END_TEST

START_TEST(an_operators_block_that_is_lifted_is_told_however_late)
{
    struct host *a = host_named("a");
    now = 9 * BLOCK_QUIET_NS;
    block_by_operator(&hosts, a, BLOCK_FOREVER, now);
    list_del(hosts.changed.next);
    now += 3 * BLOCK_QUIET_NS;
    ck_assert(block_lift(&hosts, a, now));
    ck_assert(!list_empty(&hosts.changed));
    now += BLOCK_QUIET_NS;
    hosts_tick(&hosts, now);
    ck_assert_ptr_null(a->block);
}
END_TEST

START_TEST(counts_blocked_hosts_by_cause_and_source)
{
    struct host *a = host_named("a"), *b = host_named("b"), *c = host_named("c");
    struct source *s = source_of(0, 1, 0), *other = source_of(0, 1, 0);
    push(a, s, 1, 1);
    push(b, s, 2, 1);
    push(c, s, 3, 1);
    push(a, other, 4, 1);
    block_busy(&hosts, a, 429, 10, now);
    fail_times(b, 10);
    push(b, other, 5, 1);
    block_by_operator(&hosts, c, now + 20 * S, now);
    ck_assert_uint_eq(hosts.blocked_count[BLOCK_ANSWER], 1);
    ck_assert_uint_eq(hosts.blocked_count[BLOCK_FAILURE], 1);
    ck_assert_uint_eq(hosts.blocked_count[BLOCK_OPERATOR], 1);
    ck_assert_uint_eq(s->blocked_count, 3);
    ck_assert_uint_eq(other->blocked_count, 2);
    nothing_now();
    ck_assert_uint_eq(hosts.in_place[HOST_BLOCKED_TILL], 3);
    ck_assert_int_eq(hosts_tick(&hosts, now), now + 10 * S);
    now += 20 * S;
    hosts_tick(&hosts, now);
    ck_assert_uint_eq(s->blocked_count, 1);
    ck_assert_uint_eq(hosts.blocked_count[BLOCK_ANSWER] + hosts.blocked_count[BLOCK_OPERATOR], 0);
    hosts_forget(&hosts, s, SIZE_MAX);
    ck_assert_uint_eq(s->blocked_count, 0);
    ck_assert_uint_eq(other->blocked_count, 1);
}
END_TEST

static void give_up_now(struct host *host, const struct source *want, int urls)
{
    ck_assert_ptr_eq(pick(), host);
    ck_assert_int_eq(what, HOST_GIVE_UP);
    ck_assert_ptr_eq(queue->source, want);
    hostq_give_up(&hosts, queue);
    struct source *s = queue->source;
    uint64_t entry;
    for (struct hostq *q; (q = source_given_up(&hosts, s)); urls--)
        hostq_take(q, &entry);
    ck_assert_int_eq(urls, 0);
}

START_TEST(gives_a_jobs_urls_up_when_its_patience_is_over)
{
    struct host *a = host_named("a");
    struct source *patient = source_of(0, 1, 0), *hasty = source_of(0, 1, 0);
    patient->give_up_ns = 1000 * S;
    hasty->give_up_ns = 100 * S;
    push(a, patient, 1, 30);
    push(a, hasty, 50, 20);
    int64_t begin_ns = now;
    while (now < begin_ns + 95 * S) { /* it never answers anything else */
        block_busy(&hosts, a, 429, 10, now);
        nothing_before(now + 10 * S, a, GRANT_OPEN);
        host_end(&hosts, a, &unanswered, now);
        host_conn_closed(&hosts, a);
    }
    block_busy(&hosts, a, 429, 3000, now);
    give_up_now(a, hasty, (int)hasty->queued_count);
    nothing_now();
    ck_assert_int_eq(hosts_tick(&hosts, now), begin_ns + 1000 * S);
    now = begin_ns + 1000 * S;
    give_up_now(a, patient, (int)patient->queued_count);
    nothing_now();
}
END_TEST

START_TEST(an_answer_begins_the_wait_anew)
{
    struct host *a = host_named("a");
    struct source *s = source_of(0, 1, 0);
    s->give_up_ns = 100 * S;
    push(a, s, 1, 9);
    block_busy(&hosts, a, 429, 90, now);
    now += 90 * S;
    pick_grant(a, GRANT_OPEN);
    end(a, GRANT_OPEN, false, true);
    block_answered(&hosts, a, now);
    block_busy(&hosts, a, 429, 99, now);
    nothing_before(now + 99 * S, a, GRANT_KEPT);
}
END_TEST

START_TEST(a_url_waits_its_own_time)
{
    struct host *a = host_named("a");
    struct source *s = source_of(0, 1, 0), *late = source_of(0, 1, 0);
    s->give_up_ns = late->give_up_ns = 100 * S;
    block_by_operator(&hosts, a, BLOCK_FOREVER, now);
    late->begun_ns = now + 50 * S;
    push(a, late, 1, 1);
    now += 90 * S;
    hosts_push_new(&hosts, host_queue(&hosts, a, s), 2, now);
    nothing_now();
    ck_assert_int_eq(hosts_tick(&hosts, now), now + 60 * S);
    now += 60 * S;
    give_up_now(a, late, 1);
    now += 40 * S;
    give_up_now(a, s, 1);
}
END_TEST

START_TEST(closed_jobs_and_those_without_limit_are_not_given_up)
{
    struct host *a = host_named("a");
    struct source *s = source_of(0, 1, 0), *endless = source_of(0, 1, 0);
    s->give_up_ns = 100 * S;
    push(a, s, 1, 1);
    push(a, endless, 2, 1);
    source_open(&hosts, s, false);
    block_by_operator(&hosts, a, BLOCK_FOREVER, now);
    now += 1000 * S;
    nothing_now();
    source_open(&hosts, s, true);
    hosts_wake(&hosts, a);
    give_up_now(a, s, 1);
    nothing_now();
}
END_TEST

START_TEST(a_block_that_is_over_is_tried_before_it_is_given_up)
{
    struct host *a = host_named("a");
    struct source *s = source_of(0, 1, 0);
    s->give_up_ns = 100 * S;
    push(a, s, 1, 1);
    source_open(&hosts, s, false);
    block_busy(&hosts, a, 429, 50, now);
    now += 5000 * S;
    source_open(&hosts, s, true);
    pick_grant(a, GRANT_OPEN);
}
END_TEST

START_TEST(what_was_known_before_a_restart_goes_on)
{
    struct host *a = host_named("a"), *b = host_named("b");
    struct source *s = source_of(0, 1, 0);
    s->give_up_ns = 100 * S;
    push(a, s, 1, 1);
    struct host_block known = {.cause = BLOCK_FAILURE,
                               .reason = REASON_CONNECT_REFUSED,
                               .failures = 2,
                               .begin_ns = now - 60 * S,
                               .since_ns = now - 99 * S,
                               .until_ns = now + 5 * S};
    block_restore(&hosts, a, &known, now);
    ck_assert_int_eq(until_ns(a, BLOCK_FAILURE), now + 5 * S);
    now += S;
    give_up_now(a, s, 1);
    now += 4 * S;
    fail_times(a, 1);
    about(until_ns(a, BLOCK_FAILURE) - now, 4 * 3600 * S);
    known.until_ns = now - S;
    block_restore(&hosts, b, &known, now);
    until_ns(b, BLOCK_NONE);
    ck_assert_uint_eq(hosts.blocked_count[BLOCK_FAILURE], 1);
    push(b, s, 7, 1);
    block_busy(&hosts, b, 503, 90, now);
    ck_assert_int_eq(block_since(b, now), now);
}
END_TEST

START_TEST(what_changed_is_told_once)
{
    struct host *a = host_named("a"), *b = host_named("b");
    block_busy(&hosts, a, 429, 5, now);
    block_busy(&hosts, b, 429, 5, now);
    block_busy(&hosts, a, 429, 9, now);
    ck_assert_uint_eq(list_count(&hosts.changed), 2);
    ck_assert_ptr_eq(list_of(hosts.changed.next, struct host_block, changed)->host, b);
    list_del(hosts.changed.next);
    now += 9 * S + BLOCK_QUIET_NS;
    hosts_tick(&hosts, now);
    ck_assert(list_empty(&hosts.changed));
}
END_TEST

HOSTS_UNIT_TESTS("block", waits_as_long_as_retry_after_says, holds_hosts_without_limits_too,
                 asks_once_after_a_block_until_there_is_an_answer,
                 doubles_where_the_host_does_not_say_up_to_a_day, no_host_asks_for_more_than_a_day,
                 answers_under_way_lengthen_a_block_but_do_not_double_it,
                 forgives_after_thirty_quiet_minutes, forgives_without_a_tick_as_well,
                 ten_failures_in_a_row_block_for_an_hour_doubling,
                 only_a_host_in_trouble_is_blocked, the_operators_block_lasts_as_long_as_said,
                 unblocking_ends_every_block_and_forgets,
                 an_operators_block_that_is_lifted_is_told_however_late,
                 counts_blocked_hosts_by_cause_and_source,
                 gives_a_jobs_urls_up_when_its_patience_is_over, an_answer_begins_the_wait_anew,
                 a_url_waits_its_own_time, closed_jobs_and_those_without_limit_are_not_given_up,
                 a_block_that_is_over_is_tried_before_it_is_given_up,
                 what_was_known_before_a_restart_goes_on, what_changed_is_told_once)
