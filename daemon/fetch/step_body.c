/* SPDX-License-Identifier: MIT */
/* BODY. One read per wake-up: the loop gives the others their turn in between. Payload goes through
 * the digest and the keep rules; the bytes as they came are kept only when a record may be made. */
#include "daemon/fetch/machine.h"

#include <errno.h>

/* Takes in payload up to max_body_bytes; returns how much of it. */
static size_t take_payload(struct fetch *f, struct body_span payload)
{
    struct answer *a = f->answer;
    uint64_t max = f->job->spec.max_body_bytes;
    size_t n = payload.len;
    if (max && n > max - a->payload_bytes)
        n = (size_t)(max - a->payload_bytes);
    sha1_update(&a->sha1, payload.p, n);
    keep_scan_feed(&a->scan, &f->job->spec, payload.p, n);
    a->payload_bytes += n;
    return n;
}

static void keep_wire(struct answer *a, const char *from, const char *to)
{
    if (a->stores)
        buf_add(&a->capture.response, from, (size_t)(to - from));
}

static enum fetch_state take_in(struct fetch *f, struct body_span in)
{
    struct answer *a = f->answer;
    struct body_span payload;
    const char *from = in.p;
    enum http_verdict v;
    while ((v = body_next(&a->body, &in, &payload)) == HTTP_DATA) {
        size_t took = take_payload(f, payload);
        if (took < payload.len) {
            keep_wire(a, from, payload.p + took);
            a->capture.truncated = "length";
            return FETCH_NEXT;
        }
    }
    keep_wire(a, from, in.p);
    if (v == HTTP_FAILED)
        return fetch_fail(f, a->body.failure, NULL);
    if (v == HTTP_MORE) {
        fetch_progress(f, f->job->limits.idle_ns);
        return FETCH_PARK;
    }
    a->reusable = a->head.keep_alive && !in.len;
    return FETCH_NEXT;
}

enum fetch_state fetch_body(struct fetch *f)
{
    struct machine *m = f->machine;
    struct body_span in = m->rest;
    m->rest.p = NULL;
    if (in.p)
        return take_in(f, in);
    ssize_t got = conn_read(f->conn, m->in, sizeof m->in);
    if (got == -EAGAIN)
        return FETCH_PARK;
    if (got > 0) {
        f->wire_bytes += (size_t)got;
        m->stats->value[STAT_BYTES_IN] += (size_t)got;
        return take_in(f, (struct body_span){m->in, (size_t)got});
    }
    if (got || body_end(&f->answer->body) != HTTP_DONE)
        return fetch_fail(f, REASON_BODY_INCOMPLETE, got ? "connection reset" : NULL);
    return FETCH_NEXT;
}
