/* SPDX-License-Identifier: MIT */
/* A crawld of our own: started for one crawl in a directory, ended with it.
 *
 * private_start ▸ calls of its client ▸ private_stop. Both return 0 or the exit code
 * of a complaint. */
#ifndef CTL_PRIVATE_H
#define CTL_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "ctl/client.h"

struct private;

/* dir: its state directory, made if needed; logs to dir/crawld.log. settings: "key=value" each.
 * Returns when it answers. */
int private_start(const char *dir, size_t setting_count, const char *const *settings,
                  int64_t reply_timeout_ns, struct private **ret_private,
                  struct client **ret_client);

/* SIGTERM, and SIGKILL at a further Ctrl-C; waits till it has ended and frees. A directory that was
 * made for it and in which no job came to be is removed. NULL is accepted. */
int private_stop(struct private *p);

#endif
