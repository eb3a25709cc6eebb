/* SPDX-License-Identifier: MIT */
/* Making a job's files say one thing: what the last whole batch of the journal says. On the disk
 * thread. The same after a crash, after a failed write, and when there is nothing to do: a second
 * recovery changes nothing. */
#ifndef FRONTIER_RECOVER_H
#define FRONTIER_RECOVER_H

#include <stdatomic.h>

#include "daemon/frontier/state.h"

struct recovered {
    struct state *state;         /* owned by the taker */
    int journal_fd, results_fd;  /* owned by the taker; -1 if there is none */
    uint64_t journal_bytes;      /* length after the cut */
    uint64_t number;             /* of the next batch */
    uint64_t torn_bytes;         /* cut from the journal */
    char why[JOURNAL_WHY_BYTES]; /* for an error; may be empty */
    atomic_uint percent;         /* read by the loop meanwhile */
};

void recovered_init(struct recovered *r);

/* Into one that was initialised: 0; -EUCLEAN or -EPROTONOSUPPORT with why; or -errno. Nothing is
 * owned by the taker then. */
int recover(const char *dir, const char *warc_dir, struct recovered *ret);

/* Makes an empty job's files; gives what recover() would. -EEXIST if there is a journal. */
int recover_create(const char *dir, const char *warc_dir, struct recovered *ret);

/* "dir/name"; freed by the caller. */
char *recover_path(const char *dir, const char *name);

/* A WARC file's id, and whether `.open` is behind its name; 0 if the name is foreign. */
uint32_t recover_file_id(const char *name, bool *ret_open);

#endif
