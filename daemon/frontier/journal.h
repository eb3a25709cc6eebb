/* SPDX-License-Identifier: MIT */
/* The bytes of frontier.log. All numbers are little-endian; "varint" is 7 bits per byte, low bits
 * first, the top bit set on all bytes but the last.
 *
 *   file   = head batch*
 *   head   = "crawlJNL" version:u32 256:u32 first_number:u64 solid_bytes:u64 0 x 24
 *            secret:192 XXH3(the 248 bytes before):u64                            (256 bytes)
 *   batch  = B7 'j' 'b' 0A  count:u32 number:u64 length:u64 checksum:u64          (32 bytes)
 *            item x count                                                         (length bytes)
 *   item   = tag:u8 varint(length of body) body
 *
 * checksum = XXH3(items, seed XXH3(the 24 bytes before it, seed = first 8 bytes of the secret)).
 * Batch numbers begin at first_number and rise by one. The first solid_bytes of a file were synced
 * before it got its name: a bad batch there is damage, one behind them may be a torn tail.
 *
 *   tag  body
 *   F    FILE        id                       a WARC file was made
 *   A    ACCEPT      seq text                 a URL, known to the seen set
 *   a    ACCEPT_NEW  seq text                 a URL of a job without dedup, or one queued again
 *   G    GENERATED   base count               seqs reserved for a generator
 *   S    SPILL       index                    an open generated URL that leaves the window
 *   C    CURSOR      next                     generated URLs taken
 *   L    FLAG        flags                    enum ledger_flag
 *   D    DUPLICATES  count                    URLs refused as known, in all
 *   E    COMMIT      results_bytes, files, files x (id end_bytes), rows, rows x
 *                    (zigzag(seq - seq before) << 2 | outcome)
 *   N    SNAPSHOT    next_seq next_file accepted results_bytes stored dropped failed excluded,
 *                    files, files x (id end_bytes): all that went before is said by this item and
 *                    the SEEN, ACCEPT, GENERATED, WINDOW, SPILL behind it
 *   P    SEEN        fingerprints of ended URLs, u64 each
 *   W    WINDOW      cursor, 8,192 bytes of bits: index modulo 65,536 is ended or spilled
 *
 * All are varints but text (the rest of the body), fingerprints and bits. */
#ifndef FRONTIER_JOURNAL_H
#define FRONTIER_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/outcome.h"
#include "daemon/frontier/seen.h"

#define JOURNAL_VERSION    1
#define JOURNAL_HEAD_BYTES 256
#define JOURNAL_BATCH_HEAD 32
#define JOURNAL_BATCH_MAX  (8u << 20) /* bytes of items */
#define JOURNAL_WHY_BYTES  512

enum item_tag {
    ITEM_FILE = 'F',
    ITEM_ACCEPT = 'A',
    ITEM_ACCEPT_NEW = 'a',
    ITEM_GENERATED = 'G',
    ITEM_SPILL = 'S',
    ITEM_CURSOR = 'C',
    ITEM_FLAG = 'L',
    ITEM_DUPLICATES = 'D',
    ITEM_COMMIT = 'E',
    ITEM_SNAPSHOT = 'N',
    ITEM_SEEN = 'P',
    ITEM_WINDOW = 'W',
};

struct journal_head {
    uint64_t first_number;
    uint64_t solid_bytes;
    uint8_t secret[SEEN_SECRET_BYTES];
};

void journal_head_put(struct buf *b, const struct journal_head *h);

/* A batch being built: room for its head, then items. `count` is the caller's. */
void batch_begin(struct buf *b);
void batch_seal(struct buf *b, const struct journal_head *h, uint64_t number, uint32_t count);

void journal_varint(struct buf *b, uint64_t n);

/* An item of one or two numbers and what follows them. */
void item_put1(struct buf *b, enum item_tag tag, uint64_t n);
void item_put2(struct buf *b, enum item_tag tag, uint64_t n, uint64_t m);
void item_put(struct buf *b, enum item_tag tag, uint64_t n, const void *rest, size_t len);
void item_bytes(struct buf *b, enum item_tag tag, const void *body, size_t len);

/* One row of a COMMIT; *last is the seq before, 0 at first. */
void commit_row_put(struct buf *b, uint64_t *last, uint64_t seq, enum outcome outcome);

/* ---- reading */

/* Bytes being taken apart; `bad` is set, and zeros are given, once they do not suffice. */
struct cut {
    const uint8_t *p, *end; /* borrowed */
    bool bad;
};

uint64_t cut_varint(struct cut *c);
uint64_t cut_u64(struct cut *c);

/* The next item of a batch: its tag and body; false at the end or when malformed (c->bad). */
bool cut_item(struct cut *c, uint8_t *ret_tag, struct cut *ret_body);
bool commit_row_cut(struct cut *c, uint64_t *last, uint64_t *ret_seq, enum outcome *ret_outcome);

/* A file read through one window of memory that moves over it. */
struct pager {
    int fd; /* borrowed */
    uint64_t size;
    char *p; /* owned */
    size_t len, cap;
    uint64_t off; /* of p in the file */
};

void pager_done(struct pager *g);

/* n bytes at off, valid until the next call; reads `ahead` bytes if it must read. -ENODATA if
 * the file ends before, or -errno. */
int pager_at(struct pager *g, uint64_t off, size_t n, size_t ahead, const char **ret_p);

struct journal_reader {
    struct pager pager;
    struct journal_head head;
    uint64_t pos;    /* end of the last whole batch */
    uint64_t number; /* of the next batch */
};

struct batch_view {
    uint64_t off; /* of its head in the file */
    uint64_t number;
    uint32_t count;
    struct cut items; /* borrowed from the pager */
};

/* fd is borrowed. -EUCLEAN, -EPROTONOSUPPORT (another version) with why, or -errno. */
int journal_reader_init(struct journal_reader *r, int fd, char why[JOURNAL_WHY_BYTES]);
void journal_reader_done(struct journal_reader *r);

/* 1: a whole batch; 0: no more of them (what is behind r->pos is a tail); else -errno. */
int journal_reader_next(struct journal_reader *r, struct batch_view *ret_batch);

/* Looks through the tail for a whole batch numbered r->number or higher: 1 if there is one, so
 * that the tail is damage; 0 if not; else -errno. */
int journal_reader_tail(struct journal_reader *r, uint64_t *ret_off);

#endif
