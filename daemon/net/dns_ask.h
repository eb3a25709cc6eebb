/* SPDX-License-Identifier: MIT */
/* A name that name servers are asked for: two questions, one answer. dns.c begins it and is told.
 */
#ifndef NET_DNS_ASK_H
#define NET_DNS_ASK_H

#include "daemon/net/dns.h"

/* Takes a place among d->asked_max. dns_known() follows, perhaps before this returns. */
void dns_ask(struct dns *d, struct dns_name *name);

/* What is late, and who need not wait any longer. To be called every 100 ms or so. */
void dns_ask_tick(struct dns *d);

/* True as long as dns_ask_tick() must be called. */
bool dns_ask_busy(const struct dns *d);

/* Forgets the questions without a word. */
void dns_ask_free(struct dns_name *name);

/* In dns.c: the name's addresses are complete, or there is a reason why it has none. */
void dns_known(struct dns_name *name, enum reason reason, int64_t lifetime_ns);

/* In dns.c: a held name is not freed, and one that nobody holds only as long as it is new. */
void dns_name_hold(struct dns_name *name);
void dns_name_drop(struct dns_name *name);

#endif
