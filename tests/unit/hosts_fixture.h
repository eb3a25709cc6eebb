/* SPDX-License-Identifier: MIT */
/* What the tests of hosts share: one collection, a clock that stands still, a caller's steps. */
#ifndef TESTS_UNIT_HOSTS_FIXTURE_H
#define TESTS_UNIT_HOSTS_FIXTURE_H

#include "daemon/frontier/host.h"

#include <string.h>

#include "common/ipc.h"
#include "tests/unit/unit.h"

#define S NS_PER_S

static struct hosts hosts;
static int64_t now;
static struct hostq *queue;
static enum host_verdict what;

/* The start clock is over. */
static inline void setup(void)
{
    now = 100 * S;
    hosts_init(&hosts, now - 10 * S);
}

static inline void teardown(void)
{
    hosts_done(&hosts);
}

static inline struct source *source_of(int64_t delay_ns, uint32_t connections, uint32_t per_address)
{
    static struct source sources[8];
    static int count;
    struct source *s = &sources[count++ & 7];
    source_init(s, &(struct pace){delay_ns, connections, per_address});
    source_open(&hosts, s, true);
    return s;
}

static inline struct host *host_named(const char *name)
{
    return hosts_get(&hosts, name, strlen(name), NULL);
}

/* A host whose address ends with this byte. */
static inline struct host *host_at(const char *name, uint8_t last)
{
    uint8_t address[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = last};
    return hosts_get(&hosts, name, strlen(name), address);
}

static inline void push(struct host *host, struct source *s, uint64_t first, int count)
{
    for (int i = 0; i < count; i++)
        hosts_push(&hosts, host_queue(&hosts, host, s), first + (uint64_t)i);
}

static inline struct host *pick(void)
{
    struct host *host;
    hosts_tick(&hosts, now);
    while (!(host = hosts_pick(&hosts, now, &queue, &what)) && what == HOST_BUSY)
        ;
    return host;
}

/* Grants what pick() gave; the entry taken. */
static inline uint64_t grant(struct host *host, int want)
{
    uint64_t entry;
    ck_assert_ptr_null(hostq_take(queue, &entry));
    ck_assert_int_eq(host_grant(&hosts, host), want);
    host->worker = 0;
    hosts_wake(&hosts, host);
    return entry;
}

static inline uint64_t pick_grant(struct host *want, int how)
{
    struct host *host = pick();
    ck_assert_ptr_eq(host, want);
    ck_assert_int_eq(what, HOST_NOW);
    return grant(host, how);
}

static inline bool end(struct host *host, int how, bool told_sent, bool kept)
{
    struct host_end e = {.grant = how, .told_sent = told_sent, .kept = kept, .reached = true};
    return host_end(&hosts, host, &e, now);
}

static inline void nothing_now(void)
{
    struct host *host = pick();
    ck_assert_msg(!host, "%.*s: %d", host ? host->name_len : 0, host ? host->name : "", what);
}

/* Nothing before `at`, then this host. */
static inline void nothing_before(int64_t at, struct host *host, int how)
{
    nothing_now();
    ck_assert_int_eq(hosts_tick(&hosts, now), at);
    now = at - 1;
    nothing_now();
    now = at;
    pick_grant(host, how);
}

static inline int hosts_unit_run(const char *name, const TTest *const *tests, int count)
{
    Suite *s = suite_create(name);
    TCase *c = tcase_create(name);
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    for (int i = 0; i < count; i++)
        tcase_add_test(c, tests[i]);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}

#define HOSTS_UNIT_TESTS(name, ...)                                                                \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return hosts_unit_run(name, tests, (int)(sizeof tests / sizeof *tests));                   \
    }

#endif
