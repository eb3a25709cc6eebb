/* SPDX-License-Identifier: MIT */
/* A worker process: fetches what it is leased and tells how that ended. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <ev.h>
#include <stdbool.h>

#include "common/buf.h"
#include "common/ipc.h"
#include "common/stats.h"
#include "daemon/fetch/machine.h"
#include "daemon/worker/lag.h"
#include "daemon/worker/settings.h"

#define WORKER_FDS_RESERVED 200 /* of RLIMIT_NOFILE: WARC files, DNS, the supervisor, what else */

/* The process's one root. */
struct worker {
    int number;
    struct ev_loop *loop;
    struct stats_block *stats; /* mapped */
    struct ipc uplink;
    ev_io uplink_in, uplink_out;
    ev_prepare flush; /* once per loop turn */
    ev_idle more;     /* messages read and not yet handled */
    ev_timer beat;
    struct lag lag;
    ev_signal term;
    struct buf text; /* of a message in several parts */
    struct settings settings;
    struct machine *machine; /* owned; NULL before CONF */
    bool draining;           /* ends when no lease is left */
    int exit_code;
};

/* Leaves the loop. */
void worker_end(struct worker *w, int exit_code);

/* CONF came: the machine is made and READY said. 0 or -errno. */
int worker_configure(struct worker *w, const char *text, size_t len);

#endif
