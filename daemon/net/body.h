/* SPDX-License-Identifier: MIT */
/* The body of an HTTP/1 response: takes the framing off, points at the payload inside the
 * caller's bytes. Pure: no allocation, no copy, nothing to free.
 *
 *      body_init(&b, h.body_kind, h.body_bytes);
 *      for each piece as it came from the wire:
 *          struct body_span in = {p, n}, payload;
 *          while ((v = body_next(&b, &in, &payload)) == HTTP_DATA)
 *              use payload;
 *          at HTTP_DONE in.p, in.len are the bytes behind the response: none of its own, and the
 *          connection must not be used again if there are any
 *      at the end of the connection: body_end(&b)
 *
 * Limits: a chunk size below 2^63; BODY_EXTENSION_BYTES of chunk extensions and leading zeros in
 * the whole body; BODY_TRAILER_BYTES of trailers. How long a body may be is the caller's choice. */
#ifndef DAEMON_NET_BODY_H
#define DAEMON_NET_BODY_H

#include <stddef.h>
#include <stdint.h>

#include "common/outcome.h"

#define BODY_EXTENSION_BYTES (16u << 10)
#define BODY_TRAILER_BYTES   (16u << 10)

enum http_verdict {
    HTTP_MORE,   /* all input was used, more is needed */
    HTTP_DATA,   /* payload was found; call again */
    HTTP_DONE,   /* the head or body is whole */
    HTTP_FAILED, /* see `failure` */
};

enum body_kind {
    BODY_NONE,    /* HEAD, 204, 304 */
    BODY_LENGTH,  /* Content-Length */
    BODY_CHUNKED, /* Transfer-Encoding: chunked */
    BODY_CLOSE,   /* up to the end of the connection */
};

struct body_span {
    const char *p; /* borrowed */
    size_t len;
};

struct body {
    uint64_t left_bytes;      /* of the chunk or the known length */
    uint32_t extension_bytes; /* chunk extensions and leading zeros so far */
    uint32_t trailer_bytes;
    uint8_t kind;    /* enum body_kind */
    uint8_t state;   /* place inside the chunk framing */
    uint8_t failure; /* enum reason, after HTTP_FAILED */
};

/* bytes counts for BODY_LENGTH only. */
void body_init(struct body *b, enum body_kind kind, uint64_t bytes);

/* Moves `in` over what it used. HTTP_DATA: *ret_payload is the next piece of payload, inside what
 * was used. HTTP_MORE: `in` is empty. HTTP_DONE: may be asked again. HTTP_FAILED: final. */
enum http_verdict body_next(struct body *b, struct body_span *in, struct body_span *ret_payload);

/* The connection ended: HTTP_DONE if the body is whole by that, else HTTP_FAILED with
 * REASON_BODY_INCOMPLETE. */
enum http_verdict body_end(struct body *b);

#endif
