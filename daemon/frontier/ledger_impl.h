/* SPDX-License-Identifier: MIT */
/* The inside of a ledger, shared by its parts:
 *
 *   ledger.c   life: new, create, open, failure, close; the ops on the disk thread
 *   put.c      what is put in: the batch being built
 *   cycle.c    the commit cycle and what follows from it
 *   warcs.c    WARC files: made, finished
 *   texts.c    the text of open URLs, read back
 *   compact.c  the snapshot
 *   recover.c  what is on disk, made true (uses no ledger)
 *
 * Everything in struct ledger belongs to the loop but `on_disk`, which belongs to the disk thread
 * while an op is asked for. */
#ifndef FRONTIER_LEDGER_IMPL_H
#define FRONTIER_LEDGER_IMPL_H

#include "common/buf.h"
#include "daemon/frontier/ledger.h"
#include "daemon/frontier/recover.h"
#include "daemon/frontier/state.h"

#define CYCLE_BYTES      (1u << 20) /* of items: a batch being built is closed behind it */
#define CYCLE_ROWS_BYTES (4u << 20)
#ifndef CYCLE_ITEMS        /* smaller in the fault tests */
#define CYCLE_ITEMS 16384u /* items and rows; bounds the loop's work after a cycle */
#endif
#define RESERVE_BYTES (4u << 20) /* kept allocated behind frontier.log */

enum phase { PHASE_NEW, PHASE_OPENING, PHASE_OPEN, PHASE_FAILED, PHASE_CLOSING, PHASE_CLOSED };

struct ledger;

/* One thing for the disk thread to do. */
struct op {
    struct disk_op disk;
    struct ledger *l;
    int (*run)(struct op *op);       /* on the disk thread: 0, or an error that fails the ledger */
    void (*finished)(struct op *op); /* on the loop; frees the op */
    const char *what;                /* for the log; static */
    bool anyway;                     /* run it although the ledger has failed */
    int err;                         /* what run() gave; -ECANCELED if it was not run */
};

/* The disk thread's side. */
struct on_disk {
    int journal_fd, results_fd; /* -1: closed */
    uint64_t journal_bytes, results_bytes, reserved_to;
    uint64_t number;     /* of the next batch */
    uint64_t generation; /* another one when offsets into frontier.log change */
    struct journal_head head;
    int failed; /* the error after which nothing is done any more, or 0 */
};

struct warc_file {
    struct list link;
    uint32_t id;
    int fd;                       /* owned */
    uint64_t reported, committed; /* bytes: end of its last record put in; and committed */
    bool finish;                  /* wanted when no batch names it any more */
    unsigned cycle_count;         /* batches not durable that name it */
    struct cycle *cycle;          /* the batch being built, if it touches the file */
    size_t slot;                  /* its place in cycle->files */
};

struct file_end {
    struct warc_file *file;
    uint64_t end_bytes;
};

struct put_url {
    uint64_t seq;
    uint32_t off, len; /* of its text in cycle->items */
};

struct put_row {
    uint64_t seq;
    enum outcome outcome;
};

struct put_mark {
    uint64_t ordinal;
    uint64_t off; /* of its ACCEPT in cycle->items */
};

/* A batch with its rows, from the first item put in until it is durable. */
struct cycle {
    struct op op;
    struct list link; /* in ledger.pending, oldest first */
    struct buf items; /* batch head and items */
    uint32_t item_count;
    struct buf rows;  /* text */
    struct buf urls;  /* struct put_url: to be queued */
    struct buf ended; /* struct put_row */
    struct buf files; /* struct file_end */
    struct buf marks; /* struct put_mark: first ordinals of groups */
    uint64_t accepted_count, duplicates;
    bool syncs;             /* durability is not `os` */
    uint64_t position;      /* ledger.position behind its last item */
    uint64_t pending_bytes; /* its share of ledger.pending_bytes, once it is closed */
    uint64_t off;           /* from the disk thread: where its batch lies */
    uint64_t results_bytes, journal_bytes; /* from the disk thread: lengths after it */
};

struct ledger {
    struct disk *disk;    /* borrowed */
    struct ev_loop *loop; /* borrowed */
    const struct ledger_ops *ops;
    void *owner;
    char *dir, *warc_dir, *suffix; /* owned */
    const char *name;              /* in dir */
    enum ledger_durability durability;
    int64_t interval_ns;
    enum phase phase;
    int err; /* why it failed */
    unsigned asked_count;

    struct state *state; /* owned; URLs and flags as put in, counts as durable */
    uint64_t durable_duplicates, journal_bytes;
    uint64_t generation;   /* of the offsets in the roster */
    uint64_t generations;  /* given out */
    struct list pending;   /* struct cycle */
    uint64_t ends_seq;     /* accepted with `ends`: its row belongs into the same batch */
    struct cycle *running; /* owned */
    struct cycle *spare;   /* owned; its memory is used again while there is much to do */
    bool compacting;
    uint64_t compact_at;          /* journal length before which compaction is not tried again */
    uint64_t position, durable;   /* items put in; of those, durable */
    uint64_t pending_bytes;       /* of cycles closed or running */
    struct list waits;            /* struct ledger_wait, by position */
    struct list files;            /* struct warc_file */
    struct list making;           /* struct making: files asked for */
    struct list reads;            /* texts.c: reads asked for and not yet told, oldest first */
    uint64_t feed_next, feed_end; /* ordinals still to be queued after recovery */
    ev_timer timer;
    ev_tstamp started; /* the last cycle's start */

    struct recovered recovered; /* of the recovery that runs */
    struct on_disk on_disk;
};

/* ledger.c */
void ledger_ask(struct ledger *l, struct op *op);
void ledger_settle(struct ledger *l);

/* put.c */
struct cycle *put_open(struct ledger *l);
void put_done(struct ledger *l, struct cycle *c);
void put_closed(struct ledger *l, struct cycle *c);

/* cycle.c */
void cycle_kick(struct ledger *l);
void cycle_turn(struct ev_loop *loop, ev_timer *w, int revents);
struct cycle *cycle_new(struct ledger *l);
void cycle_free(struct cycle *c);
void waits_answer(struct ledger *l, int err);

/* warcs.c */
struct warc_file *warcs_find(struct ledger *l, uint32_t id);
void warcs_finish_ready(struct ledger *l);
void warcs_failed(struct ledger *l);
char *warcs_path(const struct ledger *l, uint32_t id, const char *behind);

/* texts.c */
void texts_feed(struct ledger *l);
void texts_drop(struct ledger *l);

/* compact.c */
bool compact_wanted(const struct ledger *l);
void compact_start(struct ledger *l);

#endif
