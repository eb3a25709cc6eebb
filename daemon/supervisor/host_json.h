/* SPDX-License-Identifier: MIT */
/* A host as `hosts`, `host show` and `why` tell it. */
#ifndef SUPERVISOR_HOST_JSON_H
#define SUPERVISOR_HOST_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct supervisor;
struct host;

/* What decides when the host is asked next. */
struct host_standing {
    const char *state; /* idle, active, waiting, blocked, paused */
    const char *rule;  /* why not now; "" */
    int64_t at_ns;     /* when it may be; 0 not known, BLOCK_FOREVER never by itself */
};

struct host_standing host_standing(struct supervisor *s, const struct host *host, int64_t now_ns);

/* URLs that wait at the host. */
uint64_t host_queued(const struct host *host);

/* A new reference. full: with the jobs that have URLs there. */
json_t *host_json(struct supervisor *s, const struct host *host, bool full);

/* The block in force as JSON, NULL if there is none. */
json_t *host_block_json(const struct host *host);

/* A moment of the monotonic clock as text of the wall clock; null for 0 and BLOCK_FOREVER. */
json_t *moment_json(int64_t mono_ns);

/* Hosts blocked, by cause, and in all. */
json_t *hosts_blocked_json(const struct supervisor *s);

/* stats.hosts: active, waiting, blocked. */
json_t *hosts_stats_json(const struct supervisor *s);

#endif
