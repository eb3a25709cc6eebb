/* SPDX-License-Identifier: MIT */
/* Why URLs were not stored, for people: the reasons since the daemon's start, most frequent first.
 */
#ifndef CTL_REASONS_H
#define CTL_REASONS_H

#include "ctl/client.h"

/* A line for each of the REASONS_MAX most frequent reasons, and advice for those that a flag or
 * another URL helps. Prints nothing where there are none or the daemon has no counters. */
void reasons_print(struct client *client);

#endif
