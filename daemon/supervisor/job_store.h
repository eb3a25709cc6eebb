/* SPDX-License-Identifier: MIT */
/* job.json on disk. */
#ifndef SUPERVISOR_JOB_STORE_H
#define SUPERVISOR_JOB_STORE_H

#include <jansson.h>

#include "daemon/supervisor/job.h"

#define JOB_FILE_VERSION 1

/* On the disk thread: makes the directory if need be, replaces job.json. 0 or -errno. */
int job_store_write(const char *dir, const char *text);

/* On the disk thread: the specification that the text holds, with its words if it is not over.
 * NULL, or what is wrong (static) and nothing to free. */
const char *job_store_read(const char *dir, const json_t *text, struct job_spec *ret_spec);

/* The job that the text describes, its specification as job_store_read() gave it, or what it said
 * is wrong; closed ones are ready, others want job_open(). NULL, and said in the log, if it cannot
 * be used. */
struct job *job_store_load(struct supervisor *s, const char *dir, const json_t *text,
                           struct job_spec *take_spec, const char *wrong);

#endif
