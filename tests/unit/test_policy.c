/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>

#include "daemon/net/policy.h"
#include "tests/unit/unit.h"

static enum reason ask(const struct policy *p, const char *text)
{
    struct addr a;
    struct sockaddr_storage sa;
    ck_assert_msg(!addr_parse(text, &a), "%s", text);
    addr_sockaddr(&a, 80, &sa);
    return policy_check(p, (struct sockaddr *)&sa);
}

static void expect(const struct policy *p, const char *text, enum reason reason)
{
    ck_assert_msg(ask(p, text) == reason, "%s: %s", text, reason_name(ask(p, text)));
}

/* First and last address of every denied range, then the neighbours outside. */
static const struct {
    const char *first, *last, *before, *after;
} edges[] = {
    {"0.0.0.0", "0.255.255.255", NULL, "1.0.0.0"},
    {"10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
    {"100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"},
    {"127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"},
    {"169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"},
    {"172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
    {"192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"},
    {"192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
    {"192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"},
    {"192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"},
    {"198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"},
    {"198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"},
    {"203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"},
    {"224.0.0.0", "255.255.255.255", "223.255.255.255", NULL},
    {"::", "3f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "40::"},
    {"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b:0:ffff::", "64:ff9b:2::"},
    {"100::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "2000::"},
    {"2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2000:ffff::", "2001:200::"},
    {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db7:ffff::1", "2001:db9::"},
    {"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3ffe:ffff::1", "3fff:1000::"},
    {"4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:ffff::1", NULL},
};

START_TEST(denies_every_range_to_its_edges_and_nothing_beyond)
{
    struct policy p;
    policy_init(&p);
    p.contact = true;
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        expect(&p, edges[i].first, REASON_ADDRESS_DENIED);
        expect(&p, edges[i].last, REASON_ADDRESS_DENIED);
        if (edges[i].before)
            expect(&p, edges[i].before, REASON_NONE);
        if (edges[i].after)
            expect(&p, edges[i].after, REASON_NONE);
    }
    expect(&p, "::1", REASON_ADDRESS_DENIED);
    expect(&p, "fe80::1", REASON_ADDRESS_DENIED);
    expect(&p, "fd00::1", REASON_ADDRESS_DENIED);
    expect(&p, "ff02::1", REASON_ADDRESS_DENIED);
    expect(&p, "2606:2800:220:1::1", REASON_NONE);
    policy_done(&p);
}
END_TEST

START_TEST(judges_the_ipv4_address_inside_an_ipv6_one)
{
    static const char *const forms[] = {"::ffff:%s", "64:ff9b::%s"};
    static const char *const denied[] = {"127.0.0.1", "10.1.2.3", "169.254.169.254", "0.0.0.0",
                                         "224.0.0.1"};
    struct policy p;
    policy_init(&p);
    p.contact = true;
    for (size_t f = 0; f < 2; f++) {
        char text[64];
        for (size_t i = 0; i < sizeof denied / sizeof *denied; i++) {
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(text, sizeof text, forms[f], denied[i]);
            expect(&p, text, REASON_ADDRESS_DENIED);
        }
        snprintf(text, sizeof text, forms[f], "93.184.216.34");
        expect(&p, text, REASON_NONE);
    }
    expect(&p, "2002:7f00:1::1", REASON_ADDRESS_DENIED);
    expect(&p, "2002:a9fe:a9fe::", REASON_ADDRESS_DENIED);
    expect(&p, "2002:5db8:d822::1", REASON_NONE);
    policy_done(&p);
}
END_TEST

START_TEST(allow_opens_deny_closes_and_deny_wins)
{
    struct policy p;
    policy_init(&p);
    p.contact = true;
    ck_assert_int_eq(policy_allow(&p, "10.0.0.0/8"), 0);
    ck_assert_int_eq(policy_allow(&p, "::1"), 0);
    ck_assert_int_eq(policy_deny(&p, "10.1.0.0/16"), 0);
    ck_assert_int_eq(policy_deny(&p, "2606::/16"), 0);
    expect(&p, "10.2.0.1", REASON_NONE);
    expect(&p, "::ffff:10.2.0.1", REASON_NONE);
    expect(&p, "10.1.255.255", REASON_ADDRESS_DENIED);
    expect(&p, "::ffff:10.1.0.1", REASON_ADDRESS_DENIED);
    expect(&p, "64:ff9b::10.1.0.1", REASON_ADDRESS_DENIED);
    expect(&p, "::1", REASON_NONE);
    expect(&p, "::2", REASON_ADDRESS_DENIED);
    expect(&p, "2606::1", REASON_ADDRESS_DENIED);
    expect(&p, "2607::1", REASON_NONE);
    policy_done(&p);
}
END_TEST

START_TEST(without_contact_only_opened_loopback_is_contacted)
{
    struct policy p;
    policy_init(&p);
    expect(&p, "127.0.0.1", REASON_CONTACT);
    expect(&p, "93.184.216.34", REASON_CONTACT);
    policy_allow(&p, "127.0.0.0/8");
    policy_allow(&p, "10.0.0.0/8");
    policy_allow(&p, "::1");
    policy_allow(&p, "93.184.216.34");
    expect(&p, "127.9.9.9", REASON_NONE);
    expect(&p, "::1", REASON_NONE);
    expect(&p, "::ffff:127.0.0.1", REASON_NONE);
    expect(&p, "10.0.0.1", REASON_CONTACT);
    expect(&p, "93.184.216.34", REASON_CONTACT);
    policy_done(&p);
}
END_TEST

START_TEST(refuses_what_is_no_range)
{
    static const char *const bad[] = {
        "",           "10.0.0.0/33", "10.0.0/8",     "::/129",      "10.0.0.0/",
        "10.0.0.0/x", "host/8",      "10.0.0.0/8/8", "10.0.0.0/-1", "10.0.0.0/ 8"};
    struct policy_range r;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(policy_range_parse(bad[i], &r) < 0, "%s", bad[i]);
    ck_assert_int_eq(policy_range_parse("10.1.2.3/8", &r), 0);
    ck_assert_int_eq(r.addr.ip[1], 0);
    ck_assert_int_eq(policy_range_parse("::ffff:10.0.0.0/104", &r), 0);
    ck_assert_int_eq(r.addr.family, 4);
    ck_assert_int_eq(r.bits, 8);
}
END_TEST

UNIT_TESTS("policy", denies_every_range_to_its_edges_and_nothing_beyond,
           judges_the_ipv4_address_inside_an_ipv6_one, allow_opens_deny_closes_and_deny_wins,
           without_contact_only_opened_loopback_is_contacted, refuses_what_is_no_range)
