/* SPDX-License-Identifier: MIT */
/* A wake-up costs more than a record, so there is at most one per turn of the loop, and none while
 * the thread is at work: it looks again before it sleeps. */
#include "daemon/store/relay.h"

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

static void hand_over(struct relay *r)
{
    if (list_empty(&r->put))
        return;
    pthread_mutex_lock(&r->lock);
    list_move_all(&r->there, &r->put);
    pthread_cond_signal(&r->come);
    pthread_mutex_unlock(&r->lock);
}

static void turn_ended(struct ev_loop *loop, ev_prepare *w, int events)
{
    hand_over(w->data);
}

static void woken(struct ev_loop *loop, ev_async *w, int events)
{
    struct relay *r = w->data;
    r->answered(r);
}

/* Signals are the loop's. */
static int thread_start(struct relay *r, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&r->thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

void relay_init(struct relay *r, struct ev_loop *loop, void *(*run)(void *), void *arg,
                void (*answered)(struct relay *r))
{
    *r = (struct relay){.loop = loop, .answered = answered};
    list_init(&r->put);
    list_init(&r->there);
    list_init(&r->back);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->come, NULL);
    ev_prepare_init(&r->turn_end, turn_ended);
    ev_async_init(&r->woken, woken);
    r->turn_end.data = r->woken.data = r;
    ev_prepare_start(loop, &r->turn_end);
    ev_async_start(loop, &r->woken);
    int err = thread_start(r, run, arg);
    if (err) {
        log_crit("cannot start a thread errno=%d", err);
        abort();
    }
}

void relay_put(struct relay *r, struct list *link)
{
    list_add_tail(&r->put, link);
}

void relay_answers(struct relay *r, struct list *ret_list)
{
    list_init(ret_list);
    pthread_mutex_lock(&r->lock);
    list_move_all(ret_list, &r->back);
    pthread_mutex_unlock(&r->lock);
}

void relay_stop(struct relay *r, struct list *ret_answers)
{
    hand_over(r);
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->come);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    ev_prepare_stop(r->loop, &r->turn_end);
    ev_async_stop(r->loop, &r->woken);
    relay_answers(r, ret_answers);
    pthread_cond_destroy(&r->come);
    pthread_mutex_destroy(&r->lock);
}

bool relay_take(struct relay *r, struct list *ret_list)
{
    list_init(ret_list);
    pthread_mutex_lock(&r->lock);
    while (list_empty(&r->there) && !r->stop)
        pthread_cond_wait(&r->come, &r->lock);
    list_move_all(ret_list, &r->there);
    pthread_mutex_unlock(&r->lock);
    return !list_empty(ret_list);
}

void relay_answer(struct relay *r, struct list *list)
{
    if (list_empty(list))
        return;
    pthread_mutex_lock(&r->lock);
    list_move_all(&r->back, list);
    pthread_mutex_unlock(&r->lock);
    ev_async_send(r->loop, &r->woken);
}
