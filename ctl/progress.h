/* SPDX-License-Identifier: MIT */
/* How far jobs are: one line redrawn on a terminal, a plain line every ten seconds elsewhere. */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include <jansson.h>
#include <stdint.h>

#include "common/buf.h"

#define PROGRESS_SAMPLES 32

struct progress {
    int64_t begun_ns, said_ns; /* monotonic; said_ns: of the last plain line */
    struct {
        int64_t ns, finished;
    } samples[PROGRESS_SAMPLES]; /* ring; the oldest is at sample_count % PROGRESS_SAMPLES */
    unsigned sample_count;
};

/* Sums over jobs. */
struct progress_counts {
    int64_t accepted, queued, in_flight, stored, dropped, failed, excluded;
};

void progress_init(struct progress *p, int64_t now_ns);

/* Adds "counts" of a job. */
void progress_sum(struct progress_counts *sum, const json_t *job);
int64_t progress_finished(const struct progress_counts *c);

/* Takes a sample and draws. name: of the job, or of all of them. */
void progress_show(struct progress *p, const char *name, const struct progress_counts *c,
                   int64_t now_ns);

/* Finished URLs per second over the last samples; 0 if not known. */
double progress_rate(const struct progress *p);

/* The line of progress_show(), for columns > 0 with a bar that fits. */
void progress_text(struct buf *b, const char *name, const struct progress_counts *c, double rate,
                   int columns);

#endif
