/* SPDX-License-Identifier: MIT */
/* A wake-up costs more than a record, so there is at most one per turn of the loop, and none while
 * the thread is at work: it looks again before it sleeps. */
#include "daemon/store/queue.h"

#include <signal.h>
#include <stdlib.h>

#include "common/log.h"

static void list_move_all(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

static void hand_over(struct queue *q)
{
    if (list_empty(&q->put))
        return;
    pthread_mutex_lock(&q->lock);
    list_move_all(&q->there, &q->put);
    pthread_cond_signal(&q->come);
    pthread_mutex_unlock(&q->lock);
}

static void turn_ended(struct ev_loop *loop, ev_prepare *w, int events)
{
    hand_over(w->data);
}

static void woken(struct ev_loop *loop, ev_async *w, int events)
{
    struct queue *q = w->data;
    q->answered(q);
}

/* Signals are the loop's. */
static int thread_start(struct queue *q, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&q->thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

void queue_init(struct queue *q, struct ev_loop *loop, void *(*run)(void *), void *arg,
                void (*answered)(struct queue *q))
{
    *q = (struct queue){.loop = loop, .answered = answered};
    list_init(&q->put);
    list_init(&q->there);
    list_init(&q->back);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->come, NULL);
    ev_prepare_init(&q->turn_end, turn_ended);
    ev_async_init(&q->woken, woken);
    q->turn_end.data = q->woken.data = q;
    ev_prepare_start(loop, &q->turn_end);
    ev_async_start(loop, &q->woken);
    int err = thread_start(q, run, arg);
    if (err) {
        log_crit("cannot start a thread errno=%d", err);
        abort();
    }
}

void queue_put(struct queue *q, struct list *link)
{
    list_add_tail(&q->put, link);
}

void queue_answers(struct queue *q, struct list *ret_list)
{
    list_init(ret_list);
    pthread_mutex_lock(&q->lock);
    list_move_all(ret_list, &q->back);
    pthread_mutex_unlock(&q->lock);
}

void queue_stop(struct queue *q, struct list *ret_answers)
{
    hand_over(q);
    pthread_mutex_lock(&q->lock);
    q->stop = true;
    pthread_cond_signal(&q->come);
    pthread_mutex_unlock(&q->lock);
    pthread_join(q->thread, NULL);
    ev_prepare_stop(q->loop, &q->turn_end);
    ev_async_stop(q->loop, &q->woken);
    queue_answers(q, ret_answers);
    pthread_cond_destroy(&q->come);
    pthread_mutex_destroy(&q->lock);
}

void queue_poke(struct queue *q)
{
    ev_feed_event(q->loop, &q->woken, EV_ASYNC);
}

bool queue_take(struct queue *q, struct list *ret_list)
{
    list_init(ret_list);
    pthread_mutex_lock(&q->lock);
    while (list_empty(&q->there) && !q->stop)
        pthread_cond_wait(&q->come, &q->lock);
    list_move_all(ret_list, &q->there);
    pthread_mutex_unlock(&q->lock);
    return !list_empty(ret_list);
}

void queue_answer(struct queue *q, struct list *list)
{
    if (list_empty(list))
        return;
    pthread_mutex_lock(&q->lock);
    list_move_all(&q->back, list);
    pthread_mutex_unlock(&q->lock);
    ev_async_send(q->loop, &q->woken);
}
