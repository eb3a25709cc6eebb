/* SPDX-License-Identifier: MIT */
/* The row of a fetch in results.jsonl, as far as a worker knows it: the members behind url and
 * outcome, without braces. At most MACHINE_TAIL_BYTES. */
#ifndef FETCH_ROW_H
#define FETCH_ROW_H

#include "common/buf.h"
#include "daemon/fetch/fetch.h"

/* Replaces what is in out. worker: its number. */
void row_write(const struct fetch *f, int worker, struct buf *out);

#endif
