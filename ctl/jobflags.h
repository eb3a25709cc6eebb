/* SPDX-License-Identifier: MIT */
/* Options and arguments of submit and run, made into a job specification. Every row of
 * common/spec.def is an option.
 *
 * jobflags_new ▸ args (jobflags_table) ▸ jobflags_spec ▸ jobflags_free */
#ifndef CTL_JOBFLAGS_H
#define CTL_JOBFLAGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "ctl/args.h"

/* A list of words read from a file: one placeholder's values. */
struct words {
    char *name;      /* owned; the placeholder */
    struct buf text; /* words, each ended by a newline; UTF-8 without NUL */
};

struct jobflags {
    json_t *over;           /* owned; what options said */
    const char *spec_path;  /* --spec, "-" is stdin; borrowed; NULL if none */
    const char *input_path; /* -i, "-" is stdin; borrowed; NULL if none */
    struct words *words;    /* owned */
    size_t words_count;
    bool dry_run, wait, paused;
    struct flag *table; /* owned */
};

struct jobflags *jobflags_new(void);
void jobflags_free(struct jobflags *j);

/* The options, with those of `extra` (may be NULL) behind them; valid as long as both. */
const struct flag *jobflags_table(struct jobflags *j, const struct flag *extra);

/* The specification of --spec, options and URLs; words files are not in it. 0 or an exit code. */
int jobflags_spec(struct jobflags *j, int url_count, char **urls, json_t **ret_spec);

/* Does the specification or -i name any URLs? */
bool jobflags_source(const struct jobflags *j, const json_t *spec);

/* Lists every option on stdout. */
void jobflags_help(void);

#endif
