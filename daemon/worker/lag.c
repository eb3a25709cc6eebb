/* SPDX-License-Identifier: MIT */
/* `woken` is called first of all that a turn does, `asleep` last: by their priorities. */
#include "daemon/worker/lag.h"

#include "common/clock.h"
#include "common/list.h"

static void on_woken(struct ev_loop *loop, ev_check *w, int revents)
{
    struct lag *l = list_of(w, struct lag, woken);
    l->woken_ns = clock_mono_ns();
}

static void on_asleep(struct ev_loop *loop, ev_prepare *w, int revents)
{
    struct lag *l = list_of(w, struct lag, asleep);
    int64_t turn_ns = l->woken_ns ? clock_mono_ns() - l->woken_ns : 0;
    uint64_t us = (uint64_t)turn_ns / 1000;
    l->value[STAT_LOOP_TURNS]++;
    l->value[STAT_LOOP_SLOW] += turn_ns > LAG_SLOW_NS;
    if (us > l->value[STAT_LOOP_MAX_US])
        l->value[STAT_LOOP_MAX_US] = us;
}

void lag_start(struct lag *l, struct ev_loop *loop, struct stats_block *stats)
{
    *l = (struct lag){.value = stats->value};
    ev_check_init(&l->woken, on_woken);
    ev_set_priority(&l->woken, EV_MAXPRI);
    ev_check_start(loop, &l->woken);
    ev_prepare_init(&l->asleep, on_asleep);
    ev_set_priority(&l->asleep, EV_MINPRI);
    ev_prepare_start(loop, &l->asleep);
}

void lag_stop(struct lag *l, struct ev_loop *loop)
{
    ev_check_stop(loop, &l->woken);
    ev_prepare_stop(loop, &l->asleep);
}
