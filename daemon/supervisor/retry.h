/* SPDX-License-Identifier: MIT */
/* URLs of one job that wait for their next attempt: a heap by time. */
#ifndef SUPERVISOR_RETRY_H
#define SUPERVISOR_RETRY_H

#include <stdint.h>

struct hostq;

struct retry {
    int64_t due_ns;
    uint64_t entry;
    struct hostq *queue; /* borrowed; where it goes back to */
};

struct retries {
    struct retry *v; /* owned heap */
    uint32_t count, size;
};

void retries_add(struct retries *r, int64_t due_ns, uint64_t entry, struct hostq *queue);

/* The one due first, NULL if none. */
const struct retry *retries_first(const struct retries *r);
void retries_pop(struct retries *r);
void retries_done(struct retries *r);

#endif
