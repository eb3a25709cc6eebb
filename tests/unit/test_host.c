/* SPDX-License-Identifier: MIT */
#include "tests/unit/hosts_fixture.h"

START_TEST(waits_for_the_delay_after_the_end_with_one_connection)
{
    struct host *a = host_named("a");
    push(a, source_of(2 * S, 1, 0), 1, 3);
    ck_assert_uint_eq(pick_grant(a, GRANT_OPEN), 1);
    nothing_now();
    host_sent(&hosts, a, now += S);
    now += 5 * S;
    nothing_now();
    end(a, GRANT_OPEN, true, true);
    nothing_before(now + 2 * S, a, GRANT_KEPT);
}
END_TEST

START_TEST(waits_for_the_delay_after_sent_with_more)
{
    struct host *a = host_named("a");
    push(a, source_of(2 * S, 3, 0), 1, 9);
    a->alive = true;
    pick_grant(a, GRANT_OPEN);
    now += 7 * S;
    nothing_now();
    host_sent(&hosts, a, now);
    nothing_before(now + 2 * S, a, GRANT_OPEN);
    now += 9 * S;
    nothing_now();
    end(a, GRANT_OPEN, false, false);
    ck_assert_int_eq(a->last_ns, now);
}
END_TEST

START_TEST(the_strictest_of_two_jobs_counts_at_once)
{
    struct host *a = host_named("a");
    struct source *gentle = source_of(10 * S, 1, 0);
    push(a, source_of(S, 4, 0), 1, 9);
    a->alive = true;
    pick_grant(a, GRANT_OPEN);
    host_sent(&hosts, a, now);
    nothing_now();
    host_queue(&hosts, a, gentle);
    now += S;
    nothing_now();
    end(a, GRANT_OPEN, true, false);
    host_conn_closed(&hosts, a);
    nothing_before(now + 10 * S, a, GRANT_OPEN);
    hosts_forget(&hosts, gentle, 1);
    host_sent(&hosts, a, now);
    now += S;
    pick_grant(a, GRANT_OPEN);
}
END_TEST

START_TEST(has_no_more_connections_than_the_fewest)
{
    struct host *a = host_named("a");
    push(a, source_of(0, 3, 0), 1, 9);
    push(a, source_of(0, 2, 0), 1, 9);
    a->alive = true;
    pick_grant(a, GRANT_OPEN);
    pick_grant(a, GRANT_OPEN);
    nothing_now();
    end(a, GRANT_OPEN, true, false);
    nothing_now();
    host_conn_closed(&hosts, a);
    pick_grant(a, GRANT_OPEN);
    nothing_now();
}
END_TEST

START_TEST(one_connection_until_it_is_reached)
{
    struct host *a = host_named("a");
    push(a, source_of(0, 3, 0), 1, 9);
    struct host_end failed = {.grant = GRANT_OPEN};
    pick_grant(a, GRANT_OPEN);
    nothing_now();
    host_end(&hosts, a, &failed, now);
    host_conn_closed(&hosts, a);
    pick_grant(a, GRANT_OPEN);
    nothing_now();
    end(a, GRANT_OPEN, true, false);
    pick_grant(a, GRANT_OPEN);
    pick_grant(a, GRANT_OPEN);
    nothing_now();
}
END_TEST

START_TEST(kept_connections_count_and_are_used_first)
{
    struct host *a = host_named("a");
    push(a, source_of(0, 2, 0), 1, 9);
    a->alive = true;
    pick_grant(a, GRANT_OPEN);
    pick_grant(a, GRANT_OPEN);
    end(a, GRANT_OPEN, true, true);
    ck_assert_uint_eq(a->idle, 1);
    pick_grant(a, GRANT_KEPT);
    ck_assert_uint_eq(a->idle, 0);
    nothing_now();
    ck_assert_uint_eq(a->connections, 2);
}
END_TEST

START_TEST(a_kept_connection_that_was_gone_gives_the_turn_back)
{
    struct host *a = host_named("a");
    push(a, source_of(S, 1, 0), 1, 9);
    pick_grant(a, GRANT_OPEN);
    end(a, GRANT_OPEN, false, true);
    now += S;
    int64_t last = a->last_ns;
    pick_grant(a, GRANT_KEPT);
    host_idle_gone(&hosts, a);
    host_conn_closed(&hosts, a);
    struct host_end noconn = {.grant = GRANT_KEPT, .unsent = true};
    host_end(&hosts, a, &noconn, now);
    ck_assert_int_eq(a->last_ns, last);
    pick_grant(a, GRANT_OPEN);
}
END_TEST

START_TEST(a_grant_that_never_left_changes_nothing)
{
    struct host *a = host_at("a", 1);
    push(a, source_of(S, 2, 4), 1, 9);
    a->alive = true;
    struct host before = *a;
    pick_grant(a, GRANT_OPEN);
    host_ungrant(&hosts, a, GRANT_OPEN);
    ck_assert_uint_eq(a->connections, before.connections);
    ck_assert_uint_eq(a->group->connections, 0);
    ck_assert_int_eq(a->last_ns, before.last_ns);
    pick_grant(a, GRANT_OPEN);
    end(a, GRANT_OPEN, false, true);
    now += S;
    pick_grant(a, GRANT_KEPT);
    host_ungrant(&hosts, a, GRANT_KEPT);
    pick_grant(a, GRANT_KEPT);
}
END_TEST

START_TEST(the_address_is_asked_for_before_the_first_request)
{
    struct host *a = host_named("a");
    const uint8_t address[16] = {1};
    push(a, source_of(0, 1, 4), 1, 9);
    ck_assert_ptr_eq(pick(), a);
    ck_assert_int_eq(what, HOST_RESOLVE);
    a->asked = true;
    a->worker = 3;
    ck_assert(host_bound(a));
    nothing_now();
    host_worker_died(&hosts, a, now);
    now += S;
    ck_assert_ptr_eq(pick(), a);
    ck_assert_int_eq(what, HOST_RESOLVE);
    a->asked = true;
    host_address(&hosts, a, address);
    pick_grant(a, GRANT_OPEN);
}
END_TEST

START_TEST(hosts_of_a_full_address_wait_first_come_first_served)
{
    struct source *s = source_of(0, 2, 2);
    struct host *h[6];
    for (int i = 0; i < 6; i++) {
        h[i] = host_at((char[]){(char)('a' + i), 0}, 1);
        push(h[i], s, 1, 2);
        h[i]->alive = true;
    }
    pick_grant(h[0], GRANT_OPEN);
    pick_grant(h[1], GRANT_OPEN);
    nothing_now();
    push(h[2], s, 9, 1);
    hosts_wake(&hosts, h[2]);
    for (int i = 0; i < 4; i++) {
        ck_assert(!end(h[i], GRANT_OPEN, true, false));
        nothing_now();
        host_conn_closed(&hosts, h[i]);
        pick_grant(h[i + 2], GRANT_OPEN);
        nothing_now();
        ck_assert_uint_eq(h[i]->group->connections, 2);
    }
}
END_TEST

START_TEST(a_full_address_asks_for_idle_connections)
{
    struct source *s = source_of(0, 1, 1);
    struct host *a = host_at("a", 1), *b = host_at("b", 1);
    push(a, s, 1, 1);
    pick_grant(a, GRANT_OPEN);
    ck_assert(!end(a, GRANT_OPEN, true, true));
    push(b, s, 1, 2);
    ck_assert_ptr_eq(pick(), a);
    ck_assert_int_eq(what, HOST_ADDRESS);
    nothing_now();
    host_idle_gone(&hosts, a);
    host_conn_closed(&hosts, a);
    pick_grant(b, GRANT_OPEN);
    push(a, s, 2, 1);
    nothing_now();
    ck_assert(end(b, GRANT_OPEN, true, true));
    host_conn_closed(&hosts, b);
    pick_grant(a, GRANT_OPEN);
}
END_TEST

START_TEST(who_waits_alone_for_its_address_goes_on_with_its_own_connection)
{
    struct host *a = host_at("a", 1);
    push(a, source_of(0, 3, 1), 1, 9);
    a->alive = true;
    pick_grant(a, GRANT_OPEN);
    nothing_now();
    ck_assert_int_eq(a->place, HOST_AT_GROUP);
    ck_assert(!end(a, GRANT_OPEN, true, true));
    pick_grant(a, GRANT_KEPT);
}
END_TEST

START_TEST(one_that_no_longer_wants_its_turn_passes_it_on)
{
    struct source *s = source_of(0, 1, 1), *other = source_of(0, 1, 1), *gone = source_of(0, 1, 1);
    struct host *a = host_at("a", 1), *b = host_at("b", 1), *c = host_at("c", 1),
                *d = host_at("d", 1);
    push(a, s, 1, 1);
    pick_grant(a, GRANT_OPEN);
    push(b, other, 1, 1);
    push(c, gone, 1, 1);
    push(d, s, 1, 1);
    nothing_now();
    source_open(&hosts, other, false);
    ck_assert(hosts_forget(&hosts, gone, 9));
    end(a, GRANT_OPEN, true, false);
    host_conn_closed(&hosts, a);
    pick_grant(d, GRANT_OPEN);
    end(d, GRANT_OPEN, true, false);
    host_conn_closed(&hosts, d);
    nothing_now();
    source_open(&hosts, other, true);
    pick_grant(b, GRANT_OPEN);
}
END_TEST

START_TEST(one_that_leaves_the_line_makes_way_for_a_job_that_may_have_more)
{
    struct source *strict = source_of(0, 1, 1), *s = source_of(0, 1, 2);
    struct host *a = host_at("a", 1), *b = host_at("b", 1), *c = host_at("c", 1);
    push(a, s, 1, 1);
    pick_grant(a, GRANT_OPEN);
    push(b, strict, 1, 1);
    nothing_now();
    push(c, s, 1, 1);
    nothing_now();
    ck_assert(hosts_forget(&hosts, strict, 9));
    pick_grant(c, GRANT_OPEN);
}
END_TEST

START_TEST(a_dead_workers_hosts_wait_linger)
{
    struct source *s = source_of(0, 2, 1);
    struct host *a = host_at("a", 1), *b = host_at("b", 1), *c = host_at("c", 1);
    push(a, s, 1, 3);
    pick_grant(a, GRANT_OPEN);
    push(b, s, 1, 1);
    push(c, s, 1, 1);
    nothing_now();
    host_worker_died(&hosts, a, now);
    ck_assert_int_eq(a->worker, -1);
    nothing_before(now + HOST_LINGER_NS, b, GRANT_OPEN);
    end(b, GRANT_OPEN, true, false);
    host_conn_closed(&hosts, b);
    pick_grant(c, GRANT_OPEN);
    end(c, GRANT_OPEN, true, false);
    host_conn_closed(&hosts, c);
    pick_grant(a, GRANT_OPEN);
}
END_TEST

START_TEST(every_host_counts_as_fetched_linger_after_the_start)
{
    struct host *a;
    hosts_done(&hosts);
    hosts_init(&hosts, now);
    a = host_named("a");
    push(a, source_of(3 * S, 1, 0), 1, 1);
    nothing_before(now + HOST_LINGER_NS + 3 * S, a, GRANT_OPEN);
}
END_TEST

START_TEST(words_of_a_lying_worker_do_no_harm)
{
    struct source *s = source_of(0, 1, 2);
    struct host *a = host_at("a", 1), *b = host_at("b", 1);
    push(a, s, 1, 1);
    push(b, s, 1, 1);
    pick_grant(a, GRANT_OPEN);
    for (int i = 0; i < 9; i++) {
        host_conn_closed(&hosts, b);
        host_idle_gone(&hosts, b);
        host_sent(&hosts, b, now);
    }
    ck_assert_uint_eq(a->group->connections, 1);
    host_conn_closed(&hosts, a);
    end(a, GRANT_OPEN, false, true);
    ck_assert_uint_eq(a->idle, 0);
    ck_assert_uint_eq(a->group->connections, 0);
}
END_TEST

HOSTS_UNIT_TESTS(
    "host", waits_for_the_delay_after_the_end_with_one_connection,
    waits_for_the_delay_after_sent_with_more, the_strictest_of_two_jobs_counts_at_once,
    has_no_more_connections_than_the_fewest, one_connection_until_it_is_reached,
    kept_connections_count_and_are_used_first, a_kept_connection_that_was_gone_gives_the_turn_back,
    a_grant_that_never_left_changes_nothing, the_address_is_asked_for_before_the_first_request,
    hosts_of_a_full_address_wait_first_come_first_served, a_full_address_asks_for_idle_connections,
    who_waits_alone_for_its_address_goes_on_with_its_own_connection,
    one_that_no_longer_wants_its_turn_passes_it_on,
    one_that_leaves_the_line_makes_way_for_a_job_that_may_have_more,
    a_dead_workers_hosts_wait_linger, every_host_counts_as_fetched_linger_after_the_start,
    words_of_a_lying_worker_do_no_harm)
