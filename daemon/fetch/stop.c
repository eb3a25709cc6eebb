/* SPDX-License-Identifier: MIT */
/* Rule 8 of the grant protocol: a worker that reads 429 or 503 sends nothing more to that host
 * until told. What is told is HEARD: the supervisor knows of that answer, so leases that follow it
 * were granted in spite of it. Those that crossed it on the way come back at once, NOCONN.
 *
 *      429 read ─▶ BUSY ──────────────▶ blocked there
 *          unsent fetches: NOCONN         │
 *          LEASE ◀── (on its way) ───     │
 *          NOCONN ──────────────────▶     ▼
 *          HEARD ◀───────────────────  counted down: leases are taken again
 *
 * A host has an entry only between a BUSY and its HEARD. */
#include <stdlib.h>

#include "common/xalloc.h"
#include "daemon/fetch/machine.h"

void machine_stops_init(struct machine *m)
{
    for (int i = 0; i < MACHINE_HOSTS; i++) {
        list_init(&m->hosts[i].fetches);
        list_init(&m->hosts[i].stops);
    }
}

static void stop_free(struct machine_stop *s)
{
    list_del(&s->link);
    free(s);
}

void machine_stops_done(struct machine *m)
{
    for (int i = 0; i < MACHINE_HOSTS; i++)
        while (!list_empty(&m->hosts[i].stops))
            stop_free(list_of(m->hosts[i].stops.next, struct machine_stop, link));
}

static struct machine_stop *find(const struct machine *m, uint32_t host)
{
    list_each(it, &m->hosts[host % MACHINE_HOSTS].stops)
    {
        struct machine_stop *s = list_of(it, struct machine_stop, link);
        if (s->host == host)
            return s;
    }
    return NULL;
}

bool machine_stopped(const struct machine *m, uint32_t host)
{
    return find(m, host) != NULL;
}

/* What has not been sent goes back; what has been must not be sent again. */
void machine_stop(struct machine *m, uint32_t host)
{
    list_each_safe(it, tmp, &m->hosts[host % MACHINE_HOSTS].fetches)
    {
        struct fetch *f = list_of(it, struct fetch, of_host);
        if (f->host != host || f->state > FETCH_HEAD)
            continue;
        f->stopped = true;
        if (f->state < FETCH_SEND)
            fetch_unsent(f);
    }
}

void machine_heard(struct machine *m, uint32_t host)
{
    struct machine_stop *s = find(m, host);
    if (s && !--s->busy_count)
        stop_free(s);
}

static bool is_busy(unsigned status)
{
    return status == 429 || status == 503;
}

bool fetch_is_busy(const struct fetch *f)
{
    return f->answer && f->answer->has_head && is_busy(f->answer->head.status);
}

void fetch_tell_busy(struct fetch *f)
{
    struct machine *m = f->machine;
    struct machine_stop *s = find(m, f->host);
    struct ipc_busy *busy = ipc_add(m->uplink, IPC_BUSY, 0);
    busy->lease = f->lease;
    busy->host = f->host;
    busy->status = (uint16_t)f->answer->head.status;
    busy->retry_after_s = f->answer->retry_after_s;
    if (s) {
        s->busy_count++;
        return;
    }
    s = xcalloc(1, sizeof *s);
    s->host = f->host;
    s->busy_count = 1;
    list_add_tail(&m->hosts[f->host % MACHINE_HOSTS].stops, &s->link);
    machine_stop(m, f->host);
}
