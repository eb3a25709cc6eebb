/* SPDX-License-Identifier: MIT */
/* The bytes of an HTTP/1.1 request, from parts that lie elsewhere. Pure.
 *
 * No part can add a line or a field: NUL, CR and LF are refused everywhere, and each part must
 * have the form of its place. */
#ifndef DAEMON_NET_REQUEST_H
#define DAEMON_NET_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

/* Borrowed bytes; {NULL, 0} when absent. */
struct request_text {
    const char *p;
    size_t len;
};

struct request_field {
    struct request_text name, value;
};

struct request {
    struct request_text method;          /* a token */
    struct request_text target;          /* "/path?query"; "http://…" to a proxy; no fragment */
    struct request_text host_port;       /* as in the URL: "example.org", "[::1]:8080" */
    struct request_text user_agent;      /* absent: not sent */
    struct request_text accept_encoding; /* absent: not sent */
    struct request_text username;        /* of the URL, percent-encoded: Basic authentication */
    struct request_text password;
    struct request_text
        body; /* Content-Length is sent when there is one, or for POST, PUT, PATCH */
    const struct request_field *fields; /* of the job; they replace those we would send */
    size_t field_count;
    bool close; /* the connection will not be used again */
};

/* Appends the request to out. 0, or -EINVAL with out as it was: a part has a form that is not
 * allowed, or a field is one of Host, Content-Length, Transfer-Encoding, Connection. */
int request_build(const struct request *r, struct buf *out);

#endif
