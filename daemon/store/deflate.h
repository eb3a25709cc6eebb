/* SPDX-License-Identifier: MIT */
/* Makes small records into gzip members (RFC 1952 around RFC 1951), at a third of what a general
 * compressor costs, because that spends most of its time on getting ready. Pure: the same bytes in
 * give the same bytes out. One struct deflate per thread. */
#ifndef STORE_DEFLATE_H
#define STORE_DEFLATE_H

#include <stddef.h>

#define DEFLATE_MAX_BYTES 8192

struct deflate;

struct deflate *deflate_new(void);
void deflate_free(struct deflate *d);

/* No member of n bytes is larger than this. */
size_t deflate_gzip_bound(size_t n);

/* Writes the n <= DEFLATE_MAX_BYTES bytes of `in` as one member to `out`, where there is room for
 * deflate_gzip_bound(n) bytes, and returns its length. */
size_t deflate_gzip(struct deflate *d, const void *in, size_t n, void *out);

#endif
