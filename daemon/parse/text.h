/* SPDX-License-Identifier: MIT */
/* A body as it was sent becomes UTF-8 text: content codings off, charset found out and taken off.
 *
 *      text_begin(t, &source)
 *      until TEXT_DONE or TEXT_FAILED:  text_next(t, &in, last, &utf8)
 *
 * Pure. One text at a time: what decoding takes is held once, whoever many bodies wait. The pieces
 * that come out do not depend on how the body was cut. */
#ifndef PARSE_TEXT_H
#define PARSE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/inflate.h"
#include "daemon/parse/mime.h"

#define TEXT_PIECE_BYTES (64u << 10) /* of a body without its content codings, per piece */

/* What is known of a body. Borrowed by text_begin() only. */
struct text_source {
    const struct codings *codings; /* unknown ones: it is read as it is, as browsers do */
    const struct mime *mime;
    uint64_t wire_bytes; /* its length as sent */
    bool cut;            /* it was cut on purpose: that its coding does not end is no failure */
};

enum text_verdict {
    TEXT_MORE,   /* all input was used */
    TEXT_DATA,   /* a piece of text, maybe of no bytes; call again */
    TEXT_DONE,   /* the text is over */
    TEXT_FAILED, /* text_reason() */
};

struct text;

/* Opens all converters there are: before the process gives up opening files. */
struct text *text_new(void);
void text_free(struct text *t);

/* Begins a body, whatever became of the last one. */
void text_begin(struct text *t, const struct text_source *source);

/* Moves `in` over what it used; last: nothing follows behind it. *ret_utf8: valid until the next
 * call. The work of a call is bounded by what it is given and TEXT_PIECE_BYTES. */
enum text_verdict text_next(struct text *t, struct inflate_span *in, bool last,
                            struct inflate_span *ret_utf8);

/* REASON_BAD_ENCODING or REASON_BOMB after TEXT_FAILED, and a few constant words. */
enum reason text_reason(const struct text *t);
const char *text_why(const struct text *t);

/* Behind the end: the charset's name, and the bytes that were decoded. */
const char *text_charset(const struct text *t);
uint64_t text_decoded_bytes(const struct text *t);

#endif
