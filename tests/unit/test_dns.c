/* SPDX-License-Identifier: MIT */
/* The name server is this process: a UDP socket on loopback that answers, counts and can be told
 * to keep silent. */
#include <ares.h>
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/net/dns.h"
#include "tests/unit/unit.h"

static struct {
    struct ev_loop *loop;
    struct dns *dns;
    ev_io io;
    int fd;
    uint64_t queries, cached;
    int a_questions;        /* seen by the server */
    const uint8_t (*ip)[4]; /* answered to A */
    int ip_count;
    int ttl_s, rcode;
    int aaaa_rcode; /* instead of rcode, when not 0 */
    int64_t now_ns;
    int answered;
} t;

static int64_t test_clock(void)
{
    return t.now_ns;
}

static size_t add_record(uint8_t *p, const uint8_t ip[4])
{
    uint8_t record[16] = {0xc0, 12, 0, 1, 0, 1};
    uint32_t ttl = htonl((uint32_t)t.ttl_s);
    memcpy(record + 6, &ttl, 4);
    record[11] = 4;
    memcpy(record + 12, ip, 4);
    memcpy(p, record, 16);
    return 16;
}

static bool answer_question(void)
{
    uint8_t m[512];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(t.fd, m, sizeof m, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
    if (n < 17)
        return false;
    size_t end = 12;
    while (m[end])
        end += m[end] + 1u;
    bool is_a = m[end + 2] == 1;
    end += 5;
    t.a_questions += is_a;
    m[2] = 0x81;
    m[3] = (uint8_t)(0x80 | (!is_a && t.aaaa_rcode ? t.aaaa_rcode : t.rcode));
    memset(m + 6, 0, 6);
    for (int i = 0; is_a && !t.rcode && i < t.ip_count; i++) {
        end += add_record(m + end, t.ip[i]);
        m[7]++;
    }
    ck_assert(sendto(t.fd, m, end, 0, (struct sockaddr *)&from, len) > 0);
    return true;
}

static void on_question(struct ev_loop *loop, ev_io *io, int revents)
{
    while (answer_question())
        ;
}

static void begin(void)
{
    char server[32];
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof sa;
    ares_library_init(ARES_LIB_INIT_ALL);
    t.loop = ev_default_loop(0);
    t.fd = socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_eq(bind(t.fd, (struct sockaddr *)&sa, sizeof sa), 0);
    getsockname(t.fd, (struct sockaddr *)&sa, &len);
    snprintf(server, sizeof server, "127.0.0.1:%d", ntohs(sa.sin_port));
    ev_io_init(&t.io, on_question, t.fd, EV_READ);
    ev_io_start(t.loop, &t.io);
    t.dns = malloc(sizeof *t.dns);
    ck_assert_int_eq(dns_init(t.dns, t.loop, server, &t.queries, &t.cached), 0);
    t.now_ns = 1000 * NS_PER_S;
    t.dns->resolver.clock_ns = test_clock;
    t.ttl_s = 300;
}

static void end(void)
{
    dns_done(t.dns);
    free(t.dns);
    close(t.fd);
    ares_library_cleanup();
}

static void count_answer(struct dns_wait *w)
{
    t.answered++;
}

static bool look_up(struct dns_wait *w, const char *host)
{
    w->done = count_answer;
    return dns_lookup(t.dns, host, strlen(host), w);
}

static void wait_for(int answers)
{
    while (t.answered < answers)
        ev_run(t.loop, EVRUN_ONCE);
}

static void resolve(struct dns_wait *w, const char *host)
{
    int before = t.answered;
    if (!look_up(w, host))
        wait_for(before + 1);
}

static const uint8_t two[2][4] = {{93, 184, 216, 34}, {93, 184, 216, 35}};

START_TEST(many_lookups_of_one_name_are_one_question)
{
    begin();
    struct dns_wait w[50] = {0};
    t.ip = two;
    t.ip_count = 2;
    for (int i = 0; i < 50; i++)
        ck_assert(!look_up(&w[i], "a.example"));
    wait_for(50);
    ck_assert_int_eq(t.a_questions, 1);
    ck_assert_uint_eq(t.queries, 1);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(w[i].name->reason, REASON_NONE);
        ck_assert_int_eq(w[i].name->count, 2);
        ck_assert_int_eq(w[i].name->addr[0].ip[0], 93);
        dns_release(t.dns, &w[i]);
    }
    struct dns_wait again = {0};
    ck_assert(look_up(&again, "a.example"));
    ck_assert_uint_eq(t.cached, 1);
    dns_release(t.dns, &again);
    end();
}
END_TEST

static int questions_after(int ttl_s, int64_t later_s)
{
    begin();
    struct dns_wait w = {0};
    t.ip = two;
    t.ip_count = t.rcode ? 0 : 1;
    t.ttl_s = ttl_s;
    resolve(&w, "b.example");
    dns_release(t.dns, &w);
    t.now_ns += later_s * NS_PER_S;
    resolve(&w, "b.example");
    dns_release(t.dns, &w);
    end();
    return t.a_questions;
}

START_TEST(a_short_life_is_a_minute_at_least)
{
    ck_assert_int_eq(questions_after(1, 59), 1);
}
END_TEST

START_TEST(an_answer_is_asked_again_after_its_life)
{
    ck_assert_int_eq(questions_after(300, 301), 2);
}
END_TEST

START_TEST(a_long_life_is_six_hours_at_most)
{
    ck_assert_int_eq(questions_after(1000000, 6 * 3600 + 1), 2);
}
END_TEST

START_TEST(a_minute_is_all_that_a_short_life_gets)
{
    ck_assert_int_eq(questions_after(1, 61), 2);
}
END_TEST

START_TEST(a_life_of_just_less_than_six_hours_is_kept)
{
    ck_assert_int_eq(questions_after(1000000, 6 * 3600 - 1), 1);
}
END_TEST

START_TEST(a_life_above_2_to_the_31_is_none)
{
    ck_assert_int_eq(questions_after(INT32_MIN, 61), 2);
}
END_TEST

START_TEST(a_life_of_minus_one_is_none)
{
    ck_assert_int_eq(questions_after(-1, 61), 2);
}
END_TEST

START_TEST(an_unanswered_family_is_asked_again_after_a_minute)
{
    t.aaaa_rcode = 2;
    ck_assert_int_eq(questions_after(3600, 61), 2);
}
END_TEST

START_TEST(a_name_is_the_same_with_its_last_dot)
{
    begin();
    struct dns_wait w = {0};
    t.ip = two;
    t.ip_count = 1;
    resolve(&w, "f.example");
    dns_release(t.dns, &w);
    ck_assert(look_up(&w, "f.example."));
    dns_release(t.dns, &w);
    ck_assert_uint_eq(t.queries, 1);
    end();
}
END_TEST

START_TEST(a_name_that_is_not_found_is_asked_again_after_a_minute)
{
    t.rcode = 3;
    ck_assert_int_eq(questions_after(0, 61), 2);
}
END_TEST

START_TEST(what_is_not_found_is_remembered_for_a_minute)
{
    t.rcode = 3;
    ck_assert_int_eq(questions_after(0, 59), 1);
}
END_TEST

START_TEST(says_why_there_is_no_address)
{
    static const uint8_t zero[1][4] = {{0, 0, 0, 0}};
    begin();
    struct dns_wait w = {0};
    t.ip = zero;
    t.ip_count = 1;
    resolve(&w, "blocked.example");
    ck_assert_int_eq(w.name->reason, REASON_DNS_NOT_FOUND);
    dns_release(t.dns, &w);
    t.rcode = 3;
    resolve(&w, "missing.example");
    ck_assert_int_eq(w.name->reason, REASON_DNS_NOT_FOUND);
    dns_release(t.dns, &w);
    t.rcode = 5;
    resolve(&w, "refused.example");
    ck_assert_int_eq(w.name->reason, REASON_DNS_ERROR);
    dns_release(t.dns, &w);
    end();
}
END_TEST

START_TEST(a_released_lookup_is_not_told)
{
    begin();
    struct dns_wait gone = {0}, stays = {0};
    t.ip = two;
    t.ip_count = 1;
    look_up(&gone, "c.example");
    look_up(&stays, "c.example");
    dns_release(t.dns, &gone);
    wait_for(1);
    ck_assert_ptr_null(gone.name);
    ck_assert_int_eq(stays.name->count, 1);
    dns_release(t.dns, &stays);
    end();
}
END_TEST

START_TEST(addresses_in_use_outlive_their_place_in_the_cache)
{
    begin();
    struct dns_wait old = {0}, new = {0};
    t.ip = two;
    t.ip_count = 1;
    resolve(&old, "d.example");
    t.now_ns += 7 * 3600 * NS_PER_S;
    t.ip_count = 2;
    resolve(&new, "d.example");
    ck_assert_int_eq(old.name->count, 1);
    ck_assert_int_eq(new.name->count, 2);
    dns_release(t.dns, &old);
    dns_release(t.dns, &new);
    end();
}
END_TEST

START_TEST(localhost_needs_no_server)
{
    begin();
    struct dns_wait w = {0};
    ck_assert(look_up(&w, "localhost"));
    ck_assert_int_eq(w.name->count, 2);
    ck_assert_int_eq(w.name->addr[0].ip[0], 127);
    dns_release(t.dns, &w);
    ck_assert(look_up(&w, "a.localhost."));
    dns_release(t.dns, &w);
    ck_assert_uint_eq(t.queries, 0);
    end();
}
END_TEST

START_TEST(a_name_that_cannot_be_is_not_found)
{
    begin();
    struct dns_wait w = {0};
    char longest[400];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    resolve(&w, longest);
    ck_assert_int_eq(w.name->reason, REASON_DNS_NOT_FOUND);
    dns_release(t.dns, &w);
    end();
}
END_TEST

/* Names that need no question, and are never answered by a server. */
static void look_up_local(struct dns_wait *w, int i)
{
    char host[32];
    snprintf(host, sizeof host, "h%d.localhost", i);
    ck_assert(look_up(w, host));
}

START_TEST(the_cache_is_bounded)
{
    begin();
    for (int i = 0; i < DNS_NAMES_MAX + 500; i++) {
        struct dns_wait w = {0};
        look_up_local(&w, i);
        dns_release(t.dns, &w);
        ck_assert_uint_le(t.dns->unused_count, DNS_NAMES_MAX);
    }
    end();
}
END_TEST

START_TEST(names_in_use_take_no_place_in_the_cache)
{
    begin();
    static struct dns_wait w[DNS_NAMES_MAX + 500];
    int count = (int)(sizeof w / sizeof *w);
    memset(w, 0, sizeof w);
    for (int i = 0; i < count; i++)
        look_up_local(&w[i], i);
    ck_assert_uint_eq(t.dns->unused_count, 0);
    struct dns_name *first = w[0].name;
    struct dns_wait again = {0};
    dns_release(t.dns, &w[0]);
    look_up_local(&again, 0);
    ck_assert_ptr_eq(again.name, first);
    ck_assert_uint_eq(t.dns->unused_count, 0);
    dns_release(t.dns, &again);
    for (int i = 1; i < count; i++)
        dns_release(t.dns, &w[i]);
    ck_assert_uint_eq(t.dns->unused_count, DNS_NAMES_MAX);
    end();
}
END_TEST

START_TEST(more_names_than_may_be_asked_at_once_are_all_answered)
{
    enum { COUNT = 2000 };
    begin();
    struct dns_wait *w = calloc(COUNT, sizeof *w);
    t.ip = two;
    t.ip_count = 1;
    for (int i = 0; i < COUNT; i++) {
        char host[32];
        snprintf(host, sizeof host, "n%d.example", i);
        look_up(&w[i], host);
        ck_assert_uint_le(t.dns->asked_count, DNS_ASKED_BEGIN);
    }
    wait_for(COUNT);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_msg(w[i].name->count == 1, "%d: %s", i, reason_name(w[i].name->reason));
        dns_release(t.dns, &w[i]);
    }
    free(w);
    end();
}
END_TEST

UNIT_TESTS("dns", many_lookups_of_one_name_are_one_question, a_short_life_is_a_minute_at_least,
           a_minute_is_all_that_a_short_life_gets, a_life_of_just_less_than_six_hours_is_kept,
           a_life_above_2_to_the_31_is_none, a_life_of_minus_one_is_none,
           an_unanswered_family_is_asked_again_after_a_minute, a_name_is_the_same_with_its_last_dot,
           an_answer_is_asked_again_after_its_life, a_long_life_is_six_hours_at_most,
           a_name_that_is_not_found_is_asked_again_after_a_minute,
           what_is_not_found_is_remembered_for_a_minute, says_why_there_is_no_address,
           a_released_lookup_is_not_told, addresses_in_use_outlive_their_place_in_the_cache,
           localhost_needs_no_server, a_name_that_cannot_be_is_not_found, the_cache_is_bounded,
           names_in_use_take_no_place_in_the_cache,
           more_names_than_may_be_asked_at_once_are_all_answered)
