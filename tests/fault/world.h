/* SPDX-License-Identifier: MIT */
/* One ledger on the simulated disk, clients that add URLs and one worker that writes records: the
 * test's own memory of what was promised, to be held against what is found after a crash. */
#ifndef TESTS_FAULT_WORLD_H
#define TESTS_FAULT_WORLD_H

#include "daemon/frontier/ledger_impl.h"
#include "tests/fault/simdisk.h"
#include "tests/fault/simfs.h"

#define WORLD_URLS      64  /* http://w/0 .. */
#define WORLD_GENERATED 400 /* g0 .. */
#define WORLD_DIR       "/jobs/sim"
#define WORLD_FILES     256

struct lease {
    uint64_t seq;
    int url; /* >= 0: a URL; < 0: generated index -1 - url */
};

#define WORLD_READS 256

/* What was asked of ledger_read(), oldest first. */
struct reads {
    uint64_t seq[WORLD_READS];
    int url[WORLD_READS];
    size_t count;
};

struct wfile {
    uint32_t id; /* 0: none */
    int fd;
    uint64_t end; /* as the worker knows it */
};

struct world {
    uint64_t seed;
    struct rnd rnd;
    bool dead;  /* the process is gone: what its ledger still says is not heard */
    bool quiet; /* no worker writes between file-system calls */
    struct ev_loop *loop;
    struct disk *disk;
    struct ledger *ledger;
    bool opened, failed, closed, asked_file;
    int open_err;
    char why[JOURNAL_WHY_BYTES];
    bool generates;

    struct lease queue[4096], held[8];
    size_t queue_count, held_count;
    struct reads reads;
    struct wfile file;
    uint64_t hop_ends[4096]; /* record ends that no row names: file << 32 | end */
    size_t hop_count;

    /* promises */
    bool given[WORLD_URLS], acked[WORLD_URLS];
    bool last_sent, last_acked, last_urls[WORLD_URLS];
    uint64_t cursor_acked;
    struct buf said; /* rows announced as committed */
    uint64_t recoveries, row_count;
};

/* The first broken promise ends the program with the seed. */
__attribute__((noreturn, format(printf, 2, 3))) void world_violation(const struct world *w,
                                                                     const char *fmt, ...);
#define MUST(w, cond, ...)                                                                         \
    do {                                                                                           \
        if (!(cond))                                                                               \
            world_violation(w, __VA_ARGS__);                                                       \
    } while (0)

struct world *world_new(uint64_t seed);
void world_free(struct world *w);

/* One random thing happens. */
void world_event(struct world *w);

/* The process is gone; then recovered until it holds, and checked. */
void world_crash(struct world *w, bool power);
void world_recover(struct world *w);

/* No more faults: everything comes to its end; a power cut; checked. */
void world_settle(struct world *w);

/* The text of a URL, and the links on its page; -1 ends the list. */
void world_url(int url, char ret_text[32]);
const int *world_links(int url);

/* Does b begin with all of `with`? */
bool world_begins(const struct buf *b, const struct buf *with);

/* reads.c: asks for the text of queued URLs; what the ledger answers must come in that order. */
void reads_ask(struct world *w);
void reads_told(struct world *w, const struct ledger_url *urls, size_t count);

/* check.c: all promises, on a recovered ledger whose open URLs are in the queue. */
void check_promises(struct world *w);

/* At any instant: a file under its final name is what was committed. */
void check_final_names(struct world *w);
void check_second_recovery(struct world *w);

#endif
