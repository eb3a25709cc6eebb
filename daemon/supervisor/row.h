/* SPDX-License-Identifier: MIT */
/* The supervisor's part of a row of results.jsonl: what it knows itself. The worker's part, `tail`,
 * is taken as it is, but for control bytes, which would break the line. */
#ifndef SUPERVISOR_ROW_H
#define SUPERVISOR_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/outcome.h"

/* `{"seq":…,"url":…,"outcome":…` */
void row_head(struct buf *b, uint64_t seq, const char *url, enum outcome outcome);

/* `,"final_url":…,"redirects":[…]`; the last of `urls` is the final one. */
void row_redirects(struct buf *b, char *const *urls, unsigned count);

/* The reason, if the tail does not give it, the tail, `}` and the newline. */
void row_tail(struct buf *b, enum reason reason, const char *tail, size_t tail_len);

#endif
