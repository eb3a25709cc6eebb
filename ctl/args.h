/* SPDX-License-Identifier: MIT */
/* Command-line options as tables of rows. Options may stand anywhere; "--" ends them; "-x V",
 * "-xV", "--name V" and "--name=V" give a value. Unknown ones are refused with a did-you-mean. */
#ifndef CTL_ARGS_H
#define CTL_ARGS_H

#include <stdbool.h>

struct flag {
    const char *name; /* without dashes; NULL ends a table */
    char letter;      /* 0: none */
    bool bare;        /* takes no value */
    /* 0, or the exit code of a complaint it said; value is NULL if bare. */
    int (*take)(const struct flag *flag, const char *value, void *target);
    void *target;     /* borrowed; what `take` fills */
    const void *more; /* borrowed; whatever else `take` wants */
};

/* Takers: bool *, const char **, int64_t * of nanoseconds, int64_t * not below 0. */
int flag_set(const struct flag *flag, const char *value, void *target);
int flag_text(const struct flag *flag, const char *value, void *target);
int flag_span(const struct flag *flag, const char *value, void *target);
int flag_count(const struct flag *flag, const char *value, void *target);

/* Says that the value is not what the option takes; EXIT_USAGE. */
int flag_refuse(const struct flag *flag, const char *value, const char *wanted);

/* Takes the options out of argv[0..*argc); the words that stay are moved to the front. tables end
 * with NULL. only_leading: stops at the first word. 0, or an exit code. */
int args_parse(const struct flag *const *tables, bool only_leading, int *argc, char **argv);

#endif
