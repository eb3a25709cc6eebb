/* SPDX-License-Identifier: MIT */
/* A job's durable truth: which URLs were accepted, which have ended, and every byte on disk that
 * says so. It implements "The commit protocol": one ordered list of pending items, one cycle at a
 * time on the disk thread, one batch as the commit point, recovery that equals a restart.
 *
 * All calls are made on the loop. None of them blocks or makes a file-system call; the news come
 * back through struct ledger_ops, also on the loop, in slices of at most 10 ms.
 *
 * Legal order: ledger_new(), then ledger_create() or ledger_open(), wait for ops.opened(0), then
 * anything; ledger_free() after ops.closed(). */
#ifndef FRONTIER_LEDGER_H
#define FRONTIER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "common/outcome.h"
#include "daemon/frontier/disk.h"

struct ledger;

enum ledger_durability { LEDGER_BATCH, LEDGER_EACH, LEDGER_OS };

/* Flags in the journal; once set they stay. */
enum ledger_flag { LEDGER_LAST = 1, LEDGER_CANCEL = 2 };

/* A URL that waits: its seq and, where the reader asked for it, its text. */
struct ledger_url {
    uint64_t seq;
    const char *url; /* borrowed until the callback returns; not NUL-terminated */
    uint32_t len;
};

struct ledger_counts {
    uint64_t accepted, duplicates;      /* durable; distinct URLs taken in; refused as known */
    uint64_t ended[OUTCOME_COUNT];      /* durable rows by outcome */
    uint64_t results_bytes;             /* committed length of results.jsonl */
    uint64_t journal_bytes, seen_bytes; /* size on disk; memory of the seen set */
    uint64_t open_bytes;                /* memory of what is known of open URLs */
    uint64_t pending_bytes;             /* memory of items and rows not yet durable: a producer
                                           that outruns the disk must look at it */
};

struct ledger_ops {
    /* Creation or recovery is over: err 0, -errno, -EPROTONOSUPPORT for another version of the
     * state, or -EUCLEAN for damage (`why` says where and names the repair command; it may be
     * NULL if err is 0). `torn` bytes were cut from the journal's tail. After an error
     * ledger_recover() may be called to try again, or ledger_close(). */
    void (*opened)(void *owner, int err, const char *why, uint64_t torn_bytes);

    /* URLs that are on disk and wait for a fetch: at recovery all open ones, later those of each
     * batch, in order of seq. Seqs of generated URLs never come this way. */
    void (*queued)(void *owner, const struct ledger_url *urls, size_t count);

    /* The row of a URL is committed. */
    void (*ended)(void *owner, uint64_t seq, enum outcome outcome);

    /* The text of URLs asked for by ledger_read(), in the order asked, one call for each
     * ledger_read() in the order of those; url is NULL where there is no such open URL. After
     * ops.failed those still asked for are never answered. */
    void (*read)(void *owner, const struct ledger_url *urls, size_t count);

    /* A file was made (file > 0, fd and final name borrowed until return; cookie as given), or
     * could not be (file 0): for want of descriptors, or because the ledger failed. */
    void (*file)(void *owner, uint64_t cookie, uint32_t file, int fd, const char *name);

    /* A write or fsync failed: every lease and file of the job must be given back by all workers,
     * then call ledger_recover(). Until `opened` comes nothing may be put into the ledger; what is
     * put all the same is dropped. Waits have had the error before this call. */
    void (*failed)(void *owner, int err, const char *what);

    /* ledger_close() is over: nothing of this ledger runs on the disk thread any more. */
    void (*closed)(void *owner);
};

/* dir: the job's directory, copied; its last part is the job's name. suffix: of WARC files,
 * ".warc.gz" or ".warc", copied: file 7 of job "news" is warc/000007-news.warc.gz. */
struct ledger *ledger_new(struct disk *disk, struct ev_loop *loop, const char *dir,
                          const char *suffix, enum ledger_durability durability,
                          int64_t commit_interval_ns, const struct ledger_ops *ops, void *owner);
void ledger_free(struct ledger *l);

/* Another durability or interval, from the next cycle on. */
void ledger_set_pace(struct ledger *l, enum ledger_durability durability,
                     int64_t commit_interval_ns);

/* Makes frontier.log, results.jsonl (first seq 1) and warc/ in the directory, which must be
 * there. -EEXIST if there is a frontier.log. */
void ledger_create(struct ledger *l);

/* Recovers what is there; ledger_progress() tells meanwhile how much was read, in percent. */
void ledger_open(struct ledger *l);
unsigned ledger_progress(const struct ledger *l);

/* After ops.failed, when all workers have answered: reads the job again from disk. */
void ledger_recover(struct ledger *l);

/* Commits what is pending, finishes the files asked for, then ops.closed. In a ledger that has
 * failed nothing is committed. */
void ledger_close(struct ledger *l);

/* Takes in a canonical URL (or, for what is no URL, any text of at most URL_MAX_GIVEN bytes):
 * its new seq, or 0 if it was there before (only with dedup). It will come back by ops.queued
 * unless `ends` is set: then the caller gives its row at once and it is never queued. */
uint64_t ledger_accept(struct ledger *l, const char *url, size_t len, bool dedup, bool ends);

/* The row of a URL, whole line with its newline; file 0 means no WARC record. Rows of one file
 * must come in file order. 0, or -EINVAL and nothing is taken: the URL is not open (it has its row
 * already, or never was), the file is not open or was finished, or its end goes backwards. */
int ledger_row(struct ledger *l, uint64_t seq, enum outcome outcome, const char *row, size_t len,
               uint32_t file, uint64_t end_bytes);

/* A record that no row names (a redirect hop, an attempt that is tried again). 0 or -EINVAL. */
int ledger_hop(struct ledger *l, uint32_t file, uint64_t end_bytes);

void ledger_flag(struct ledger *l, enum ledger_flag flag);
bool ledger_has(const struct ledger *l, enum ledger_flag flag);

/* The first of the `count` seqs of the job's generator, reserved when first asked for; 0 if another
 * count was. */
uint64_t ledger_generated(struct ledger *l, uint64_t count);

/* The cursor has passed `next` generated URLs; counts them as accepted when durable. SPILLs are
 * made inside as the protocol's rule 13 says; after recovery ledger_generated_open() lists the
 * indices below the cursor that are still open. */
void ledger_cursor(struct ledger *l, uint64_t next);
uint64_t ledger_cursor_now(const struct ledger *l);
size_t ledger_generated_open(const struct ledger *l, uint64_t *ret_indices, size_t cap,
                             uint64_t from);

/* Text of accepted URLs, read on the disk thread; at most LEDGER_READ_MAX at once. */
#define LEDGER_READ_MAX 1024
void ledger_read(struct ledger *l, const uint64_t *seqs, size_t count);

/* Waiting until everything put in so far is durable. done() gets 0 or -errno; cancel by
 * list_del(&w->link). A waiting add starts the next cycle at once. */
struct ledger_wait {
    struct list link;
    uint64_t position; /* set by ledger_wait() */
    void (*done)(struct ledger_wait *w, int err);
};
void ledger_wait(struct ledger *l, struct ledger_wait *w);

/* WARC files. `finish` is for a file its worker has left, failed or died with: when its rows are
 * committed it is cut to its last end, synced, renamed (or unlinked when empty). */
void ledger_file_new(struct ledger *l, uint64_t cookie);
void ledger_file_finish(struct ledger *l, uint32_t file);

struct ledger_counts ledger_counts(const struct ledger *l);

/* Is the URL known? For `why`. */
bool ledger_seen(const struct ledger *l, const char *url, size_t len);

#endif
