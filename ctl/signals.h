/* SPDX-License-Identifier: MIT */
/* Ctrl-C. The first SIGINT or SIGTERM makes whatever waits return; what a further one means is up
 * to who counts. */
#ifndef CTL_SIGNALS_H
#define CTL_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

void signals_init(void);

/* How many came. */
int signals_interrupted(void);

/* Sleeps; true if interrupted. */
bool signals_sleep_ns(int64_t ns);

#endif
