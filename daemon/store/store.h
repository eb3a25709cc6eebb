/* SPDX-License-Identifier: MIT */
/* Turns finished exchanges into WARC records and appends them to the job's current file, on a
 * thread of its own. Captures of one job are written in the order they are put; `done` is called
 * on the loop, in that order.
 *
 * A file comes from the supervisor with store_file(). The store moves to a newly arrived file
 * between two captures and tells `left` for the old one. A short or failed write: every capture of
 * that file not yet written gets `err`, the file is never written again. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/list.h"

struct store;

/* One exchange; embedded in or owned by its fetch until done. All buffers are the capture's. */
struct capture {
    struct list link;
    uint32_t job;
    uint64_t lease;          /* for the blame cell */
    const char *url;         /* canonical; borrowed until done */
    uint32_t url_len;
    const char *ip;          /* text of the peer's address; borrowed until done */
    int64_t wall_ns;         /* when the request began: WARC-Date of all its records */
    struct buf request;      /* bytes as sent */
    struct buf response;     /* bytes as received: head, then body with its transfer coding */
    uint8_t payload_sha1[20]; /* of the body, transfer coding removed; of what is stored */
    bool has_payload;        /* payload_sha1 is set */
    const char *truncated;   /* NULL, "length", "time" or "disconnect" */
    bool page;               /* false: write no record (dropped, format none), only keep order */

    uint32_t file;           /* out: 0 if no record was written */
    const char *file_name;   /* out: final name; borrowed from the store until the file is left */
    uint64_t offset, end;    /* out: from the response record's first byte; to the last one's end */
    uint64_t length;         /* out: bytes of the response record */
    int err;                 /* out: 0 or -errno: nothing of it is to be believed */
    void (*done)(struct capture *c);
};

/* What warcinfo records say. Strings are copied. */
struct store_job {
    uint32_t job;
    bool gzip;               /* one member per record */
    uint64_t rotate_bytes;   /* ask for the next file beyond this */
    const char *software, *operator_contact, *robots, *user_agent, *job_name;
};

struct store_ops {
    /* The job needs a (further) file: rotation is due or its first capture waits. */
    void (*left)(void *owner, uint32_t job, uint32_t file);
};

/* blame: a cell of the stats block, set to the lease whose record is being made. */
struct store *store_new(struct ev_loop *loop, const struct store_ops *ops, void *owner,
                        volatile uint64_t *blame);
void store_free(struct store *s);

void store_job(struct store *s, const struct store_job *job);
void store_job_gone(struct store *s, uint32_t job);

/* take_fd: O_APPEND. name: final name, copied. */
void store_file(struct store *s, uint32_t job, uint32_t file, const char *name, int take_fd);

void store_put(struct store *s, struct capture *c);

/* Drops the job's waiting captures (their `done` is called with err -ECANCELED) and closes its files; `then`
 * is called on the loop when the thread has let go of them. */
void store_revoke(struct store *s, uint32_t job, void (*then)(void *owner, uint32_t job));

/* Bytes of captures put and not yet done; above 64 MiB fetches wait before they put more. */
uint64_t store_queued_bytes(const struct store *s);

#endif
