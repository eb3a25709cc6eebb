/* SPDX-License-Identifier: MIT */
/* WARC 1.1 records as bytes (ISO 28500:2017). Pure: appends to a buffer, knows no file and no
 * compression. One record per call, so that each can become its own gzip member. */
#ifndef STORE_WARC_H
#define STORE_WARC_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define WARC_ID_CHARS 36 /* of a UUID, without urn:uuid: */

struct warc_id {
    char text[WARC_ID_CHARS];
};

/* Where record ids come from: UUIDs (version 4) of a generator seeded by the kernel. */
struct warc_ids {
    uint64_t state[4];
};

void warc_ids_init(struct warc_ids *ids);
void warc_ids_next(struct warc_ids *ids, struct warc_id *ret_id);

/* What the warcinfo record of a file says; members may be NULL and are left out then. */
struct warc_info {
    const char *file_name;
    const char *software, *operator_contact, *robots, *user_agent, *job_name;
};

/* One exchange. What its two records share. */
struct warc_exchange {
    const char *url; /* canonical; what must not stand in a header line is written as %XX */
    size_t url_len;
    const char *ip;                       /* NULL: unknown */
    const char *tls_version, *tls_cipher; /* "1.2" and IANA's name; NULL: no TLS */
    int64_t wall_ns;
    const uint8_t *payload_sha1; /* of the response; NULL: not known */
    const char *truncated;       /* of the response; NULL: whole */
    struct warc_id info, response, request;
};

void warc_add_info(struct buf *out, const struct warc_info *info, const struct warc_id *id,
                   int64_t wall_ns);

/* A response record without its block of n bytes and the CRLF CRLF behind that. */
void warc_add_response_head(struct buf *out, const struct warc_exchange *x, const void *block,
                            size_t n);

/* The block is copied as it is. */
void warc_add_response(struct buf *out, const struct warc_exchange *x, const void *block, size_t n);
void warc_add_request(struct buf *out, const struct warc_exchange *x, const void *block, size_t n);

#endif
