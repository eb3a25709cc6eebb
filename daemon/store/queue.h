/* SPDX-License-Identifier: MIT */
/* The way between the loop and one thread, there and back, in order. What is put during one turn
 * of the loop is handed over at its end under one lock; so is what the thread answers. Links are
 * borrowed; they belong to the side that has them. */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>

#include "common/list.h"

struct queue {
    struct ev_loop *loop; /* borrowed */
    ev_prepare turn_end;
    ev_async woken;
    struct list put; /* the loop's: not yet handed over */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t come;
    struct list there, back;
    bool stop;
    void (*answered)(struct queue *q); /* on the loop: something came back, or queue_poke() */
};

/* `run` is the thread: it calls queue_take() until that says false. */
void queue_init(struct queue *q, struct ev_loop *loop, void *(*run)(void *), void *arg,
                void (*answered)(struct queue *q));

/* Hands over what was put and waits for the thread to end; the last answers. */
void queue_stop(struct queue *q, struct list *ret_answers);

/* Loop. */
void queue_put(struct queue *q, struct list *link);
void queue_answers(struct queue *q, struct list *ret_list);
void queue_poke(struct queue *q);

/* Thread: waits, then takes all there is; false: nothing more will come. */
bool queue_take(struct queue *q, struct list *ret_list);

/* Thread: sends the members of the list back, leaves it empty. */
void queue_answer(struct queue *q, struct list *list);

#endif
