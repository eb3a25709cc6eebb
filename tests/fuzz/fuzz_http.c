/* SPDX-License-Identifier: MIT */
/* One HTTP response, whole and in pieces: both must give the same answer, and every slice must lie
 * in its input. First byte: is it the answer to HEAD, does the connection end; second: size of the
 * pieces. */
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "daemon/net/head.h"

struct response {
    struct head head;
    struct head_fields fields;
    struct body body;
    struct buf payload;
    size_t used;
    enum http_verdict verdict;
    enum reason failure;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_slice(const struct response *r, struct head_slice s)
{
    must(!s.len || (s.off >= r->head.start && (size_t)s.off + s.len <= r->head.end));
}

static void check_head(const struct response *r, const char *p, size_t n)
{
    const struct head *h = &r->head;
    must(h->start < h->end && h->end <= n && h->end <= HEAD_BYTES);
    must(h->status >= 200 && h->status <= 999 && r->fields.count < HEAD_LINES);
    must(h->body_kind != BODY_CLOSE || !h->keep_alive);
    check_slice(r, h->phrase);
    struct buf value = {0};
    for (unsigned i = 0; i < r->fields.count; i++) {
        check_slice(r, r->fields.at[i].name);
        check_slice(r, r->fields.at[i].value);
        must(r->fields.at[i].name.len > 0);
        buf_clear(&value);
        head_value(p, r->fields.at[i].value, &value);
        must(!buf_len(&value) || !memchr(buf_data(&value), '\n', buf_len(&value)));
        must(buf_len(&value) <= r->fields.at[i].value.len);
    }
    buf_done(&value);
}

static void feed_body(struct response *r, const char *p, size_t n)
{
    struct body_span in = {p + r->used, n - r->used}, payload;
    while ((r->verdict = body_next(&r->body, &in, &payload)) == HTTP_DATA) {
        must(payload.len && payload.p >= p && payload.p + payload.len <= in.p);
        buf_add(&r->payload, payload.p, payload.len);
    }
    must(r->verdict != HTTP_MORE || !in.len);
    r->used = n - in.len;
    r->failure = r->body.failure;
}

static void feed(struct response *r, const char *input, size_t n)
{
    char *p = xmalloc(n ? n : 1);
    memcpy(p, input, n);
    if (!r->used) {
        r->verdict = head_parse(&r->head, p, n, &r->fields);
        r->failure = r->head.failure;
        if (r->verdict == HTTP_DONE) {
            check_head(r, p, n);
            r->used = r->head.end;
            body_init(&r->body, r->head.body_kind, r->head.body_bytes);
        }
    }
    if (r->used)
        feed_body(r, p, n);
    free(p);
}

static struct response *run(const char *p, size_t n, size_t step, int flags)
{
    struct response *r = xcalloc(1, sizeof *r);
    head_init(&r->head, flags & 1);
    for (size_t at = step; r->verdict == HTTP_MORE && at < n; at += step)
        feed(r, p, at);
    if (r->verdict == HTTP_MORE)
        feed(r, p, n);
    if (r->verdict == HTTP_MORE && flags & 2) {
        r->verdict = r->used ? body_end(&r->body) : HTTP_FAILED;
        r->failure = r->used ? r->body.failure : head_end(n);
    }
    must((r->verdict == HTTP_FAILED) == (r->failure != REASON_NONE));
    return r;
}

static void free_response(struct response *r)
{
    buf_done(&r->payload);
    free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char *p = (const char *)data + 2;
    size_t n = size - 2;
    struct response *a = run(p, n, n + 1, data[0]), *b = run(p, n, 1u + data[1], data[0]);
    must(a->verdict == b->verdict && a->failure == b->failure);
    must(a->verdict != HTTP_DONE || a->used == b->used);
    must(a->fields.count == b->fields.count);
    must(!memcmp(a->fields.at, b->fields.at, a->fields.count * sizeof *a->fields.at));
    must(buf_len(&a->payload) == buf_len(&b->payload));
    must(!buf_len(&a->payload) ||
         !memcmp(buf_data(&a->payload), buf_data(&b->payload), buf_len(&a->payload)));
    free_response(a);
    free_response(b);
    return 0;
}
