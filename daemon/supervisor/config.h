/* SPDX-License-Identifier: MIT */
/* The configuration file and what goes over it. */
#ifndef SUPERVISOR_CONFIG_H
#define SUPERVISOR_CONFIG_H

#include <stdbool.h>

#include "common/options.h"
#include "daemon/supervisor/args.h"

/* Defaults, then the file, then --set. Without -c a missing file is no error. 0 and *ret_options
 * (free with options_done()); else -EINVAL (exit 78) with lines for a person added to ret_errors:
 * "FILE:LINE: what, did you mean X". */
int config_load(const struct args *a, struct options *ret_options, struct buf *ret_errors);

/* The whole table in the file's syntax, each key below its help. commented: as a file to start
 * from, every key commented out; else only those that are not built. */
void config_dump(const struct options *o, bool commented, struct buf *b);

#endif
