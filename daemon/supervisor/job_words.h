/* SPDX-License-Identifier: MIT */
/* Word lists that came by job.words lie beside job.json: one file words.NAME for each, every word
 * with a NUL behind it; job.json has their number and bytes. On the disk thread. */
#ifndef SUPERVISOR_JOB_WORDS_H
#define SUPERVISOR_JOB_WORDS_H

#include "common/spec.h"

/* Into a directory that has none yet. 0 or -errno. */
int job_words_write(const char *dir, const struct job_spec *spec);

/* Gives those lists of the specification that are kept apart and not there yet their words. 0;
 * -EUCLEAN if a file is not what job.json says; -errno. */
int job_words_read(const char *dir, struct job_spec *spec);

#endif
