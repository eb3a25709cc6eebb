/* SPDX-License-Identifier: MIT */
/* CONNECT. The addresses are tried in turn, each for its share of the limit. The policy is asked
 * about all of a name's addresses before the first, and about each just before its connect(). What
 * the last one that was tried failed of is the reason; denied only if none could be tried. */
#include "daemon/fetch/machine.h"

#include <errno.h>
#include <string.h>

#define ADDRESSES_TRIED_MAX 4

static void conn_ready(struct conn *c)
{
    machine_drive(c->owner);
}

static enum reason reason_of(int err)
{
    return err == -ECONNREFUSED ? REASON_CONNECT_REFUSED
           : err == -ETIMEDOUT  ? REASON_CONNECT_TIMEOUT
                                : REASON_CONNECT_ERROR;
}

static unsigned addresses_count(const struct fetch *f)
{
    unsigned count = f->literal ? 1 : f->name.name->count;
    return count < ADDRESSES_TRIED_MAX ? count : ADDRESSES_TRIED_MAX;
}

static void note_denied(struct fetch *f, enum reason reason)
{
    if (f->reason == REASON_NONE)
        f->reason = (uint8_t)reason;
}

static void note_error(struct fetch *f, int err)
{
    f->reason = (uint8_t)reason_of(err);
    f->detail = f->reason == REASON_CONNECT_ERROR ? strerrordesc_np(-err) : NULL;
}

/* 0 it is under way, or -errno. */
static int begin_connect(struct fetch *f)
{
    struct machine *m = f->machine;
    struct pool_origin o = {
        .origin = f->origin, .host = f->host, .port = f->port, .limited = f->limited};
    int err = pool_open(&m->pool, &o, &f->peer, &f->conn);
    if (err)
        return err;
    m->stats->value[STAT_CONNECTS]++;
    f->conn->owner = f;
    f->conn->ready = conn_ready;
    fetch_progress(f, f->job->limits.connect_ns / addresses_count(f));
    return 0;
}

static enum reason check(const struct fetch *f, const struct addr *a)
{
    struct sockaddr_storage sa;
    addr_sockaddr(a, f->port, &sa);
    return policy_check(&f->machine->policy, (struct sockaddr *)&sa);
}

/* A name that points to a denied address as well as to others is up to no good. Names that no name
 * server was asked for are the operator's: there the other addresses are tried. */
static enum reason check_name(const struct fetch *f)
{
    const struct dns_name *name = f->name.name;
    enum reason denied = REASON_NONE;
    for (unsigned i = 0; !f->literal && !name->settled && !denied && i < name->count; i++)
        denied = check(f, &name->addr[i]);
    return denied;
}

/* Tries addresses till one is under way. */
static enum fetch_state try_addresses(struct fetch *f)
{
    while (f->tried < addresses_count(f)) {
        if (!f->literal)
            f->peer = f->name.name->addr[f->tried];
        enum reason denied = check(f, &f->peer);
        int err = denied ? 0 : begin_connect(f);
        if (err == -EMFILE) {
            fetch_look_later(f);
            return FETCH_PARK;
        }
        f->tried++;
        if (denied)
            note_denied(f, denied);
        else if (err)
            note_error(f, err);
        else
            return FETCH_PARK;
    }
    return FETCH_JUDGE;
}

bool fetch_next_address(struct fetch *f)
{
    if (f->tried >= addresses_count(f))
        return false;
    note_error(f, -ETIMEDOUT);
    fetch_let_conn(f, false);
    return true;
}

enum fetch_state fetch_connect(struct fetch *f)
{
    if (!f->conn) {
        enum reason denied = check_name(f);
        return denied ? fetch_fail(f, denied, NULL) : try_addresses(f);
    }
    int err = conn_connected(f->conn, f->machine->loop);
    if (err == -EINPROGRESS)
        return FETCH_PARK;
    if (err) {
        note_error(f, err);
        fetch_let_conn(f, false);
        return try_addresses(f);
    }
    f->counted = true;
    f->reason = REASON_NONE;
    f->detail = NULL;
    f->connected_us = fetch_us(f);
    dns_release(&f->machine->dns, &f->name);
    return FETCH_NEXT;
}
