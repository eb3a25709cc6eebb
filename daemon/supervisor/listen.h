/* SPDX-License-Identifier: MIT */
/* The listening socket of the control protocol. */
#ifndef SUPERVISOR_LISTEN_H
#define SUPERVISOR_LISTEN_H

#include <stdbool.h>

#include "common/options.h"

/* A socket handed over by LISTEN_FDS, or options->socket made anew: a file left by a dead daemon is
 * replaced, one that somebody listens on is -EADDRINUSE. The descriptor, or -errno (said in the
 * log). *ret_made: the file is ours to remove. */
int listen_control(const struct options *o, bool *ret_made);

#endif
