/* SPDX-License-Identifier: MIT */
/* The set of URLs a job knows, as keyed 64-bit fingerprints: 9 to 15 bytes per URL. A wrong hit
 * among n URLs has the odds n*n/2^65. Nothing is ever taken out. */
#ifndef FRONTIER_SEEN_H
#define FRONTIER_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEEN_SECRET_BYTES 192

struct seen_shard {
    uint64_t *slots; /* owned; 0 is a free slot */
    uint32_t cap, used;
};

/* Embedded; zeroed is empty. */
struct seen {
    struct seen_shard *shards; /* owned; made with the first URL */
    uint64_t count;            /* fingerprints in it */
    uint64_t bytes;            /* memory used */
};

void seen_done(struct seen *s);

/* The fingerprint of a text under a job's secret; never 0. */
uint64_t seen_print(const uint8_t secret[SEEN_SECRET_BYTES], const void *text, size_t len);

/* False if it was there. */
bool seen_add(struct seen *s, uint64_t print);
bool seen_has(const struct seen *s, uint64_t print);

#endif
