/* SPDX-License-Identifier: MIT */
/* What a worker inherits from the supervisor: three descriptors and the block it is watched
 * through. Everything else comes as messages. */
#ifndef COMMON_HERITAGE_H
#define COMMON_HERITAGE_H

#include <stdint.h>

#define HERITAGE_SOCKET_FD 3 /* the socket pair's other end */
#define HERITAGE_STATS_FD  4 /* memfd of one struct stats_block, sealed against shrinking */
#define HERITAGE_LOCK_FD   5 /* the state lock: held as long as the worker lives */

/* Threads of a worker that run steps; each has a blame cell. */
enum heritage_thread { THREAD_LOOP, THREAD_STORE, THREAD_COUNT };

#endif
