/* SPDX-License-Identifier: MIT */
/* Records too large to be made in memory: they go to their file piece by piece. */
#ifndef STORE_LARGE_H
#define STORE_LARGE_H

#include <stdbool.h>

#include "common/buf.h"
#include "daemon/store/files.h"

#define LARGE_BYTES (1 << 20) /* of a record's block: beyond it is large */

enum large_coding { LARGE_PLAIN, LARGE_GZIP, LARGE_GZIP_STORED };

/* Appends head, block and the record's end to the file; nothing made for it may be unwritten.
 * scratch: memory to work in. False: the file has failed. */
bool large_write(struct store_file *f, const struct buf *head, const struct buf *block,
                 enum large_coding coding, struct buf *scratch);

#endif
