/* SPDX-License-Identifier: MIT */
/* Hashes the payload of an HTTP message that comes in pieces: what follows its first head, with
 * the chunked transfer coding taken off. Where the framing is damaged or cut the payload ends. No
 * allocation. */
#ifndef STORE_PAYLOAD_H
#define STORE_PAYLOAD_H

#include <stdbool.h>

#include "common/sha1.h"

struct payload {
    struct sha1 sha1;
    uint64_t left_bytes; /* of the chunk */
    uint8_t state;
    bool chunked, folding; /* folding: the last header line was Transfer-Encoding */
    uint8_t line_len;
    char line[64]; /* start of the header line */
};

void payload_init(struct payload *p);
void payload_add(struct payload *p, const char *bytes, size_t n);

#endif
