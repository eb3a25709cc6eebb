/* SPDX-License-Identifier: MIT */
/* What a worker is told of the configuration: the text of CONF, read once. */
#ifndef WORKER_SETTINGS_H
#define WORKER_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/net/addr.h"
#include "daemon/net/policy.h"

struct settings {
    char *user_agent, *contact; /* owned, never NULL */
    char *dns_servers;          /* owned, "host:port,…"; NULL: the system's */
    char *ca_file;              /* owned; NULL: the system's bundle */
    struct addr source;         /* family 0: the system chooses */
    uint64_t in_flight;         /* 0: as many as descriptors and memory allow */
    uint64_t memory_limit;      /* bytes this worker's fetches may hold; 0: no limit */
};

/* Adds allow_cidr, deny_cidr and whether there is a contact to policy. 0, or -EINVAL with
 * *ret_wrong naming the member. */
int settings_read(struct settings *s, const char *text, size_t len, struct policy *policy,
                  const char **ret_wrong);
void settings_done(struct settings *s);

#endif
