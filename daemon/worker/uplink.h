/* SPDX-License-Identifier: MIT */
/* The worker's end of the socket to the supervisor: what it says is read and done, what the worker
 * says is written once per loop turn. */
#ifndef WORKER_UPLINK_H
#define WORKER_UPLINK_H

#include "daemon/worker/worker.h"

#define UPLINK_MESSAGES_PER_TURN 128

void uplink_start(struct worker *w, int take_fd);
void uplink_stop(struct worker *w);

#endif
