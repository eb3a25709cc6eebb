/* SPDX-License-Identifier: MIT */
/* Reading single records of WARC files, as rows of results.jsonl point at them. Files come from
 * disk and may be cut or damaged; every length is checked. */
#ifndef COMMON_WARCFILE_H
#define COMMON_WARCFILE_H

#include <stdint.h>

#include "common/buf.h"

#define WARCFILE_RECORD_MAX (INT64_C(1) << 31) /* bytes of a record, compressed or not */

/* Opens DIR/NAME, or NAME.open while it is being written; name must be one path part. 0, or
 * -errno. dir_fd: the job's warc directory. */
int warcfile_open(int dir_fd, const char *name, int *ret_fd);

/* The record of `length` bytes at `offset`, uncompressed if it is a gzip member. 0, -errno,
 * -EBADMSG if it is no whole gzip member or record, -EFBIG. ret_record must be empty. */
int warcfile_record(int fd, uint64_t offset, uint64_t length, struct buf *ret_record);

/* The block of a record: what Content-Length of its WARC head counts. Points into the record. 0, or
 * -EBADMSG. */
int warcfile_block(const struct buf *record, const char **ret_block, size_t *ret_len);

#endif
