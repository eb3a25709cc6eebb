/* SPDX-License-Identifier: MIT */
/* Reads a WARC file record by record and checks it: frames, lengths, digests, one gzip member per
 * record. Trusts nothing in the file: memory is bounded whatever it says; the time is that of
 * reading (and inflating) it once.
 *
 * Limits: WARCREAD_HEAD_BYTES for a record's header. */
#ifndef STORE_WARCREAD_H
#define STORE_WARCREAD_H

#include <stdbool.h>
#include <stdint.h>

#define WARCREAD_HEAD_BYTES 65536

struct warcread;

struct warc_record {
    const char *type, *target; /* borrowed until the next call; target is NULL if it has none */
    uint64_t offset;           /* in the file, of the record or its member */
    uint64_t stored_bytes;     /* in the file */
    uint64_t block_bytes;      /* its Content-Length */
    bool digest_ok; /* its sha1 digests, of block and payload, are right; true if it has none */
};

/* fd: borrowed, read from where it stands; offsets count from there. 0 or -errno. */
int warcread_new(int fd, struct warcread **ret_reader);
void warcread_free(struct warcread *w);

/* 1: a whole record. 0: the end of the file, right behind a record. -EBADMSG: the file is damaged,
 * see warcread_why(). -errno: cannot be read. After 0 or an error always the same. */
int warcread_next(struct warcread *w, struct warc_record *ret_record);

/* After -EBADMSG: what is wrong and where the bad record begins; all before it is whole. */
const char *warcread_why(const struct warcread *w, uint64_t *ret_offset);

#endif
