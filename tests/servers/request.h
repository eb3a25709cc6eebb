/* SPDX-License-Identifier: MIT */
/* One request head, as the origin understands it. */
#ifndef SERVERS_REQUEST_H
#define SERVERS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_HEAD_MOST_BYTES 65536

/* The strings are NUL-terminated inside the connection's input and live as long as it. */
struct request {
    const char *method, *target, *host;
    const char *head; /* the head as it came, without the empty line; not NUL-terminated */
    size_t head_bytes;
    uint64_t body_bytes; /* Content-Length, to be skipped */
    bool keep_alive;
    bool is_head;
};

/* Reads the head at the start of data. Positive: its length with the empty line, *ret_request is
 * filled; head is a copy made into copy (REQUEST_HEAD_MOST_BYTES), because the strings are cut
 * in place. 0: more is needed. -EPROTO: no request, or too large. */
long request_parse(char *data, size_t n, char *copy, struct request *ret_request);

#endif
