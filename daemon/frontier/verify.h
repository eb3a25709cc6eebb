/* SPDX-License-Identifier: MIT */
/* Looking at a job's files without changing them, and, where they contradict each other, cutting
 * them back to what is whole. Needs no loop and no ledger. verify_job() may run while a ledger
 * works on the same files: it looks at what was committed when it began. verify_repair() may not.
 */
#ifndef FRONTIER_VERIFY_H
#define FRONTIER_VERIFY_H

#include <stdint.h>

#include "common/outcome.h"

struct verify_report {
    uint64_t batches, journal_bytes, torn_bytes; /* torn: behind the last whole batch */
    uint64_t accepted, open, ended[OUTCOME_COUNT];
    uint64_t rows, results_bytes; /* committed */
    uint64_t records;             /* rows that point into a WARC file */
    uint64_t files, warc_bytes;   /* with committed records */
    uint64_t problems;
};

/* dir: the job's directory. Each problem is told in one line; after 100 they are only counted.
 * 0 (also with problems) or -errno when the files cannot be read. */
int verify_job(const char *dir, void (*problem)(void *arg, const char *text), void *arg,
               struct verify_report *ret);

/* Cuts the journal before the first batch that is not whole, or that names more of results.jsonl
 * or of a WARC file than there is; the part cut off is kept as frontier.log.cut. The next recovery
 * brings the other files into line: their URLs are fetched again. ret_cut_bytes is 0 if nothing
 * was wrong. 0; -EUCLEAN if the head or a snapshot is damaged, which cannot be repaired; -errno. */
int verify_repair(const char *dir, uint64_t *ret_cut_bytes);

#endif
