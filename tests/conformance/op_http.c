/* SPDX-License-Identifier: MIT */
/* http.response: one response, fed in pieces. */
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "daemon/net/head.h"
#include "tests/conformance/adapter.h"

struct response {
    struct head head;
    struct head_fields fields;
    struct body body;
    struct buf payload;
    size_t used; /* of the input, by a whole head and the body behind it */
    enum http_verdict verdict;
    enum reason failure;
    bool head_whole;
};

static void feed_body(struct response *r, const char *p, size_t n)
{
    struct body_span in = {p + r->used, n - r->used}, payload;
    while ((r->verdict = body_next(&r->body, &in, &payload)) == HTTP_DATA)
        buf_add(&r->payload, payload.p, payload.len);
    r->used = n - in.len;
    r->failure = r->body.failure;
}

/* The first n bytes of the input are there. A copy, so that reading beyond them is found. */
static void feed(struct response *r, const char *input, size_t n)
{
    if (r->verdict != HTTP_MORE)
        return;
    char *p = xmalloc(n ? n : 1);
    memcpy(p, input, n);
    if (!r->head_whole) {
        r->verdict = head_parse(&r->head, p, n, &r->fields);
        r->failure = r->head.failure;
        r->head_whole = r->verdict == HTTP_DONE;
        if (r->head_whole) {
            r->used = r->head.end;
            body_init(&r->body, r->head.body_kind, r->head.body_bytes);
        }
    }
    if (r->head_whole)
        feed_body(r, p, n);
    free(p);
}

static void feed_end(struct response *r, size_t n)
{
    if (r->verdict != HTTP_MORE)
        return;
    r->verdict = r->head_whole ? body_end(&r->body) : HTTP_FAILED;
    r->failure = r->head_whole ? r->body.failure : head_end(n);
}

static json_t *headers_json(const struct response *r, const char *p)
{
    json_t *list = json_array();
    struct buf value = {0};
    for (unsigned i = 0; i < r->fields.count; i++) {
        const struct head_field *f = &r->fields.at[i];
        buf_clear(&value);
        head_value(p, f->value, &value);
        json_t *pair = json_array();
        json_array_append_new(pair, json_text(p + f->name.off, f->name.len));
        json_array_append_new(pair, json_text(buf_str(&value), buf_len(&value)));
        json_array_append_new(list, pair);
    }
    buf_done(&value);
    return list;
}

static json_t *answer(const struct response *r, const char *p, size_t n)
{
    static const char *const outcomes[] = {
        [HTTP_MORE] = "more", [HTTP_DATA] = "more", [HTTP_DONE] = "ok", [HTTP_FAILED] = "error"};
    bool whole = r->verdict == HTTP_DONE;
    json_t *a = json_pack("{s:s, s:b, s:b, s:I}", "outcome", outcomes[r->verdict], "complete",
                          whole, "keep_alive", whole && r->head.keep_alive && r->used == n,
                          "consumed", (json_int_t)r->used);
    if (r->verdict == HTTP_FAILED)
        json_object_set_new(a, "error", json_string(reason_name(r->failure)));
    if (r->head_whole) {
        json_object_set_new(a, "status", json_integer(r->head.status));
        json_object_set_new(a, "reason", json_text(p + r->head.phrase.off, r->head.phrase.len));
        json_object_set_new(a, "headers", headers_json(r, p));
    }
    json_object_set_new(a, "body_b64", json_base64(buf_data(&r->payload), buf_len(&r->payload)));
    return a;
}

json_t *op_http_response(const json_t *request)
{
    struct buf input = {0};
    if (!arg_base64(request, "input_b64", &input))
        return answer_error("input_b64");
    const char *p = buf_str(&input), *method = "GET";
    size_t n = buf_len(&input), i, len;
    arg_text(request, "method", &method, &len);
    struct response *r = xcalloc(1, sizeof *r);
    head_init(&r->head, !strcmp(method, "HEAD"));
    json_t *cut;
    json_array_foreach(json_object_get(request, "cuts"), i,
                       cut) if ((size_t)json_integer_value(cut) < n)
        feed(r, p, (size_t)json_integer_value(cut));
    feed(r, p, n);
    if (json_is_true(json_object_get(request, "eof")))
        feed_end(r, n);
    json_t *a = answer(r, p, n);
    buf_done(&r->payload);
    buf_done(&input);
    free(r);
    return a;
}
