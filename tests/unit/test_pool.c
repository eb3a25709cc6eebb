/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/net/pool.h"
#include "tests/unit/unit.h"

#define S INT64_C(1000000000)

static struct {
    struct ev_loop *loop;
    struct pool pool;
    int listener;
    uint16_t port;
    int idle_gone, closed;
    int readied;
} t;

static void count_idle_gone(void *owner, uint32_t host)
{
    t.idle_gone++;
}

static void count_closed(void *owner, uint32_t host)
{
    t.closed++;
}

static void on_ready(struct conn *c)
{
    t.readied++;
}

static void begin(void)
{
    static const struct pool_ops ops = {.idle_gone = count_idle_gone, .closed = count_closed};
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof sa;
    t.listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(t.listener, (struct sockaddr *)&sa, sizeof sa), 0);
    listen(t.listener, 64);
    getsockname(t.listener, (struct sockaddr *)&sa, &len);
    t.port = ntohs(sa.sin_port);
    t.loop = ev_default_loop(0);
    pool_init(&t.pool, t.loop, &ops, NULL);
}

static void end(void)
{
    pool_done(&t.pool);
    ck_assert_uint_eq(t.pool.open_count, 0);
    close(t.listener);
}

static int try_open(uint64_t origin, bool limited, struct conn **ret_conn)
{
    struct addr a = {.family = 4, .ip = {127, 0, 0, 1}};
    struct pool_origin o = {.origin = origin, .host = 7, .port = t.port, .limited = limited};
    int err = pool_open(&t.pool, &o, &a, ret_conn);
    if (!err)
        (*ret_conn)->ready = on_ready;
    return err;
}

/* A connected one; *ret_peer is the server's end. */
static struct conn *connected(uint64_t origin, bool limited, int *ret_peer)
{
    struct conn *c;
    ck_assert_int_eq(try_open(origin, limited, &c), 0);
    *ret_peer = accept(t.listener, NULL, NULL);
    while (conn_connected(c, t.loop))
        ev_run(t.loop, EVRUN_ONCE);
    return c;
}

START_TEST(gives_the_idle_connection_of_the_same_origin_only)
{
    int peer[2];
    begin();
    struct conn *a = connected(1, false, &peer[0]);
    struct conn *b = connected(1 + POOL_BUCKETS, false, &peer[1]);
    pool_keep(&t.pool, a, 0);
    pool_keep(&t.pool, b, 0);
    ck_assert_ptr_null(pool_take(&t.pool, 2));
    ck_assert_ptr_eq(pool_take(&t.pool, 1), a);
    ck_assert_ptr_null(pool_take(&t.pool, 1));
    ck_assert_uint_eq(t.pool.idle_count, 1);
    ck_assert(a->reused);
    pool_drop(&t.pool, a, 0);
    end();
}
END_TEST

START_TEST(the_last_used_is_taken_first_and_the_longest_idle_goes_first)
{
    int peer[3];
    begin();
    struct conn *c[3];
    for (int i = 0; i < 3; i++)
        c[i] = connected(1, true, &peer[i]);
    for (int i = 0; i < 3; i++)
        pool_keep(&t.pool, c[i], i * S);
    pool_sweep(&t.pool, POOL_IDLE_NS + S + S / 2);
    ck_assert_uint_eq(t.pool.idle_count, 1);
    ck_assert_ptr_eq(pool_take(&t.pool, 1), c[2]);
    pool_drop(&t.pool, c[2], 0);
    end();
}
END_TEST

START_TEST(only_a_lone_first_connection_is_not_kept_for_long)
{
    int peer[4];
    begin();
    pool_keep(&t.pool, connected(1, false, &peer[0]), 0);
    pool_keep(&t.pool, connected(2, true, &peer[1]), 0);
    pool_keep(&t.pool, connected(3, false, &peer[2]), 0);
    pool_keep(&t.pool, connected(3, false, &peer[3]), 0);
    ck_assert_uint_eq(t.pool.kind_count[POOL_LONE], 2);
    pool_sweep(&t.pool, POOL_LONE_NS + 1);
    ck_assert_ptr_null(pool_take(&t.pool, 1));
    ck_assert_uint_eq(t.pool.idle_count, 2);
    ck_assert_uint_eq(t.pool.kind_count[POOL_LONE], 0);
    struct conn *c = pool_take(&t.pool, 3);
    pool_keep(&t.pool, c, POOL_LONE_NS);
    ck_assert_int_eq(c->kind, POOL_PLAIN);
    end();
}
END_TEST

START_TEST(forgets_an_idle_connection_the_server_closes)
{
    int peer;
    begin();
    pool_keep(&t.pool, connected(1, true, &peer), 0);
    close(peer);
    ev_run(t.loop, EVRUN_ONCE);
    ck_assert_ptr_null(pool_take(&t.pool, 1));
    ck_assert_int_eq(t.idle_gone, 1);
    ck_assert_int_eq(t.closed, 1);
    end();
}
END_TEST

START_TEST(forgets_an_idle_connection_that_sends_bytes_nobody_asked_for)
{
    int peer;
    begin();
    pool_keep(&t.pool, connected(1, false, &peer), 0);
    ck_assert_int_eq(write(peer, "HTTP", 4), 4);
    ev_run(t.loop, EVRUN_ONCE);
    ck_assert_ptr_null(pool_take(&t.pool, 1));
    ck_assert_uint_eq(t.pool.open_count, 0);
    end();
}
END_TEST

START_TEST(a_limited_one_lingers_till_the_server_closes_too)
{
    int peer;
    begin();
    pool_drop(&t.pool, connected(1, true, &peer), 0);
    ck_assert_int_eq(t.closed, 0);
    ck_assert_uint_eq(t.pool.open_count, 1);
    close(peer);
    ev_run(t.loop, EVRUN_ONCE);
    ck_assert_int_eq(t.closed, 1);
    ck_assert_uint_eq(t.pool.open_count, 0);
    end();
}
END_TEST

START_TEST(a_limited_one_lingers_a_second_at_most)
{
    int peer;
    begin();
    pool_drop(&t.pool, connected(1, true, &peer), 0);
    pool_sweep(&t.pool, POOL_LINGER_NS / 2);
    ck_assert_int_eq(t.closed, 0);
    pool_sweep(&t.pool, POOL_LINGER_NS + 1);
    ck_assert_int_eq(t.closed, 1);
    ck_assert_int_eq(t.idle_gone, 0);
    end();
}
END_TEST

START_TEST(drops_all_idle_connections_of_a_host)
{
    int peer[3];
    begin();
    for (int i = 0; i < 3; i++)
        pool_keep(&t.pool, connected((uint64_t)i, true, &peer[i]), 0);
    pool_drop_idle(&t.pool, 8, 0);
    ck_assert_int_eq(t.idle_gone, 0);
    pool_drop_idle(&t.pool, 7, 0);
    ck_assert_int_eq(t.idle_gone, 3);
    pool_sweep(&t.pool, 2 * POOL_LINGER_NS);
    ck_assert_int_eq(t.closed, 3);
    end();
}
END_TEST

START_TEST(short_of_descriptors_the_longest_idle_one_makes_room)
{
    int peer[3];
    struct conn *a, *b, *c;
    begin();
    t.pool.open_max = 2;
    a = connected(1, true, &peer[0]);
    b = connected(2, true, &peer[1]);
    ck_assert_int_eq(try_open(3, false, &c), -EMFILE);
    pool_keep(&t.pool, a, 0);
    c = connected(3, false, &peer[2]);
    ck_assert_uint_eq(t.pool.open_count, 2);
    ck_assert_int_eq(t.idle_gone, 1);
    ck_assert_int_eq(t.closed, 1);
    ck_assert_ptr_null(pool_take(&t.pool, 1));
    pool_drop(&t.pool, b, 0);
    pool_drop(&t.pool, c, 0);
    end();
}
END_TEST

UNIT_TESTS("pool", gives_the_idle_connection_of_the_same_origin_only,
           the_last_used_is_taken_first_and_the_longest_idle_goes_first,
           only_a_lone_first_connection_is_not_kept_for_long, forgets_an_idle_connection_the_server_closes,
           forgets_an_idle_connection_that_sends_bytes_nobody_asked_for,
           a_limited_one_lingers_till_the_server_closes_too, a_limited_one_lingers_a_second_at_most,
           drops_all_idle_connections_of_a_host,
           short_of_descriptors_the_longest_idle_one_makes_room)
