/* SPDX-License-Identifier: MIT */
/* CONNECT. The addresses are tried in turn, each for its share of the limit. The policy is asked
 * about all of a name's addresses before the first, and about each just before its connect(). What
 * the last one that was tried failed of is the reason; denied only if none could be tried.
 *
 * Where connections to an address are counted over all its hosts, a grant is for one address. The
 * next one is told to the supervisor then, and tried with another grant. */
#include "daemon/fetch/machine.h"

#include <errno.h>
#include <string.h>

#define ADDRESSES_TRIED_MAX 4

static enum reason reason_of(int err)
{
    return err == -ECONNREFUSED ? REASON_CONNECT_REFUSED
           : err == -ETIMEDOUT  ? REASON_CONNECT_TIMEOUT
           : err == -ECONNRESET ? REASON_CONN_RESET /* taken on, and gone before we looked */
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
    struct conn *c;
    int err = pool_open(&m->pool, &o, &f->peer, &c);
    if (err)
        return err;
    m->stats->value[STAT_CONNECTS]++;
    fetch_take_conn(f, c);
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

static bool is_bound_to(const struct fetch *f, const struct addr *a)
{
    uint8_t ip[16] = {[10] = 0xff, [11] = 0xff};
    if (a->family == 4)
        memcpy(ip + 12, a->ip, 4);
    else
        memcpy(ip, a->ip, 16);
    return !memcmp(ip, f->bound_to, 16);
}

/* The grant was for a connection to another address: the lease comes back with one for this. */
static enum fetch_state change_address(struct fetch *f, const struct addr *a)
{
    struct ipc_addr *m = ipc_add(f->machine->uplink, IPC_ADDR, 0);
    m->host = f->host;
    m->family = a->family;
    memcpy(m->address, a->ip, sizeof m->address);
    f->no_conn = true;
    return FETCH_REPORT;
}

static bool is_last_address(const struct dns_name *name)
{
    return name->misses + 1 >= name->count || name->misses + 1 >= ADDRESSES_TRIED_MAX;
}

/* What was tried took no connection. When none of the name's did, that is the end. */
static enum fetch_state miss(struct fetch *f)
{
    struct dns_name *name = f->name.name;
    const struct addr *first = &name->addr[name->first];
    bool last = is_last_address(name);
    if (first->family == f->peer.family && !memcmp(first->ip, f->peer.ip, sizeof first->ip)) {
        name->first = (uint8_t)((name->first + 1) % name->count);
        name->misses = last ? 0 : (uint8_t)(name->misses + 1);
    }
    return last ? FETCH_JUDGE : change_address(f, &name->addr[name->first]);
}

static enum fetch_state try_bound(struct fetch *f)
{
    const struct addr *a = &f->name.name->addr[f->name.name->first];
    if (f->tried)
        return miss(f);
    if (!is_bound_to(f, a))
        return change_address(f, a);
    f->peer = *a;
    enum reason denied = check(f, a);
    int err = denied ? 0 : begin_connect(f);
    if (err == -EMFILE) {
        fetch_look_later(f);
        return FETCH_PARK;
    }
    f->tried++;
    if (!denied && !err)
        return FETCH_PARK;
    if (denied)
        note_denied(f, denied);
    else
        note_error(f, err);
    return miss(f);
}

static bool is_bound(const struct fetch *f)
{
    return f->bound && !f->literal;
}

static enum fetch_state try_some(struct fetch *f)
{
    return is_bound(f) ? try_bound(f) : try_addresses(f);
}

bool fetch_next_address(struct fetch *f)
{
    if (is_bound(f) ? is_last_address(f->name.name) : f->tried >= addresses_count(f))
        return false;
    note_error(f, -ETIMEDOUT);
    fetch_let_conn(f, false);
    return true;
}

enum fetch_state fetch_connect(struct fetch *f)
{
    if (!f->conn) {
        if (f->secure && !secure_may_connect(f->secure))
            return FETCH_PARK;
        enum reason denied = check_name(f);
        return denied ? fetch_fail(f, denied, NULL) : try_some(f);
    }
    int err = conn_connected(f->conn, f->machine->loop);
    if (err == -EINPROGRESS)
        return FETCH_PARK;
    if (err) {
        note_error(f, err);
        fetch_let_conn(f, false);
        return try_some(f);
    }
    f->counted = true;
    f->reason = REASON_NONE;
    f->detail = NULL;
    f->connected_us = fetch_us(f);
    if (f->name.name)
        f->name.name->misses = 0;
    dns_release(&f->machine->dns, &f->name);
    return f->secure ? FETCH_NEXT : FETCH_SEND;
}
