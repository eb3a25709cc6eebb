/* SPDX-License-Identifier: MIT */
/* An address is looked at in up to two forms: as it is, and the IPv4 address inside it. A mapped
 * address is nothing but its IPv4 form. deny closes if it names any form; else allow opens if it
 * names any; else the built-in list decides, and one denied form is enough. */
#include "daemon/net/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

#define BUILTIN_DENIED(RANGE)                                                                      \
    RANGE("0.0.0.0/8")       /* this network */                                                    \
    RANGE("10.0.0.0/8")      /* private */                                                         \
    RANGE("100.64.0.0/10")   /* carrier-grade NAT */                                               \
    RANGE("127.0.0.0/8")     /* loopback */                                                        \
    RANGE("169.254.0.0/16")  /* link-local */                                                      \
    RANGE("172.16.0.0/12")   /* private */                                                         \
    RANGE("192.0.0.0/24")    /* IETF protocols */                                                  \
    RANGE("192.0.2.0/24")    /* documentation */                                                   \
    RANGE("192.88.99.0/24")  /* 6to4 relays, withdrawn */                                          \
    RANGE("192.168.0.0/16")  /* private */                                                         \
    RANGE("198.18.0.0/15")   /* benchmarks */                                                      \
    RANGE("198.51.100.0/24") /* documentation */                                                   \
    RANGE("203.0.113.0/24")  /* documentation */                                                   \
    RANGE("224.0.0.0/4")     /* multicast */                                                       \
    RANGE("240.0.0.0/4")     /* reserved, broadcast */                                             \
    RANGE("::/10")           /* unspecified, loopback, IPv4-compatible, reserved */                \
    RANGE("64:ff9b:1::/48")  /* NAT64 for local use */                                             \
    RANGE("100::/8")         /* discard, reserved */                                               \
    RANGE("200::/7")         /* reserved */                                                        \
    RANGE("400::/6")         /* reserved */                                                        \
    RANGE("800::/5")         /* reserved */                                                        \
    RANGE("1000::/4")        /* reserved */                                                        \
    RANGE("2001::/23")       /* IETF protocols, Teredo among them */                               \
    RANGE("2001:db8::/32")   /* documentation */                                                   \
    RANGE("3fff::/20")       /* documentation */                                                   \
    RANGE("4000::/2")        /* reserved, segment routing */                                       \
    RANGE("8000::/1")        /* unique local, link-local, site-local, multicast */

#define BUILTIN_ENTRY(text) text,
static const char *const builtin_denied[] = {BUILTIN_DENIED(BUILTIN_ENTRY)};
#define BUILTIN_COUNT (sizeof builtin_denied / sizeof *builtin_denied)

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8))
        return false;
    unsigned rest = bits % 8;
    return !rest || !((a[bits / 8] ^ b[bits / 8]) >> (8 - rest));
}

static bool range_has(const struct policy_range *r, const struct addr *a)
{
    return r->addr.family == a->family && bits_equal(r->addr.ip, a->ip, r->bits);
}

static bool ranges_have(const struct policy_ranges *r, const struct addr *a)
{
    for (size_t i = 0; i < r->count; i++)
        if (range_has(&r->v[i], a))
            return true;
    return false;
}

/* A /0 to /95 of IPv6 written over mapped addresses has no IPv4 meaning and stays IPv6. */
static void range_unmap(struct policy_range *r)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (r->addr.family != 6 || r->bits < 96 || memcmp(r->addr.ip, mapped, 12))
        return;
    memmove(r->addr.ip, r->addr.ip + 12, 4);
    memset(r->addr.ip + 4, 0, 12);
    r->addr.family = 4;
    r->bits -= 96;
}

int policy_range_parse(const char *text, struct policy_range *ret_range)
{
    char addr[ADDR_TEXT_BYTES];
    size_t len = strcspn(text, "/");
    struct policy_range r = {0};
    if (len >= sizeof addr)
        return -EINVAL;
    memcpy(addr, text, len);
    addr[len] = '\0';
    if (addr_parse(addr, &r.addr))
        return -EINVAL;
    unsigned most = r.addr.family == 4 ? 32 : 128, bits = most;
    if (text[len]) {
        const char *digits = text + len + 1;
        size_t n = strlen(digits);
        if (!n || n > 3 || strspn(digits, "0123456789") != n)
            return -EINVAL;
        bits = (unsigned)atoi(digits);
    }
    if (bits > most)
        return -EINVAL;
    for (unsigned i = bits; i < most; i++)
        r.addr.ip[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    r.bits = (uint8_t)bits;
    range_unmap(&r);
    *ret_range = r;
    return 0;
}

static int ranges_add(struct policy_ranges *ranges, const char *text)
{
    struct policy_range r;
    int err = policy_range_parse(text, &r);
    if (err)
        return err;
    ranges->v = xrealloc(ranges->v, (ranges->count + 1) * sizeof r);
    ranges->v[ranges->count++] = r;
    return 0;
}

void policy_init(struct policy *p)
{
    *p = (struct policy){0};
    for (size_t i = 0; i < BUILTIN_COUNT; i++)
        ranges_add(&p->builtin, builtin_denied[i]);
}

int policy_allow(struct policy *p, const char *range)
{
    return ranges_add(&p->allow, range);
}

int policy_deny(struct policy *p, const char *range)
{
    return ranges_add(&p->deny, range);
}

void policy_done(struct policy *p)
{
    free(p->builtin.v);
    free(p->allow.v);
    free(p->deny.v);
    *p = (struct policy){0};
}

static struct addr inner_ipv4(const uint8_t *ip)
{
    struct addr a = {.family = 4};
    memcpy(a.ip, ip, 4);
    return a;
}

/* The forms to be judged; returns how many. */
static int forms_of(const struct addr *a, struct addr ret_forms[2])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    ret_forms[0] = *a;
    if (a->family == 4)
        return 1;
    if (!memcmp(a->ip, mapped, 12)) {
        ret_forms[0] = inner_ipv4(a->ip + 12);
        return 1;
    }
    if (!memcmp(a->ip, nat64, 12)) {
        ret_forms[1] = inner_ipv4(a->ip + 12);
        return 2;
    }
    if (a->ip[0] == 0x20 && a->ip[1] == 0x02) {
        ret_forms[1] = inner_ipv4(a->ip + 2);
        return 2;
    }
    return 1;
}

static bool is_loopback(const struct addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    return a->family == 4 ? a->ip[0] == 127 : !memcmp(a->ip, one, 16);
}

enum reason policy_check(const struct policy *p, const struct sockaddr *sa)
{
    struct addr a, form[2];
    if (addr_from_sockaddr(sa, &a))
        return REASON_ADDRESS_DENIED;
    bool closed = false, opened = false, denied = false;
    for (int i = forms_of(&a, form); i-- > 0;) {
        closed |= ranges_have(&p->deny, &form[i]);
        opened |= ranges_have(&p->allow, &form[i]);
        denied |= ranges_have(&p->builtin, &form[i]);
    }
    if (!p->contact && (closed || !opened || !is_loopback(&form[0])))
        return REASON_CONTACT;
    return closed || (denied && !opened) ? REASON_ADDRESS_DENIED : REASON_NONE;
}
