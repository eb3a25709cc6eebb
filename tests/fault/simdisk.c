/* SPDX-License-Identifier: MIT */
#include "tests/fault/simdisk.h"

#include <stdlib.h>

#include "common/xalloc.h"

struct disk {
    struct list todo, ready;
};

struct disk *disk_new(struct ev_loop *loop)
{
    struct disk *d = xcalloc(1, sizeof *d);
    list_init(&d->todo);
    list_init(&d->ready);
    return d;
}

void disk_free(struct disk *d)
{
    free(d);
}

void disk_ask(struct disk *d, struct disk_op *op)
{
    list_add_tail(&d->todo, &op->link);
}

bool simdisk_run(struct disk *d)
{
    if (list_empty(&d->todo))
        return false;
    struct disk_op *op = list_of(d->todo.next, struct disk_op, link);
    list_del(&op->link);
    op->run(op);
    list_add_tail(&d->ready, &op->link);
    return true;
}

bool simdisk_answer(struct disk *d)
{
    if (list_empty(&d->ready))
        return false;
    struct disk_op *op = list_of(d->ready.next, struct disk_op, link);
    list_del(&op->link);
    op->done(op);
    return true;
}
