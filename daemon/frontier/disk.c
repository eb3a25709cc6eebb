/* SPDX-License-Identifier: MIT */
/* Two lists under one mutex: `todo` is fed by the loop and emptied by the thread, `ready` the
 * other way round. The thread wakes the loop with an ev_async. */
#include "daemon/frontier/disk.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/xalloc.h"

struct disk {
    struct ev_loop *loop; /* borrowed */
    ev_async wake;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    struct list todo, ready;
    bool stop;
};

static struct disk_op *pop(struct list *l)
{
    if (list_empty(l))
        return NULL;
    struct disk_op *op = list_of(l->next, struct disk_op, link);
    list_del(&op->link);
    return op;
}

static struct disk_op *next_op(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    while (list_empty(&d->todo) && !d->stop)
        pthread_cond_wait(&d->more, &d->lock);
    struct disk_op *op = pop(&d->todo);
    pthread_mutex_unlock(&d->lock);
    return op;
}

static void *thread_main(void *arg)
{
    struct disk *d = arg;
    for (struct disk_op *op; (op = next_op(d));) {
        op->run(op);
        pthread_mutex_lock(&d->lock);
        list_add_tail(&d->ready, &op->link);
        pthread_mutex_unlock(&d->lock);
        ev_async_send(d->loop, &d->wake);
    }
    return NULL;
}

static struct disk_op *next_ready(struct disk *d, bool *ret_more)
{
    pthread_mutex_lock(&d->lock);
    struct disk_op *op = pop(&d->ready);
    *ret_more = !list_empty(&d->ready);
    pthread_mutex_unlock(&d->lock);
    return op;
}

/* One op for each turn of the loop, so that other watchers have theirs between two. An event fed to
 * the loop would be handled in this turn still. */
static void on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
    struct disk *d = w->data;
    bool more;
    struct disk_op *op = next_ready(d, &more);
    if (!op)
        return;
    if (more)
        ev_async_send(loop, w);
    op->done(op);
}

struct disk *disk_new(struct ev_loop *loop)
{
    struct disk *d = xcalloc(1, sizeof *d);
    d->loop = loop;
    list_init(&d->todo);
    list_init(&d->ready);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->more, NULL);
    ev_async_init(&d->wake, on_wake);
    d->wake.data = d;
    ev_async_start(loop, &d->wake);
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&d->thread, NULL, thread_main, d);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err) {
        log_crit("the disk thread cannot be started error=%d", err);
        abort();
    }
    return d;
}

void disk_free(struct disk *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->stop = true;
    pthread_cond_signal(&d->more);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    for (;;) {
        struct disk_op *op = pop(&d->ready);
        if (!op && (op = pop(&d->todo))) /* asked by a done() below: the thread is gone */
            op->run(op);
        if (!op)
            break;
        op->done(op);
    }
    ev_async_stop(d->loop, &d->wake);
    pthread_cond_destroy(&d->more);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

void disk_ask(struct disk *d, struct disk_op *op)
{
    pthread_mutex_lock(&d->lock);
    list_add_tail(&d->todo, &op->link);
    pthread_cond_signal(&d->more);
    pthread_mutex_unlock(&d->lock);
}
