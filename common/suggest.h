/* SPDX-License-Identifier: MIT */
/* "did you mean": the known name nearest to a misspelt one. Start with suggest_init(), offer every
 * candidate, then ask. Names are bytes; beyond SUGGEST_NAME_MAX of them a name is not compared. */
#ifndef COMMON_SUGGEST_H
#define COMMON_SUGGEST_H

#include <stddef.h>

#define SUGGEST_NAME_MAX 64

struct suggest {
    const char *given;  /* borrowed */
    const char *answer; /* borrowed from the candidates; NULL if none is near */
    size_t distance;    /* edits from `given` to the nearest candidate */
};

void suggest_init(struct suggest *s, const char *given);

/* Offers a candidate; `answer` is what suggest_answer() gives if it is the nearest so far. */
void suggest_offer(struct suggest *s, const char *candidate, const char *answer);

/* The nearest, or NULL if nothing is within a third of the name's length (at least one edit). */
const char *suggest_answer(const struct suggest *s);

#endif
