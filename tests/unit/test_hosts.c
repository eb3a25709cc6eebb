/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "tests/unit/hosts_fixture.h"

START_TEST(unlimited_hosts_are_never_held_back)
{
    hosts_done(&hosts);
    hosts_init(&hosts, now);
    struct host *a = host_at("a", 1);
    push(a, source_of(0, 0, 0), 1, 70000);
    for (uint64_t i = 1; i <= 70000; i++)
        ck_assert_uint_eq(pick_grant(a, GRANT_FREE), i);
    nothing_now();
    ck_assert_uint_eq(a->group->connections, 0);
    for (int i = 0; i < 70000; i++)
        ck_assert(!end(a, GRANT_FREE, false, true));
    ck_assert_uint_eq(a->free_act, 0);
}
END_TEST

START_TEST(a_host_that_becomes_limited_unbinds_first)
{
    struct host *a = host_named("a");
    push(a, source_of(0, 0, 0), 1, 2);
    pick_grant(a, GRANT_FREE);
    push(a, source_of(S, 1, 0), 9, 2);
    nothing_now();
    end(a, GRANT_FREE, false, true);
    ck_assert_ptr_eq(pick(), a);
    ck_assert_int_eq(what, HOST_UNBIND);
    nothing_now();
    host_unbound(&hosts, a, now);
    nothing_before(now + HOST_LINGER_NS + S, a, GRANT_OPEN);
}
END_TEST

START_TEST(closed_sources_stall_and_wake)
{
    struct host *a = host_named("a"), *b = host_named("b");
    struct source *s = source_of(0, 0, 0), *t = source_of(0, 0, 0);
    source_open(&hosts, s, false);
    source_open(&hosts, t, false);
    push(a, s, 1, 1);
    push(a, t, 2, 1);
    push(b, t, 3, 1);
    nothing_now();
    source_open(&hosts, s, true);
    ck_assert_uint_eq(pick_grant(a, GRANT_FREE), 1);
    nothing_now();
    source_open(&hosts, t, true);
    ck_assert_uint_eq(pick_grant(b, GRANT_FREE), 3);
    ck_assert_uint_eq(pick_grant(a, GRANT_FREE), 2);
    nothing_now();
}
END_TEST

START_TEST(a_push_to_an_open_source_wakes_a_stalled_host)
{
    struct host *a = host_named("a");
    struct source *s = source_of(0, 0, 0), *t = source_of(0, 0, 0);
    source_open(&hosts, s, false);
    push(a, s, 1, 1);
    nothing_now();
    push(a, t, 2, 1);
    ck_assert_uint_eq(pick_grant(a, GRANT_FREE), 2);
    nothing_now();
}
END_TEST

/* The limit of leases of a job closes and opens its source all the time. */
START_TEST(an_opened_source_costs_no_more_than_what_is_picked)
{
    struct source *s = source_of(0, 1, 0);
    enum { COUNT = 3000 };
    char name[16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "h%d", i);
        push(host_named(name), s, 1, 1);
    }
    source_open(&hosts, s, false);
    nothing_now();
    for (int i = 0; i < COUNT; i++) {
        source_open(&hosts, s, true);
        struct host *host = hosts_pick(&hosts, now, &queue, &what);
        ck_assert_ptr_nonnull(host);
        grant(host, GRANT_OPEN);
        source_open(&hosts, s, false);
    }
    ck_assert_uint_eq(s->queued_count, 0);
    ck_assert_ptr_null(source_busy(s));
}
END_TEST

START_TEST(a_pick_that_looks_at_many_says_call_again)
{
    struct source *s = source_of(0, 1, 0);
    char name[16];
    source_open(&hosts, s, false);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "h%d", i);
        push(host_named(name), s, 1, 1);
    }
    ck_assert_ptr_null(hosts_pick(&hosts, now, &queue, &what));
    ck_assert_int_eq(what, HOST_BUSY);
    nothing_now();
    ck_assert_int_eq(what, HOST_EMPTY);
}
END_TEST

START_TEST(jobs_take_turns_at_a_host)
{
    struct host *a = host_named("a");
    struct source *s[3];
    for (uint64_t i = 0; i < 3; i++)
        push(a, s[i] = source_of(0, 0, 0), i * 100, 20);
    int seen[3] = {0};
    for (int i = 0; i < 60; i++) {
        uint64_t entry = pick_grant(a, GRANT_FREE);
        ck_assert_uint_eq(entry % 100, seen[entry / 100]++);
        ck_assert_int_le(seen[entry / 100], i / 3 + 1);
    }
}
END_TEST

START_TEST(redirects_are_asked_first)
{
    struct host *a = host_named("a");
    struct hop *hop = slab_get(&hosts.hop_slab);
    struct source *s = source_of(0, 1, 0);
    uint64_t entry;
    hop->entry = 7;
    push(a, s, 1, 1);
    hosts_push_hop(&hosts, host_queue(&hosts, a, s), hop);
    ck_assert_uint_eq(s->queued_count, 2);
    ck_assert_ptr_eq(pick(), a);
    ck_assert_ptr_eq(hostq_take(queue, &entry), hop);
    ck_assert_uint_eq(entry, 7);
    hop_free(&hosts, hop);
    ck_assert_ptr_null(hostq_take(queue, &entry));
    ck_assert_uint_eq(entry, 1);
    ck_assert_uint_eq(s->queued_count, 0);
}
END_TEST

START_TEST(a_job_is_forgotten_in_slices_and_its_limits_with_it)
{
    struct source *strict = source_of(50 * S, 1, 0), *s = source_of(S, 1, 0);
    struct host *h[10];
    for (int i = 0; i < 10; i++) {
        h[i] = host_named((char[]){(char)('a' + i), 0});
        push(h[i], strict, 1, 3);
        push(h[i], s, 50, 1);
        h[i]->last_ns = now;
    }
    nothing_now();
    source_open(&hosts, strict, false);
    ck_assert(!hosts_forget(&hosts, strict, 4));
    now += S;
    for (int i = 0; i < 4; i++) {
        ck_assert_ptr_nonnull(pick());
        ck_assert_uint_eq(grant(queue->host, GRANT_OPEN), 50);
    }
    nothing_now();
    ck_assert(hosts_forget(&hosts, strict, 6));
    ck_assert_uint_eq(strict->queued_count, 0);
    ck_assert_ptr_nonnull(pick());
    ck_assert(hosts_forget(&hosts, s, 10));
    nothing_now();
    ck_assert_uint_eq(hosts.queue_slab.used_count, 0);
}
END_TEST

START_TEST(worker_lists_wake_in_order_and_in_part)
{
    struct list waiting;
    struct source *s = source_of(0, 0, 0);
    struct host *h[4];
    list_init(&waiting);
    for (int i = 0; i < 4; i++) {
        push(h[i] = host_named((char[]){(char)('a' + i), 0}), s, 1, 1);
        ck_assert_ptr_eq(pick(), h[i]);
        host_park(&hosts, h[i], &waiting, HOST_AT_WORKER);
        push(h[i], s, 2, 1);
    }
    nothing_now();
    hosts_wake_some(&hosts, &waiting, 2);
    pick_grant(h[0], GRANT_FREE);
    pick_grant(h[1], GRANT_FREE);
    ck_assert(hosts_forget(&hosts, s, 99));
    ck_assert(list_empty(&waiting));
}
END_TEST

START_TEST(many_hosts_are_found_by_name_number_and_address)
{
    char name[32];
    enum { COUNT = 50000 };
    for (uint32_t i = 0; i < COUNT; i++) {
        uint8_t address[16] = {[0] = (uint8_t)i, [1] = (uint8_t)(i >> 8)};
        int n = snprintf(name, sizeof name, "host-%u.example", i);
        ck_assert_ptr_null(hosts_find(&hosts, name, (size_t)n));
        ck_assert_uint_eq(hosts_get(&hosts, name, (size_t)n, address)->id, i);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        int n = snprintf(name, sizeof name, "host-%u.example", i);
        struct host *host = hosts_find(&hosts, name, (size_t)n);
        ck_assert_ptr_eq(host, hosts_by_id(&hosts, i));
        ck_assert_ptr_eq(host, hosts_get(&hosts, name, (size_t)n, NULL));
        ck_assert_uint_eq(host->group->address[1], (uint8_t)(i >> 8));
    }
    ck_assert_ptr_null(hosts_by_id(&hosts, COUNT));
    ck_assert_uint_eq(hosts.groups.count, COUNT);
}
END_TEST

/* The host is worker `slot`'s, and has one connection there. */
static struct host *connected(struct source *s, unsigned i, int slot, struct bound *bound)
{
    char name[32];
    snprintf(name, sizeof name, "bound-%u", i);
    struct host *host = host_named(name);
    host_queue(&hosts, host, s);
    host_bind(&hosts, host, slot, bound);
    end(host, host_grant(&hosts, host), false, true);
    return host;
}

START_TEST(a_workers_death_looks_only_at_hosts_that_have_anything_there)
{
    enum { MANY = 50000 };
    struct source *s = source_of(0, 1, 0);
    struct bound mine = {0}, other = {0};
    struct host *idle = connected(s, 0, 0, &mine), *gone = connected(s, 1, 0, &mine);
    host_conn_closed(&hosts, gone);
    gone = connected(s, 1, 1, &other);
    for (unsigned i = 2; i < MANY; i++)
        host_conn_closed(&hosts, connected(s, i, 0, &mine));
    ck_assert_uint_le(mine.room, 2048);
    struct host *back = connected(s, 3, 1, &other);
    host_conn_closed(&hosts, back);
    back = connected(s, 3, 0, &mine);
    bound_died(&hosts, &mine, 0, now);
    ck_assert_uint_eq(idle->connections + back->connections, 0);
    ck_assert_uint_eq(gone->connections, 1);
    ck_assert_int_eq(idle->worker, -1);
    ck_assert_int_eq(gone->worker, 1);
    idle = connected(s, 0, 0, &mine);
    bound_died(&hosts, &mine, 0, now);
    bound_died(&hosts, &other, 1, now);
    ck_assert_uint_eq(idle->connections + gone->connections, 0);
    bound_done(&mine);
    bound_done(&other);
}
END_TEST

/* Of malloc: 8 bytes before each object, sizes in steps of 16. Names of 24 bytes. */
START_TEST(a_host_with_one_url_is_within_256_bytes)
{
    size_t object = (offsetof(struct host, name) + 24 + 8 + 15) / 16 * 16;
    size_t tables = sizeof *hosts.by_id + sizeof *hosts.names.chains;
    push(host_named("a"), source_of(0, 1, 0), 1, 1);
    ck_assert(hosts_by_id(&hosts, 0)->queues->entries.one == 1);
    ck_assert_uint_le(object + hosts.queue_slab.size + tables + sizeof *hosts.times.v, 256);
}
END_TEST

HOSTS_UNIT_TESTS("hosts", unlimited_hosts_are_never_held_back,
                 a_host_that_becomes_limited_unbinds_first, closed_sources_stall_and_wake,
                 a_push_to_an_open_source_wakes_a_stalled_host,
                 an_opened_source_costs_no_more_than_what_is_picked,
                 a_pick_that_looks_at_many_says_call_again, jobs_take_turns_at_a_host,
                 redirects_are_asked_first, a_job_is_forgotten_in_slices_and_its_limits_with_it,
                 worker_lists_wake_in_order_and_in_part,
                 many_hosts_are_found_by_name_number_and_address,
                 a_workers_death_looks_only_at_hosts_that_have_anything_there,
                 a_host_with_one_url_is_within_256_bytes)
