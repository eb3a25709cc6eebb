/* SPDX-License-Identifier: MIT */
/* Turns finished exchanges into WARC records and appends them to the job's current file, on a
 * thread of its own. Captures of one job are written in the order they are put; `done` is called
 * on the loop, in that order (but for those that were revoked), never from within store_put().
 *
 * A file comes from the supervisor with store_file(). Captures put after it go there; when those
 * before it are written, `left` is told for the old one. Captures of a job that has no file wait.
 * Rotation is the supervisor's: it sees each capture's `end`. It also bounds how many files are
 * open, because what is closed here cannot be opened again.
 *
 * A file ends in one of three ways: `left`; a write to it failed (captures of it with `err`, see
 * there); store_revoke(). */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/list.h"

struct store;

/* What travels between loop and thread; the first member of everything that does. */
struct store_link {
    struct list list;
    uint8_t kind;
};

/* One exchange; embedded in or owned by its fetch until done. All buffers are the capture's. From
 * store_put() until `done` it belongs to the store. */
struct capture {
    struct store_link link; /* the store's */
    uint32_t job;
    uint64_t lease;  /* for the blame cell */
    const char *url; /* canonical; borrowed until done */
    uint32_t url_len;
    const char *ip; /* text of the peer's address, or NULL; borrowed until done */
    const char *tls_version, *tls_cipher; /* "1.2" and IANA's name, constant; NULL: no TLS */
    int64_t wall_ns;                      /* when the request began: WARC-Date of all its records */
    struct buf request;                   /* bytes as sent */
    struct buf response;      /* bytes as received: head, then body with its transfer coding; no 1xx
                                 before it: readers take the first head for the answer's */
    uint8_t payload_sha1[20]; /* of the body, transfer coding removed; of what is stored */
    bool has_payload;         /* payload_sha1 is set */
    bool dense;               /* the body is compressed already: its record is not again */
    const char *truncated;    /* NULL, "length", "time" or "disconnect" */

    uint32_t file;         /* out: 0 if no record was written */
    const char *file_name; /* out: final name; borrowed from the store until the file has ended */
    uint64_t offset, end;  /* out: from the response record's first byte; to the request's end */
    uint64_t length;       /* out: bytes of the response record */
    int err; /* out: 0; -ECANCELED: revoked or the job is gone; else -errno: the write to `file`
                failed, which is never written again (no `left` for it). Nothing of it is to be
                believed then */
    void (*done)(struct capture *c);

    struct store_job_state *state; /* the store's from here on */
    uint32_t epoch;
    size_t queued_bytes;
    size_t made_at, made_bytes;
};

/* What warcinfo records say. Strings are copied; they may be NULL. */
struct store_job {
    uint32_t job;
    bool gzip; /* one member per record */
    const char *software, *operator_contact, *robots, *user_agent, *job_name;
};

struct store_ops {
    /* The file is closed and complete: never written again. */
    void (*left)(void *owner, uint32_t job, uint32_t file);
};

/* blame: a cell of the stats block, set to the lease whose record is being made. */
struct store *store_new(struct ev_loop *loop, const struct store_ops *ops, void *owner,
                        volatile uint64_t *blame);

/* Writes what was put and can be written; calls back nothing any more. */
void store_free(struct store *s);

/* Before the job's first file or capture; a second time it changes nothing. */
void store_job(struct store *s, const struct store_job *job);

/* The job's files are left; captures that wait for a file get -ECANCELED. */
void store_job_gone(struct store *s, uint32_t job);

/* take_fd: O_APPEND. name: final name, copied. Of an unknown job: closed, nothing told. */
void store_file(struct store *s, uint32_t job, uint32_t file, const char *name, int take_fd);

/* Of an unknown job: done with -ECANCELED. */
void store_put(struct store *s, struct capture *c);

/* Drops what was put of the job (`done` with -ECANCELED, also where it was written already) and
 * closes its files; then, on the loop, `then`. What is put afterwards waits for a new file. */
void store_revoke(struct store *s, uint32_t job, void (*then)(void *owner, uint32_t job));

/* Bytes of captures put and not yet done. */
uint64_t store_queued_bytes(const struct store *s);

#endif
