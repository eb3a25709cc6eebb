/* SPDX-License-Identifier: MIT */
/* Blocks: hosts that are not to be asked for a while.
 *
 *      429, 503        as long as Retry-After says, a day at most; else 60 s, doubling to a day
 *      ten failures    in a row: an hour, doubling to a day
 *      the operator    for a time, or until unblocked
 *
 * A block is the host's, whatever jobs have URLs there. When it is over, one request is granted;
 * only an answer opens the host for more. Blocks in a row double until the host has not been
 * blocked for BLOCK_QUIET_NS; then all is forgotten. A host that was never blocked costs a pointer
 * and a byte.
 *
 * Time comes in from outside, also what is restored after a restart. Whatever changed stands in
 * hosts->changed until the owner has taken it from there, to be written to hosts.log. */
#ifndef FRONTIER_BLOCK_H
#define FRONTIER_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/outcome.h"

#define BLOCK_FIRST_NS    (60 * NS_PER_S)    /* of a 429 or 503 without Retry-After */
#define BLOCK_FAILURES_NS (3600 * NS_PER_S)  /* of ten failures */
#define BLOCK_MOST_NS     (86400 * NS_PER_S) /* of any but the operator's */
#define BLOCK_QUIET_NS    (1800 * NS_PER_S)
#define BLOCK_FAILURES    10
#define BLOCK_FOREVER     INT64_MAX

struct host;
struct hosts;

enum block_cause {
    BLOCK_NONE,
    BLOCK_ANSWER,   /* 429 or 503 */
    BLOCK_FAILURE,  /* ten failures in a row */
    BLOCK_OPERATOR, /* `host block` */
    BLOCK_CAUSE_COUNT
};

/* What is remembered of a host that is, or lately was, blocked. */
struct host_block {
    struct host *host;   /* borrowed; owns this */
    struct list changed; /* in hosts->changed */
    uint32_t heap_index; /* in hosts->block_times */
    uint8_t cause;       /* enum block_cause, of begin_ns .. until_ns */
    uint8_t counted;     /* enum block_cause in hosts->blocked_count now */
    uint8_t reason;      /* enum reason of the last failure */
    bool said;           /* the host has answered since it began */
    bool asked;          /* the answer had a Retry-After */
    uint16_t status;     /* 429 or 503 */
    uint8_t answers;     /* blocks of each kind in a row, for the doubling */
    uint8_t failures;
    int64_t since_ns;          /* no answer but 429 and 503 since */
    int64_t begin_ns;          /* of the last block */
    int64_t until_ns;          /* its end; past: over */
    int64_t operator_ns;       /* when the operator's began */
    int64_t operator_until_ns; /* its end; BLOCK_FOREVER; 0 none */
};

/* The host answered 429 or 503. retry_after_s 0: it did not say. */
void block_busy(struct hosts *h, struct host *host, unsigned status, uint32_t retry_after_s,
                int64_t now_ns);

/* A fetch ended without an answer. Only reasons that tell of a host in trouble count. */
void block_failed(struct hosts *h, struct host *host, enum reason reason, int64_t now_ns);

/* The host answered, and not with 429 or 503. */
void block_answered(struct hosts *h, struct host *host, int64_t now_ns);

/* The operator's. until_ns: BLOCK_FOREVER until unblocked. */
void block_by_operator(struct hosts *h, struct host *host, int64_t until_ns, int64_t now_ns);

/* Ends every block and forgets the host's past. False: there was none. */
bool block_lift(struct hosts *h, struct host *host, int64_t now_ns);

/* Puts back what a former process knew, in this one's time, unless the host has a block by now. */
void block_restore(struct hosts *h, struct host *host, const struct host_block *known,
                   int64_t now_ns);

/* The block in force, BLOCK_NONE if there is none, and its end. */
enum block_cause block_now(const struct host *host, int64_t now_ns, int64_t *ret_until_ns);

/* Since when the host could not be asked; INT64_MAX if it is not blocked. */
int64_t block_since(const struct host *host, int64_t now_ns);

/* Ends what is over, forgets what was quiet, about a thousand at most. When the next is due. */
int64_t blocks_tick(struct hosts *h, int64_t now_ns);

/* "429", "503", "connect_timeout"; "" for the operator's. */
const char *block_why(const struct host_block *b, enum block_cause cause);

const char *block_cause_name(enum block_cause cause);

#endif
