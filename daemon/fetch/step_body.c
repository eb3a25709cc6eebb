/* SPDX-License-Identifier: MIT */
/* BODY. One read per wake-up: the loop gives the others their turn in between. Payload goes through
 * the digest; the bytes as they came are kept only for a record, or where a rule needs their text.
 *
 * Who has no credit (memory.c) waits in `poor` with its clocks stopped. */
#include "daemon/fetch/machine.h"

#include <errno.h>

#include "common/clock.h"

/* Takes in payload up to max_body_bytes; returns how much of it. */
static size_t take_payload(struct fetch *f, struct body_span payload)
{
    struct answer *a = f->answer;
    uint64_t max = f->job->spec.max_body_bytes;
    size_t n = payload.len;
    if (max && n > max - a->payload_bytes)
        n = (size_t)(max - a->payload_bytes);
    sha1_update(&a->sha1, payload.p, n);
    a->payload_bytes += n;
    return n;
}

/* Chunks of a byte are six times as long as what they hold: as much framing as body is enough. */
static bool is_beyond(const struct fetch *f)
{
    uint64_t max = f->job->spec.max_body_bytes;
    return max && f->wire_bytes > 2 * max + HEAD_BYTES;
}

static void keep_wire(struct fetch *f, const char *from, const char *to)
{
    struct answer *a = f->answer;
    if (!a->holds)
        return;
    buf_add(&a->capture.response, from, (size_t)(to - from));
    fetch_charge(f);
}

static void wait_for_memory(struct fetch *f)
{
    struct machine *m = f->machine;
    conn_pause(f->conn, m->loop);
    if (f->secure)
        secure_rest(f->secure);
    fetch_stop_clock(f);
    f->answer->poor_ns = clock_mono_ns();
    list_add_tail(&m->poor, &f->answer->room);
}

static enum fetch_state without_credit(struct fetch *f)
{
    if (!fetch_is_too_large(f)) {
        wait_for_memory(f);
        return FETCH_PARK;
    }
    f->answer->capture.truncated = "length";
    f->detail = "larger than the memory for it";
    return FETCH_NEXT;
}

void fetch_go_on(struct fetch *f)
{
    list_del(&f->answer->room);
    conn_resume(f->conn, f->machine->loop);
    fetch_go_clock(f, f->answer->poor_ns);
    fetch_progress(f, f->job->limits.idle_ns);
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
            keep_wire(f, from, payload.p + took);
            a->capture.truncated = "length";
            return FETCH_NEXT;
        }
    }
    keep_wire(f, from, in.p);
    if (v == HTTP_FAILED)
        return fetch_fail(f, a->body.failure, NULL);
    if (v == HTTP_MORE && is_beyond(f)) {
        a->capture.truncated = "length";
        return FETCH_NEXT;
    }
    if (v == HTTP_MORE) {
        fetch_progress(f, f->job->limits.idle_ns);
        return FETCH_PARK;
    }
    a->reusable = a->head.keep_alive && !in.len;
    return FETCH_NEXT;
}

static const char *end_detail(ssize_t got)
{
    return !got                ? NULL
           : got == TLS_CUT    ? "the connection ended without TLS saying so"
           : got == TLS_BROKEN ? "a TLS record is broken"
                               : "connection reset";
}

enum fetch_state fetch_body(struct fetch *f)
{
    struct machine *m = f->machine;
    struct body_span in = m->rest;
    m->rest.p = NULL;
    if (in.p)
        return take_in(f, in);
    size_t credit = fetch_credit(f);
    if (!credit)
        return without_credit(f);
    ssize_t got = conn_read(f->conn, m->in, credit);
    if (f->secure)
        secure_heard(f->secure, true);
    if (got == -EAGAIN)
        return FETCH_PARK;
    if (got > 0) {
        f->wire_bytes += (size_t)got;
        m->stats->value[STAT_BYTES_IN] += (size_t)got;
        return take_in(f, (struct body_span){m->in, (size_t)got});
    }
    if (got || body_end(&f->answer->body) != HTTP_DONE)
        return fetch_fail(f, REASON_BODY_INCOMPLETE, end_detail(got));
    return FETCH_NEXT;
}
