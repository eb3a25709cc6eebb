/* SPDX-License-Identifier: MIT */
/* Which addresses may be contacted. Asked with the socket address just before every connect().
 *
 * Built in: what is no public unicast address is denied. allow_cidr opens ranges, deny_cidr
 * closes ranges and wins. An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) is judged too.
 * Without a contact only loopback that allow_cidr opens may be contacted. */
#ifndef NET_POLICY_H
#define NET_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "common/outcome.h"
#include "daemon/net/addr.h"

struct policy_range {
    struct addr addr; /* bits behind `bits` are zero */
    uint8_t bits;
};

struct policy_ranges {
    struct policy_range *v; /* owned */
    size_t count;
};

struct policy {
    struct policy_ranges builtin, allow, deny;
    bool contact; /* one is configured */
};

/* "10.0.0.0/8", "::1" (one address). 0 or -EINVAL. */
int policy_range_parse(const char *text, struct policy_range *ret_range);

void policy_init(struct policy *p);

/* 0 or -EINVAL. */
int policy_allow(struct policy *p, const char *range);
int policy_deny(struct policy *p, const char *range);
void policy_done(struct policy *p);

/* REASON_NONE (may be contacted), REASON_ADDRESS_DENIED or REASON_CONTACT. */
enum reason policy_check(const struct policy *p, const struct sockaddr *sa);

#endif
