/* SPDX-License-Identifier: MIT */
/* The one thread that makes the supervisor's file-system calls, in the order they were asked
 * for. The loop hands over an op; `run` is called on the disk thread, `done` on the loop. The op
 * is borrowed from its owner between disk_ask() and `done`, and `run` may touch only what the
 * owner leaves alone meanwhile. */
#ifndef FRONTIER_DISK_H
#define FRONTIER_DISK_H

#include <ev.h>

#include "common/list.h"

struct disk;

struct disk_op {
    struct list link;
    void (*run)(struct disk_op *op);  /* on the disk thread; leaves its result in the owner */
    void (*done)(struct disk_op *op); /* on the loop; may free the op or ask again */
};

struct disk *disk_new(struct ev_loop *loop);

/* Drops nothing: what was asked is run, and every done() called, before it returns. */
void disk_free(struct disk *d);

void disk_ask(struct disk *d, struct disk_op *op);

#endif
