/* SPDX-License-Identifier: MIT */
/* What a worker prints reaches the log in whole lines; what is too much is counted and said. */
#ifndef SUPERVISOR_WLOG_H
#define SUPERVISOR_WLOG_H

#include "daemon/supervisor/crew.h"

/* Reads what there is, at most 1 MiB. 0, or 1 at the end of the pipe. */
int wlog_read(struct worker *w);

/* Reads to the end after the death, logs a last line without newline, closes the pipe. */
void wlog_end(struct worker *w);

/* Once a second: says how many lines were suppressed, gives new room. */
void wlog_tick(struct worker *w);

#endif
