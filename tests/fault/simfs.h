/* SPDX-License-Identifier: MIT */
/* A disk in memory that drops, reorders and tears what was not synced. A file has two images: what
 * any process reads, and what a power cut leaves for sure; between them stand the writes not yet
 * synced. Names are the same. Calls that change something are counted; at one of them the process
 * can be made to die (nothing it does has any effect from then on) or the call to fail. */
#ifndef TESTS_FAULT_SIMFS_H
#define TESTS_FAULT_SIMFS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "daemon/frontier/fs.h"

/* Small random numbers, so that a seed tells all. */
struct rnd {
    uint64_t state;
};
void rnd_init(struct rnd *r, uint64_t seed);
uint32_t rnd(struct rnd *r, uint32_t n);

extern const struct fs simfs;

struct simfs_control {
    uint64_t calls;           /* changing calls so far */
    uint64_t die_at, fail_at; /* 0: never */
    bool dead;
    void (*between)(void *arg); /* before each changing call: what other processes do meanwhile */
    void *arg;
    struct rnd rnd;
};
extern struct simfs_control simfs_control;

/* An empty disk. */
void simfs_reset(uint64_t seed);

/* The process is gone: its descriptors too. With power the unsynced writes suffer. */
void simfs_crash(bool power);

/* A worker's write through a descriptor opened with O_APPEND. */
void simfs_append(int fd, const void *p, size_t n);

/* What a process reads; NULL if there is no such file. */
const struct buf *simfs_content(const char *path);

/* A hash of all names and contents as a process sees them. */
uint64_t simfs_hash(void);

#endif
