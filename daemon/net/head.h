/* SPDX-License-Identifier: MIT */
/* The head of an HTTP/1 response (RFC 9112), parsed where it lies in the receive buffer. Pure: no
 * allocation, no copy, nothing to free.
 *
 *      head_init(&h, method is HEAD);
 *      after each read, with everything received since the response began, at any address:
 *          head_parse(&h, p, n, &fields)
 *      HTTP_DONE: [h.start, h.end) are the bytes of the final head as they came; the body begins
 *      at h.end; body_init(&body, h.body_kind, h.body_bytes). Slices stay valid as long as
 *      the bytes do.
 *      end of the connection before HTTP_DONE: head_end()
 *
 * Interim (1xx) heads are passed over and lie before h.start. `fields` is written by the call that
 * returns HTTP_DONE and not before, so that one scratch per thread is enough. The verdict does not
 * depend on how the bytes were cut.
 *
 * Limits: HEAD_BYTES and HEAD_LINES up to h.end, interim heads among them; HEAD_INTERIM_COUNT. */
#ifndef DAEMON_NET_HEAD_H
#define DAEMON_NET_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "daemon/net/body.h"

#define HEAD_BYTES         (64u << 10)
#define HEAD_LINES         256u
#define HEAD_INTERIM_COUNT 16u

/* Fields that are recognised while parsing. */
enum head_known {
    HEAD_OTHER,
    HEAD_CONTENT_LENGTH,
    HEAD_TRANSFER_ENCODING,
    HEAD_CONNECTION,
    HEAD_CONTENT_TYPE,
    HEAD_CONTENT_ENCODING,
    HEAD_LOCATION,
    HEAD_RETRY_AFTER,
    HEAD_KNOWN_COUNT
};

/* Bytes [off, off + len) of the response. A value has no outer blanks, but when its line was
 * folded it holds line ends: head_value() gives it in one line. */
struct head_slice {
    uint16_t off;
    uint16_t len;
};

struct head_field {
    struct head_slice name, value;
    uint16_t known; /* enum head_known */
};

/* The fields in the order they came, lines that are no field left out. */
struct head_fields {
    unsigned count;
    struct head_field at[HEAD_LINES];
};

struct head {
    uint32_t scan;                             /* no line ends between `line` and here */
    uint32_t line;                             /* start of the line being looked at */
    uint32_t start;                            /* start of the status line */
    uint32_t end;                              /* behind the blank line */
    uint64_t body_bytes;                       /* BODY_LENGTH: its length */
    uint16_t line_count;                       /* not blank, interim heads among them */
    uint16_t status;                           /* 200 to 999 */
    struct head_slice phrase;                  /* reason phrase, may be empty */
    struct head_slice first[HEAD_KNOWN_COUNT]; /* first value of each; off 0 when absent */
    uint8_t interim_count;
    uint8_t minor;     /* of HTTP/1.x */
    uint8_t body_kind; /* enum body_kind */
    uint8_t failure;   /* enum reason, after HTTP_FAILED */
    bool to_head;      /* answers a HEAD request */
    bool keep_alive;   /* may be used again when nothing came behind the body */
};

void head_init(struct head *h, bool to_head);

/* HTTP_MORE, HTTP_DONE or HTTP_FAILED (REASON_BAD_RESPONSE, REASON_HEADER_TOO_LARGE). p, n: all
 * that was received since head_init(); n never shrinks. */
enum http_verdict head_parse(struct head *h, const char *p, size_t n,
                             struct head_fields *ret_fields);

/* Why a connection that ended after n bytes, inside the head, is a failure. */
enum reason head_end(size_t n);

/* Appends the value in one line: each fold becomes one space. */
void head_value(const char *p, struct head_slice value, struct buf *out);

/* Appends all values of that field in their order, joined by ", ". */
void head_list(const char *p, const struct head_fields *fields, enum head_known known,
               struct buf *out);

#endif
