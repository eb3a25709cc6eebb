/* SPDX-License-Identifier: MIT */
/* TLS sessions by origin, so that only the first connection to a server pays for a full handshake.
 * A session is bytes that tls.c understands; the least recently used ones make room. An empty one
 * says that the server gives none.
 *
 *      sessions_find ▸ (resume, or a full handshake) ▸ sessions_put */
#ifndef NET_SESSIONS_H
#define NET_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"

#define SESSIONS_BYTES_MAX (16u << 20)                  /* of all together */
#define SESSION_BYTES_MAX  (8u << 10)                   /* longer ones are not kept */
#define SESSION_LIFE_NS    (3600 * INT64_C(1000000000)) /* since its full handshake */
#define SESSION_FRESH_NS   (60 * INT64_C(1000000000))   /* a newer one is not needed */
#define SESSIONS_BUCKETS   4096

struct session {
    struct list bucket, link; /* by origin; by use */
    uint64_t origin;
    int64_t verified_ns; /* when its certificate was looked at */
    int64_t put_ns;
    const char *why; /* constant text: why the certificate is not valid; NULL: it is */
    bool low;        /* TLS 1.2 alone may be offered to it, see tls.c */
    uint32_t len;    /* 0: the server gives no sessions */
    unsigned char bytes[];
};

struct sessions {
    struct list bucket[SESSIONS_BUCKETS];
    struct list used; /* longest unused first */
    size_t bytes, count;
};

void sessions_init(struct sessions *s);
void sessions_done(struct sessions *s);

/* NULL: not known (any more). Valid until the next put. */
const struct session *sessions_find(struct sessions *s, uint64_t origin, int64_t now_ns);

/* Replaces what was known of the origin. */
void sessions_put(struct sessions *s, const struct session *about, const unsigned char *p,
                  size_t len);

#endif
