/* SPDX-License-Identifier: MIT */
/* One answer of the origin: what it says, how it is framed and how it ends. Filled by
 * route_reply(), turned into bytes by reply_fill() piece by piece, so that a body of any size
 * costs no memory. */
#ifndef SERVERS_REPLY_H
#define SERVERS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

enum reply_framing { FRAMED_BY_LENGTH, FRAMED_BY_CHUNKS, FRAMED_BY_CLOSE };

enum reply_ending {
    ENDS_KEPT, /* the connection goes on if the request allows it */
    ENDS_CLOSED,
    ENDS_RESET, /* RST instead of FIN */
    ENDS_STALE  /* says keep-alive, closes nevertheless */
};

struct reply {
    int status;         /* 0: no answer at all, only the ending */
    const char *type;   /* Content-Type, static; NULL: none */
    struct buf headers; /* further header lines, each with CRLF */
    uint64_t body_bytes;
    uint64_t declared_bytes; /* Content-Length as told */
    uint64_t sent_bytes;     /* of the body, framing not counted */
    struct buf memory;       /* the body, if not empty */
    int file;                /* owned descriptor of the body, or -1 */
    uint32_t text_start;     /* generated body: where in the text it starts */
    const char *target;      /* generated body: its first line; borrowed until reply_done() */
    enum reply_framing framing;
    enum reply_ending ending;
    int64_t delay_ns;     /* wait before the first byte */
    uint64_t bytes_per_s; /* of the body; 0: no limit */
    bool head_sent, end_sent, without_body;
};

/* An empty 200 with a generated body of body_bytes. The body is the target, a newline, then
 * REPLY_TEXT_BYTES of fixed text read in a circle from the offset FNV-1a-32(target) modulo
 * REPLY_TEXT_BYTES; so whoever knows the target knows every byte. */
#define REPLY_TEXT_BYTES 65536
void reply_init(struct reply *r, const char *target, uint64_t body_bytes);

/* Generated body of n bytes, or the given memory as body. */
void reply_generate(struct reply *r, uint64_t body_bytes);
void reply_say(struct reply *r, int status, const char *type, const char *text, size_t n);

/* Writes the next bytes of the answer, at most room; 0: all are written. -errno: the
 * file could not be read. room: with bytes_per_s any number from 1 once head_sent; else at least
 * REPLY_ROOM_BYTES, which holds any head. */
#define REPLY_ROOM_BYTES (192 * 1024)
long reply_fill(struct reply *r, bool keep_alive, char *ret_bytes, size_t room);

void reply_done(struct reply *r);

#endif
