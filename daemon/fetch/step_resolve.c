/* SPDX-License-Identifier: MIT */
/* RESOLVE. A kept connection needs no address: the fetch goes straight to SEND on it. A host's
 * limit counts its connections to all ports; where only a kept one was granted and they lead to
 * other ports, they are closed, so that the next grant can open one. */
#include "daemon/fetch/machine.h"

#include "common/clock.h"

bool fetch_take_kept(struct fetch *f)
{
    struct machine *m = f->machine;
    if (f->grant == GRANT_OPEN || f->fresh)
        return false;
    struct conn *c = pool_take(&m->pool, f->origin);
    if (!c)
        return false;
    fetch_take_conn(f, c);
    if (f->secure)
        f->secure->tls = *tls_info(c->tls);
    f->counted = true;
    f->peer = f->conn->peer;
    m->stats->value[STAT_REUSED]++;
    return true;
}

/* Its clock goes from when the question goes out: those before it in the queue are our own. */
static void wait_for_turn(struct fetch *f)
{
    if (dns_is_asked(&f->name))
        return;
    fetch_stop_clock(f);
    f->queued_ns = clock_mono_ns();
}

void fetch_name_asked(struct dns_wait *w)
{
    struct fetch *f = list_of(w, struct fetch, name);
    fetch_go_clock(f, f->queued_ns);
}

enum fetch_state fetch_resolve(struct fetch *f)
{
    if (f->stopped || machine_stopped(f->machine, f->host)) {
        f->no_conn = true;
        f->kept = f->grant == GRANT_KEPT; /* its connection is still idle */
        return FETCH_REPORT;
    }
    if (!f->name.name && fetch_take_kept(f))
        return FETCH_SEND;
    if (f->grant == GRANT_KEPT) {
        pool_drop_idle(&f->machine->pool, f->host, clock_mono_ns());
        f->no_conn = true;
        return FETCH_REPORT;
    }
    if (f->literal)
        return FETCH_NEXT;
    if (!f->name.name) {
        const char *host = fetch_text(f, f->host_part);
        if (!dns_lookup(&f->machine->dns, host, f->host_part.len, &f->name)) {
            wait_for_turn(f);
            return FETCH_PARK;
        }
    } else if (!dns_is_answered(&f->name)) {
        return FETCH_PARK;
    }
    if (!f->resolved_us)
        f->resolved_us = fetch_us(f);
    if (f->name.name->reason)
        return fetch_fail(f, f->name.name->reason, NULL);
    return FETCH_NEXT;
}
