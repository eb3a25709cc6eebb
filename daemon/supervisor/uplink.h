/* SPDX-License-Identifier: MIT */
/* What the supervisor says to a new worker, and what it does about what workers say. */
#ifndef SUPERVISOR_UPLINK_H
#define SUPERVISOR_UPLINK_H

#include "daemon/supervisor/crew.h"

void uplink_greet(struct worker *w);

/* False: it may not say that; it must be killed. What is about a lease or job that ended meanwhile is
 * ignored. */
bool uplink_heard(struct worker *w, const struct ipc_head *m);

#endif
