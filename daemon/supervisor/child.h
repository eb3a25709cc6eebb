/* SPDX-License-Identifier: MIT */
/* A process of its own for a request that reads files for as long as it takes: `crawld` with other
 * words (daemon/verify/, daemon/find/), which prints one line of JSON to a pipe. A few at a time;
 * killed when its request goes away. */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H

#include <jansson.h>

struct request;
struct supervisor;

/* Runs `crawld` with these words, NULL at the end. then() gets what it printed, borrowed, unless
 * the request went away or was refused meanwhile. */
void child_run(struct request *r, char *const *argv,
               void (*then)(struct request *r, json_t *result));

/* Ends all of them. */
void children_done(struct supervisor *s);

#endif
