/* SPDX-License-Identifier: MIT */
/* The control protocol's lines: splitting the stream, reading a request, writing replies.
 * Limits: JSONL_LINE_BYTES a line, JSONL_DEPTH nested arrays and objects, the request among
 * them. A reader that gets ERROR_BAD_FRAME or JSONL_TOO_LONG answers and closes; after
 * ERROR_BAD_REQUEST the connection goes on. */
#ifndef COMMON_JSONL_H
#define COMMON_JSONL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/error.h"

#define JSONL_LINE_BYTES (64u << 10)
#define JSONL_DEPTH      16

enum jsonl_verdict {
    JSONL_MORE,     /* no whole line; what is left in the buffer is a part of one */
    JSONL_LINE,     /* a line was found */
    JSONL_TOO_LONG, /* final */
};

/* Splits a buffer into lines. Embedded; nothing to free. */
struct jsonl {
    size_t limit_bytes; /* of a line without its newline */
    size_t scanned;     /* no newline in front of here, from buf_data() */
    size_t taken;       /* length of the line handed out last, with its newline */
};

void jsonl_init(struct jsonl *l, size_t limit_bytes);

/* The next line of `in` that is not blank, without its line end (LF or CRLF). It lies in the buffer
 * and is good until the next call or until the buffer is appended to. Only jsonl_next() may
 * consume from the buffer. */
enum jsonl_verdict jsonl_next(struct jsonl *l, struct buf *in, const char **ret_line,
                              size_t *ret_len);

struct jsonl_request {
    json_t *root;   /* owned */
    json_t *id;     /* in root; integer or string; NULL when none could be read */
    const char *op; /* in root */
    json_t *args;   /* in root; an object, empty when it was not given */
};

struct jsonl_error {
    enum error_code code; /* ERROR_BAD_FRAME or ERROR_BAD_REQUEST */
    char message[160];
    const char *hint; /* static; may be NULL */
};

/* True, or false with *ret_error. *ret_request is set in both cases (its id when one was read) and
 * given to jsonl_request_done(). */
bool jsonl_request_parse(const char *line, size_t len, struct jsonl_request *ret_request,
                         struct jsonl_error *ret_error);
void jsonl_request_done(struct jsonl_request *r);

/* Appends the value and a newline. */
void jsonl_add(struct buf *out, const json_t *value);

/* {"id":…,"ok":true,"result":…}. id NULL: null. Both borrowed. */
void jsonl_reply_ok(struct buf *out, const json_t *id, const json_t *result);

/* {"id":…,"ok":false,"error":{…}}. hint and field may be NULL and are then left out. */
void jsonl_reply_error(struct buf *out, const json_t *id, enum error_code code, const char *message,
                       const char *hint, const char *field);

#endif
