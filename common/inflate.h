/* SPDX-License-Identifier: MIT */
/* Content codings taken off (RFC 9110, section 8.4): gzip, deflate, br and zstd, two stacked at
 * most. Pure: bytes in, bytes out, verdict.
 *
 *      codings_parse(list, n, &codings)                  the Content-Encoding values
 *      inflate_begin(z, &codings, inflate_most(wire_bytes))
 *      for each piece:  while (inflate_next(z, &in, room, sizeof room, &n) == INFLATE_AGAIN)
 *      at the end:      inflate_end(z)
 *
 * As browsers do: deflate is a zlib stream or a raw one; gzip members and zstd frames may follow
 * one another; what follows and is none is ignored; no bytes at all are an empty body. */
#ifndef COMMON_INFLATE_H
#define COMMON_INFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/outcome.h"

#define INFLATE_LAYERS 2

/* Beyond it a body is a bomb: 32 MiB, and 200 times what came, but at least 1 MiB: 12,000 equal
 * letters are 60 bytes of brotli. */
#define INFLATE_MOST_BYTES  (32u << 20)
#define INFLATE_RATIO       200u
#define INFLATE_LEAST_BYTES (1u << 20)

#define INFLATE_ZSTD_WINDOW_LOG 23 /* 8 MiB (RFC 9659); brotli's goes to 16 MiB by itself */

enum coding { CODING_GZIP, CODING_DEFLATE, CODING_BR, CODING_ZSTD, CODING_COUNT };

enum codings_verdict {
    CODINGS_KNOWN,    /* `at` says which; identity is left out */
    CODINGS_UNKNOWN,  /* one is none of ours: nothing can be taken off */
    CODINGS_TOO_MANY, /* more than INFLATE_LAYERS */
};

/* What a Content-Encoding list says. Zeroed: the body came as it is. */
struct codings {
    uint8_t verdict; /* enum codings_verdict */
    uint8_t count;
    uint8_t at[INFLATE_LAYERS]; /* enum coding, in the order they were applied */
};

/* list: the field's values joined by commas; letters of any case, x-gzip is gzip. */
void codings_parse(const char *list, size_t n, struct codings *ret_codings);

struct inflate_span {
    const char *p; /* borrowed */
    size_t len;
};

enum inflate_verdict {
    INFLATE_MORE,   /* all input was used and all output given: more input is needed */
    INFLATE_AGAIN,  /* the room is full, or the call has done its share: call again */
    INFLATE_FAILED, /* REASON_BAD_ENCODING or REASON_BOMB; final */
};

/* Decoders' states; used again body after body. About 40 KiB per gzip or deflate layer while one
 * is decoded, up to 16 MiB for br, 8 MiB for zstd. */
struct inflate;

struct inflate *inflate_new(void);
void inflate_free(struct inflate *z);

/* The most bytes a body of so many on the wire may become. */
uint64_t inflate_most(uint64_t wire_bytes);

/* Begins a body, whatever became of the last one. codings: CODINGS_KNOWN; without any the body is
 * passed on. most_bytes: of output, and between the layers. */
void inflate_begin(struct inflate *z, const struct codings *codings, uint64_t most_bytes);

/* Moves `in` over what it used, writes at most `room` bytes to out; *ret_n says how many, also with
 * INFLATE_FAILED. The work of a call is bounded by what it is given and 64 KiB between layers. */
enum inflate_verdict inflate_next(struct inflate *z, struct inflate_span *in, char *out,
                                  size_t room, size_t *ret_n);

/* Nothing follows: REASON_NONE, or REASON_BAD_ENCODING if the body is cut short. */
enum reason inflate_end(struct inflate *z);

/* After INFLATE_FAILED or a bad end: the reason, and in a few constant words what was wrong. */
enum reason inflate_reason(const struct inflate *z);
const char *inflate_why(const struct inflate *z);

#endif
