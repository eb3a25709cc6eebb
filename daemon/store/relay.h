/* SPDX-License-Identifier: MIT */
/* The way between the loop and one thread, there and back, in order. What is put during one turn
 * of the loop is handed over at its end under one lock; so is what the thread answers. Links are
 * borrowed; they belong to the side that has them. */
#ifndef STORE_RELAY_H
#define STORE_RELAY_H

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>

#include "common/list.h"

struct relay {
    struct ev_loop *loop; /* borrowed */
    ev_prepare turn_end;
    ev_async woken;
    struct list put; /* the loop's: not yet handed over */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t come;
    struct list there, back;
    bool stop;
    void (*answered)(struct relay *r); /* on the loop: something came back */
};

/* `run` is the thread: it calls relay_take() until that says false. */
void relay_init(struct relay *r, struct ev_loop *loop, void *(*run)(void *), void *arg,
                void (*answered)(struct relay *r));

/* Hands over what was put and waits for the thread to end; the last answers. */
void relay_stop(struct relay *r, struct list *ret_answers);

/* Loop. */
void relay_put(struct relay *r, struct list *link);
void relay_answers(struct relay *r, struct list *ret_list);

/* Thread: waits, then takes all there is; false: nothing more will come. */
bool relay_take(struct relay *r, struct list *ret_list);

/* Thread: sends the members of the list back, leaves it empty. */
void relay_answer(struct relay *r, struct list *list);

#endif
