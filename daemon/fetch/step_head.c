/* SPDX-License-Identifier: MIT */
/* HEAD. Bytes are read into the machine's buffer and parsed where they lie, so a fetch that waits
 * for its first byte owns none. What lies behind the head is left in `rest` for BODY, which is the
 * next step of the same wake-up. */
#include "daemon/fetch/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "daemon/fetch/retry_after.h"

static void answer_begin(struct fetch *f)
{
    struct answer *a = slab_get(&f->machine->answers);
    f->answer = a;
    f->first_us = fetch_us(f);
    a->fetch = f;
    a->stores = f->job->spec.store.format == SPEC_WARC;
    head_init(&a->head, !strcmp(f->job->spec.request.method, "HEAD"));
    sha1_init(&a->sha1);
    list_init(&a->room);
    fetch_rate_begin(f);
    fetch_tell_sent(f);
}

/* A kept connection was closed by the server before it saw the request: that is nobody's failure.
 * Another connection is tried once, or the turn given back where only a kept one was granted. */
static enum fetch_state gone_stale(struct fetch *f)
{
    fetch_let_conn(f, false);
    if (f->grant == GRANT_KEPT) {
        fetch_tell_sent(f);
        f->no_conn = true;
        return FETCH_REPORT;
    }
    f->fresh = true;
    f->counted = false;
    return FETCH_RESOLVE;
}

static enum fetch_state ended(struct fetch *f, ssize_t got)
{
    if (!f->answer && f->conn->reused)
        return gone_stale(f);
    size_t n = f->answer ? buf_len(&f->answer->capture.response) : 0;
    if (got == TLS_BROKEN)
        return fetch_fail(f, REASON_TLS_ERROR, "TLS was broken off after the handshake");
    bool reset = got && got != TLS_CUT;
    return fetch_fail(f, reset && !n ? REASON_CONN_RESET : head_end(n), NULL);
}

/* RFC 9110, section 8.3. */
static void take_content_type(struct answer *a, struct buf *scratch, const char *p)
{
    buf_clear(scratch);
    head_value(p, a->head.first[HEAD_CONTENT_TYPE], scratch);
    mime_parse(buf_str(scratch), &a->mime);
}

static void take_codings(struct fetch *f, const char *p)
{
    struct buf *list = &f->machine->tail;
    buf_clear(list);
    head_list(p, &f->machine->fields, HEAD_CONTENT_ENCODING, list);
    codings_parse(buf_str(list), buf_len(list), &f->answer->codings);
}

/* The head is whole; p is the response's first byte. */
static void take_head(struct fetch *f, const char *p)
{
    struct answer *a = f->answer;
    struct buf *scratch = &f->machine->tail;
    a->has_head = true;
    if (a->head.first[HEAD_CONTENT_TYPE].off)
        take_content_type(a, scratch, p);
    if (a->head.first[HEAD_CONTENT_ENCODING].off)
        take_codings(f, p);
    a->holds = a->stores || keep_needs_text(&f->job->spec, a->head.status);
    if (a->head.first[HEAD_RETRY_AFTER].off) {
        buf_clear(scratch);
        head_value(p, a->head.first[HEAD_RETRY_AFTER], scratch);
        a->retry_after_s = retry_after_s(buf_str(scratch), clock_wall_ns());
    }
    if (a->head.first[HEAD_LOCATION].off) {
        a->location = a->head.first[HEAD_LOCATION];
        a->location.off = (uint16_t)(a->location.off - a->head.start);
    }
    body_init(&a->body, a->head.body_kind, a->head.body_bytes);
    if (fetch_is_busy(f))
        fetch_tell_busy(f);
}

/* n more bytes lie in the machine's buffer. */
static enum fetch_state parse(struct fetch *f, size_t n)
{
    struct machine *m = f->machine;
    struct answer *a = f->answer;
    struct buf *kept = &a->capture.response;
    bool first = !buf_len(kept);
    if (!first)
        buf_add(kept, m->in, n);
    const char *p = first ? m->in : buf_data(kept);
    size_t all = first ? n : buf_len(kept);
    switch (head_parse(&a->head, p, all, &m->fields)) {
    case HTTP_DONE:
        break;
    case HTTP_FAILED:
        return fetch_fail(f, a->head.failure, NULL);
    case HTTP_MORE:
    case HTTP_DATA:
    default:
        if (first)
            buf_add(kept, m->in, n);
        fetch_charge(f);
        fetch_progress(f, f->job->limits.idle_ns);
        return FETCH_PARK;
    }
    take_head(f, p);
    size_t rest = all - a->head.end;
    m->rest = (struct body_span){m->in + n - rest, rest};
    if (first) {
        buf_reserve(kept, a->head.end - a->head.start + (a->holds ? rest : 0));
        buf_add(kept, p + a->head.start, a->head.end - a->head.start);
    } else {
        buf_cut(kept, a->head.end);
        buf_consume(kept, a->head.start);
    }
    return FETCH_NEXT;
}

enum fetch_state fetch_head(struct fetch *f)
{
    struct machine *m = f->machine;
    ssize_t got = conn_read(f->conn, m->in, FETCH_FREE_BYTES);
    if (f->secure)
        secure_heard(f->secure, got > 0);
    if (got == -EAGAIN) {
        if (f->tell_sent && !f->look_ns)
            fetch_look_later(f);
        return FETCH_PARK;
    }
    if (got <= 0)
        return ended(f, got);
    if (!f->answer)
        answer_begin(f);
    f->wire_bytes += (size_t)got;
    m->stats->value[STAT_BYTES_IN] += (size_t)got;
    return parse(f, (size_t)got);
}
