/* SPDX-License-Identifier: MIT */
/* When fetches are late: a hashed wheel of 1,024 slots of 16 ms with one timer.
 *
 * Each member has one due time. Making it later only moves the field; when its slot comes up too
 * early, it is filed again. The timer runs while there are members. What came over sockets in the
 * same turn is looked at first: nobody is late for what lies there. */
#ifndef FETCH_WHEEL_H
#define FETCH_WHEEL_H

#include <ev.h>
#include <stdint.h>

#include "common/list.h"

#define WHEEL_SLOTS   1024
#define WHEEL_SLOT_NS (16 * INT64_C(1000000))
#define WHEEL_NEVER   INT64_MAX

struct wheel_member {
    struct list link; /* of its slot */
    int64_t due_ns;   /* WHEEL_NEVER: not filed */
    int64_t tick;     /* absolute number of the slot it is filed in */
};

struct wheel {
    struct ev_loop *loop;
    struct ev_timer timer;
    struct list slot[WHEEL_SLOTS];
    int64_t tick; /* slots up to this one are done */
    unsigned count;
    void (*due)(struct wheel_member *m); /* it is not filed any more */
    int64_t (*clock_ns)(void);
};

void wheel_init(struct wheel *w, struct ev_loop *loop, void (*due)(struct wheel_member *m));
void wheel_done(struct wheel *w);

static inline void wheel_member_init(struct wheel_member *m)
{
    list_init(&m->link);
    m->due_ns = WHEEL_NEVER;
}

void wheel_set(struct wheel *w, struct wheel_member *m, int64_t due_ns);
void wheel_remove(struct wheel *w, struct wheel_member *m);

/* Calls `due` for every member whose time has come. The timer does this. */
void wheel_turn(struct wheel *w, int64_t now_ns);

#endif
