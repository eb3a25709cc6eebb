/* SPDX-License-Identifier: MIT */
/* The durable truth of one job: what reading whole batches one after another gives. Recovery
 * builds it on the disk thread and hands it to the loop, which goes on with the same object. */
#ifndef FRONTIER_STATE_H
#define FRONTIER_STATE_H

#include "daemon/frontier/journal.h"
#include "daemon/frontier/roster.h"
#include "daemon/frontier/window.h"

#define STATE_FILE_MAX (1u << 24)
#define STATE_URLS_MAX (UINT64_C(1) << 40)

struct state {
    struct journal_head head;
    bool keeps_seen; /* fingerprints are wanted: not where only the open part is */
    struct seen seen;
    struct roster roster;
    struct window window;
    uint64_t next_seq;  /* from 1 */
    uint32_t next_file; /* from 1 */
    uint64_t *ends;     /* owned; committed end of each WARC file by id, bytes; 0: none */
    uint32_t end_count;
    unsigned flags; /* enum ledger_flag */
    uint64_t accepted, duplicates, ended[OUTCOME_COUNT], results_bytes;
    uint64_t accept_count, accept_bytes; /* ACCEPT items read or put in, to guess a size */
};

struct state *state_new(const struct journal_head *head, bool keeps_seen);
void state_free(struct state *s);

/* Where a seq stands among those that are accepted with their text. */
static inline uint64_t state_ordinal(const struct state *s, uint64_t seq)
{
    return seq < s->window.base ? seq : seq - s->window.count;
}

static inline uint64_t state_seq(const struct state *s, uint64_t ordinal)
{
    return ordinal < s->window.base ? ordinal : ordinal + s->window.count;
}

uint64_t state_file_end(const struct state *s, uint32_t file);
void state_file_grew(struct state *s, uint32_t file, uint64_t end_bytes);

/* Takes a batch in. -EUCLEAN with why if its items contradict what was before. */
int state_apply(struct state *s, const struct batch_view *batch, char why[JOURNAL_WHY_BYTES]);

#endif
