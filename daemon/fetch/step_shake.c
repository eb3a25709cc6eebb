/* SPDX-License-Identifier: MIT */
/* SHAKE. TCP is connected; the TLS handshake goes on in this fetch's turns, which come once the
 * socket has something. What the row's limit counts is the server's time, not that of waiting for a
 * turn. */
#include <assert.h>

#include "common/clock.h"
#include "daemon/fetch/machine.h"

static_assert(SPEC_TLS_STRICT == (int)TLS_STRICT && SPEC_TLS_RECORD == (int)TLS_RECORD &&
                  SPEC_TLS_OFF == (int)TLS_OFF,
              "one order");

static enum fetch_state begin(struct fetch *f)
{
    const struct tls_peer peer = {.host = fetch_text(f, f->host_part),
                                  .host_len = f->host_part.len,
                                  .ip = f->literal ? &f->peer : NULL,
                                  .origin = f->origin,
                                  .verify = (enum tls_verify)f->job->spec.tls_verify};
    if (conn_secure(f->conn, f->machine->secures.tls, &peer))
        return fetch_fail(f, REASON_TLS_ERROR, "the host cannot be named to a TLS server");
    secure_want_turn(f->secure);
    return FETCH_PARK;
}

static enum tls_verdict shake(struct fetch *f)
{
    struct machine *m = f->machine;
    int64_t begin_ns = clock_mono_ns();
    enum tls_verdict v = conn_shake(f->conn, m->loop, m->secures.turn_end_ns);
    m->secures.used_ns += clock_mono_ns() - begin_ns;
    return v;
}

/* The server is fine: a connection that offers less takes the place of this one, of which it has
 * seen no request. */
static enum fetch_state connect_again(struct fetch *f)
{
    f->counted = false;
    fetch_let_conn(f, false);
    f->tried = 0;
    return FETCH_RESOLVE;
}

enum fetch_state fetch_shake(struct fetch *f)
{
    const char *detail;
    enum reason reason;
    if (!f->conn->tls)
        return begin(f);
    if (!secure_is_turn(f->secure)) {
        secure_want_turn(f->secure);
        return FETCH_PARK;
    }
    switch (shake(f)) {
    case TLS_DONE:
        secure_shaken(f->secure);
        return FETCH_NEXT;
    case TLS_FAILED:
        if (tls_lowered(f->conn->tls))
            return connect_again(f);
        reason = tls_failure(f->conn->tls, &detail);
        return fetch_fail(f, reason, detail);
    case TLS_TIME:
        secure_want_turn(f->secure);
        return FETCH_PARK;
    case TLS_WANT_READ:
    case TLS_WANT_WRITE:
    default:
        return FETCH_PARK;
    }
}
