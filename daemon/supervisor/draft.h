/* SPDX-License-Identifier: MIT */
/* Drafts: jobs submitted whose lists of words are still to come, by job.words. The first job.add
 * makes a draft a job; with its client it goes. */
#ifndef SUPERVISOR_DRAFT_H
#define SUPERVISOR_DRAFT_H

#include "daemon/supervisor/control.h"

struct draft {
    struct list link;            /* in supervisor->drafts */
    const struct client *client; /* whose it is; compared only */
    struct job_spec spec;        /* owned; words are added to it */
    bool paused;                 /* the job begins held */
};

/* How many lists are to be uploaded. */
size_t draft_uploads(const struct job_spec *spec);

/* Answers job.submit: a draft, or refused. */
void draft_submit(struct request *r, struct job_spec *take_spec);

/* NULL if there is none of that name. */
struct draft *draft_find(const struct supervisor *s, const char *name);
void draft_free(struct draft *d);

#endif
