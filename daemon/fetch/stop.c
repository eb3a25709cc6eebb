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

static struct machine_stop *find(const struct machine *m, uint32_t host)
{
    for (size_t i = 0; i < m->stops_count; i++)
        if (m->stops[i].host == host)
            return &m->stops[i];
    return NULL;
}

bool machine_stopped(const struct machine *m, uint32_t host)
{
    return find(m, host) != NULL;
}

/* What has not been sent goes back; what has been must not be sent again. */
void machine_stop(struct machine *m, uint32_t host)
{
    for (int row = 0; row <= FETCH_HEAD; row++)
        list_each_safe(it, tmp, &m->row[row])
        {
            struct fetch *f = list_of(it, struct fetch, link);
            if (f->host != host)
                continue;
            f->stopped = true;
            if (row < FETCH_SEND)
                fetch_unsent(f);
        }
}

void machine_heard(struct machine *m, uint32_t host)
{
    struct machine_stop *s = find(m, host);
    if (s && !--s->busy_count)
        *s = m->stops[--m->stops_count];
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
    if (m->stops_count == m->stops_room) {
        m->stops_room = m->stops_room ? m->stops_room * 2 : 16;
        m->stops = xrealloc(m->stops, m->stops_room * sizeof *m->stops);
    }
    m->stops[m->stops_count++] = (struct machine_stop){.host = f->host, .busy_count = 1};
    machine_stop(m, f->host);
}
