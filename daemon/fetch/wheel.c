/* SPDX-License-Identifier: MIT */
/* A slot is the ticks that are equal modulo WHEEL_SLOTS. A due time further than one turn ahead is
 * filed in the last slot of the turn and again from there, so every member of a slot that comes
 * up is either due or moved on. */
#include "daemon/fetch/wheel.h"

#include "common/clock.h"

static void on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
    struct wheel *w = list_of(t, struct wheel, timer);
    wheel_turn(w, w->clock_ns());
}

void wheel_init(struct wheel *w, struct ev_loop *loop, void (*due)(struct wheel_member *m))
{
    *w = (struct wheel){.loop = loop, .due = due, .clock_ns = clock_mono_ns};
    for (int i = 0; i < WHEEL_SLOTS; i++)
        list_init(&w->slot[i]);
    ev_timer_init(&w->timer, on_timer, WHEEL_SLOT_NS / 1e9, WHEEL_SLOT_NS / 1e9);
    ev_set_priority(&w->timer, EV_MINPRI);
}

void wheel_done(struct wheel *w)
{
    ev_timer_stop(w->loop, &w->timer);
}

/* The slot after the due time, so that a member found in it is due. */
static void wheel_file(struct wheel *w, struct wheel_member *m)
{
    int64_t tick = m->due_ns / WHEEL_SLOT_NS + 1;
    if (tick <= w->tick)
        tick = w->tick + 1;
    if (tick >= w->tick + WHEEL_SLOTS)
        tick = w->tick + WHEEL_SLOTS - 1;
    m->tick = tick;
    list_add_tail(&w->slot[tick % WHEEL_SLOTS], &m->link);
}

void wheel_remove(struct wheel *w, struct wheel_member *m)
{
    m->due_ns = WHEEL_NEVER;
    if (list_empty(&m->link))
        return;
    list_del(&m->link);
    w->count--;
}

void wheel_set(struct wheel *w, struct wheel_member *m, int64_t due_ns)
{
    if (due_ns == WHEEL_NEVER) {
        wheel_remove(w, m);
        return;
    }
    m->due_ns = due_ns;
    if (!list_empty(&m->link)) {
        if (due_ns / WHEEL_SLOT_NS + 1 >= m->tick)
            return;
        list_del(&m->link);
        w->count--;
    }
    if (!w->count++)
        w->tick = w->clock_ns() / WHEEL_SLOT_NS;
    wheel_file(w, m);
    if (!ev_is_active(&w->timer))
        ev_timer_again(w->loop, &w->timer);
}

static void wheel_empty_slot(struct wheel *w, struct list *slot, int64_t now_ns)
{
    struct list up;
    list_init(&up);
    if (list_empty(slot))
        return;
    list_add_tail(slot, &up);
    list_del(slot);
    while (!list_empty(&up)) {
        struct wheel_member *m = list_of(up.next, struct wheel_member, link);
        list_del(&m->link);
        if (m->due_ns > now_ns) {
            wheel_file(w, m);
            continue;
        }
        w->count--;
        m->due_ns = WHEEL_NEVER;
        w->due(m);
    }
}

void wheel_turn(struct wheel *w, int64_t now_ns)
{
    int64_t now_tick = now_ns / WHEEL_SLOT_NS;
    if (now_tick - w->tick > WHEEL_SLOTS)
        w->tick = now_tick - WHEEL_SLOTS;
    while (w->tick < now_tick && w->count) {
        w->tick++;
        wheel_empty_slot(w, &w->slot[w->tick % WHEEL_SLOTS], now_ns);
    }
    if (!w->count)
        ev_timer_stop(w->loop, &w->timer);
}
