/* SPDX-License-Identifier: MIT */
/* Chunked framing (RFC 9112 section 7.1) is a machine over single bytes; payload is passed over
 * in one step.
 *
 *     ┌─▶ SIZE ─▶ DIGITS ─▶ BLANK ─▶ EXTENSION ─▶ SIZE_LF ─▶ DATA ─▶ DATA_CR ─▶ DATA_LF ─┐
 *     └──────────────────────────────────────────────┼────────────────────────────────────┘
 *                                                    └─ size 0 ─▶ TRAILER ◀─▶ TRAILER_LINE ─▶ DONE
 *
 * A line ends in CRLF or a bare LF. CR elsewhere, NUL, and a size that is not hexadecimal or is
 * beyond 63 bits are refused: reading on would be a guess. Extensions and trailers are passed
 * over unread. */
#include "daemon/net/body.h"

enum state {
    SIZE,         /* first digit of a chunk size */
    DIGITS,       /* further digits */
    BLANK,        /* white space behind the size */
    EXTENSION,    /* behind ';' */
    SIZE_LF,      /* the CR of the size line was seen */
    DATA,         /* left_bytes of payload */
    DATA_CR,      /* the end of line behind the payload */
    DATA_LF,      /* its CR was seen */
    TRAILER,      /* start of a trailer line */
    TRAILER_LINE, /* inside one */
    TRAILER_LF,   /* its CR was seen */
    LAST_LF,      /* the CR of the blank last line was seen */
    DONE,
};

static enum http_verdict body_fail(struct body *b, enum reason why)
{
    b->failure = (uint8_t)why;
    return HTTP_FAILED;
}

void body_init(struct body *b, enum body_kind kind, uint64_t bytes)
{
    *b = (struct body){.kind = (uint8_t)kind};
    if (kind == BODY_LENGTH)
        b->left_bytes = bytes;
    b->state = kind == BODY_CHUNKED ? SIZE : kind == BODY_CLOSE || b->left_bytes ? DATA : DONE;
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int size_done(struct body *b)
{
    return b->left_bytes ? DATA : TRAILER;
}

/* The state behind one more byte of a size; -1 if it is refused. */
static int size_digit(struct body *b, unsigned char c)
{
    int digit = hex_digit(c);
    if (digit < 0 || b->left_bytes >> 59)
        return -1;
    if (!b->left_bytes && b->state == DIGITS)
        b->extension_bytes++;
    b->left_bytes = b->left_bytes << 4 | (unsigned)digit;
    return DIGITS;
}

static int size_tail(struct body *b, unsigned char c)
{
    if (c == '\n')
        return size_done(b);
    if (c == '\r')
        return SIZE_LF;
    b->extension_bytes++;
    if (b->state == EXTENSION || c == ';')
        return c ? EXTENSION : -1;
    return c == ' ' || c == '\t' ? BLANK : -1;
}

static int trailer_byte(struct body *b, unsigned char c)
{
    b->trailer_bytes++;
    if (c == '\n')
        return b->state == TRAILER ? DONE : TRAILER;
    if (c == '\r')
        return b->state == TRAILER ? LAST_LF : TRAILER_LF;
    return c ? TRAILER_LINE : -1;
}

static int frame_byte(struct body *b, unsigned char c)
{
    switch ((enum state)b->state) {
    case SIZE:
        return size_digit(b, c);
    case DIGITS:
        return hex_digit(c) >= 0 ? size_digit(b, c) : size_tail(b, c);
    case BLANK:
    case EXTENSION:
        return size_tail(b, c);
    case SIZE_LF:
        return c == '\n' ? size_done(b) : -1;
    case DATA_CR:
        return c == '\n' ? SIZE : c == '\r' ? DATA_LF : -1;
    case DATA_LF:
        return c == '\n' ? SIZE : -1;
    case TRAILER:
    case TRAILER_LINE:
        return trailer_byte(b, c);
    case TRAILER_LF:
        return c == '\n' ? TRAILER : -1;
    case LAST_LF:
        return c == '\n' ? DONE : -1;
    case DATA:
    case DONE:
        break;
    }
    return -1;
}

static enum http_verdict take_payload(struct body *b, struct body_span *in,
                                      struct body_span *ret_payload)
{
    size_t n = in->len;
    if (b->kind != BODY_CLOSE) {
        n = n < b->left_bytes ? n : (size_t)b->left_bytes;
        b->left_bytes -= n;
        if (!b->left_bytes)
            b->state = b->kind == BODY_CHUNKED ? DATA_CR : DONE;
    }
    *ret_payload = (struct body_span){in->p, n};
    in->p += n;
    in->len -= n;
    return HTTP_DATA;
}

enum http_verdict body_next(struct body *b, struct body_span *in, struct body_span *ret_payload)
{
    if (b->failure)
        return HTTP_FAILED;
    while (b->state != DONE) {
        if (!in->len)
            return HTTP_MORE;
        if (b->state == DATA)
            return take_payload(b, in, ret_payload);
        int next = frame_byte(b, (unsigned char)*in->p);
        if (next < 0 || b->extension_bytes > BODY_EXTENSION_BYTES)
            return body_fail(b, REASON_BAD_RESPONSE);
        if (b->trailer_bytes > BODY_TRAILER_BYTES)
            return body_fail(b, REASON_HEADER_TOO_LARGE);
        b->state = (uint8_t)next;
        in->p++;
        in->len--;
    }
    return HTTP_DONE;
}

enum http_verdict body_end(struct body *b)
{
    if (b->failure)
        return HTTP_FAILED;
    if (b->kind == BODY_CLOSE)
        b->state = DONE;
    return b->state == DONE ? HTTP_DONE : body_fail(b, REASON_BODY_INCOMPLETE);
}
