/* SPDX-License-Identifier: MIT */
/* Outcomes and reasons: the readers of outcomes.def. */
#ifndef COMMON_OUTCOME_H
#define COMMON_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

enum outcome { OUTCOME_STORED, OUTCOME_DROPPED, OUTCOME_FAILED, OUTCOME_EXCLUDED, OUTCOME_COUNT };

enum reason {
#define REASON(symbol, ...) REASON_##symbol,
#include "common/outcomes.def"
#undef REASON
    REASON_COUNT
};

/* "stored"; `o` must be in range. */
const char *outcome_name(enum outcome o);

/* -1 if there is none of that name. */
int outcome_parse(const char *name);

/* "dns_timeout"; empty for REASON_NONE. `r` must be in range. */
const char *reason_name(enum reason r);

/* REASON_NONE if there is none of that name. */
enum reason reason_parse(const char *name);

const char *reason_help(enum reason r);
enum outcome reason_outcome(enum reason r);

/* May the cause go away by itself, so that another attempt is worth it? */
bool reason_again(enum reason r);

/* Does it tell of a host in trouble rather than of this URL? */
bool reason_blames_host(enum reason r);

#endif
