/* SPDX-License-Identifier: MIT */
/* WARC files being appended to, and the records made for them but not yet written. The store
 * thread's; nothing here knows the loop.
 *
 *     capture ─▶ batch_add: records into one buffer ─▶ batch_write: one writev per file ─▶ out */
#ifndef STORE_FILES_H
#define STORE_FILES_H

#include "daemon/store/store.h"
#include "daemon/store/warc.h"

struct deflate;
struct iovec;
struct libdeflate_compressor;

#define BATCH_BYTES (256 << 10) /* made before it must be written */

/* Sends the file back to the loop as a link; owned by the thread until then. */
struct store_file {
    struct store_link link;
    struct store_job_state *state; /* the job; not looked into here */
    uint32_t job, file, epoch;
    int fd;               /* owned; -1 closed */
    char *name;           /* owned */
    uint64_t made_end;    /* file offset behind all that was made */
    uint64_t written_end; /* file offset behind all that was written */
    int err;              /* -errno of the write that failed: never written again */
    bool begun;           /* has its warcinfo record */
    bool tell_left;
    struct warc_id info;
    struct list made; /* captures, in order */
    struct list in_batch;
};

struct batch {
    struct buf out;                                   /* records made */
    struct buf record;                                /* one record before its compression */
    struct libdeflate_compressor *gzip, *gzip_stored; /* compressing; only framing */
    struct deflate *gzip_small;                       /* compressing up to DEFLATE_MAX_BYTES */
    struct warc_ids ids;
    struct list files; /* those with captures in `made` */
};

void batch_init(struct batch *b);
void batch_done(struct batch *b);

/* Too large to be made in memory: batch_write() must have come just before its batch_add(). */
bool batch_is_large(const struct capture *c);

/* Makes the capture's records; the first of a file after its warcinfo record, whose contents are
 * `job` and `f`. Sets the capture's file, offset, end and length. */
void batch_add(struct batch *b, struct store_file *f, const struct store_job *job,
               struct capture *c);

/* Writes what was made, to all files; moves all captures to `out`, with `err` where they are not
 * wholly written. A file whose write failed has `err` then. */
void batch_write(struct batch *b, struct list *out);

/* Appends at once. False: the file has failed. */
bool file_write(struct store_file *f, const struct iovec *pieces, int count);

void file_close(struct store_file *f);
void file_free(struct store_file *f);

#endif
