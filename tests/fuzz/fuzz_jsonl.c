/* SPDX-License-Identifier: MIT */
/* A client's byte stream, whole and in pieces of the size the first byte says: both must give the
 * same lines, and every reply must be one line of valid JSON. */
#include <stdlib.h>
#include <string.h>

#include "common/jsonl.h"
#include "common/xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_reply(struct buf *reply)
{
    const char *p = buf_data(reply);
    size_t n = buf_len(reply);
    must(n && memchr(p, '\n', n) == p + n - 1);
    json_error_t why;
    json_t *v = json_loadb(p, n, JSON_REJECT_DUPLICATES, &why);
    must(v && json_object_get(v, "id") && json_object_get(v, "ok"));
    json_decref(v);
    buf_clear(reply);
}

static void answer(const char *line, size_t len, struct buf *out)
{
    struct jsonl_request r;
    struct jsonl_error e;
    char *copy = xmalloc(len);
    memcpy(copy, line, len);
    struct buf reply = {0};
    if (jsonl_request_parse(copy, len, &r, &e)) {
        jsonl_reply_ok(&reply, r.id, r.args);
    } else {
        must(e.code == ERROR_BAD_FRAME || e.code == ERROR_BAD_REQUEST);
        jsonl_reply_error(&reply, r.id, e.code, e.message, e.hint, NULL);
    }
    jsonl_request_done(&r);
    free(copy);
    buf_add(out, buf_data(&reply), buf_len(&reply));
    check_reply(&reply);
    buf_done(&reply);
}

static struct buf run(const uint8_t *p, size_t n, size_t step)
{
    struct buf in = {0}, out = {0};
    struct jsonl l;
    jsonl_init(&l, 300);
    const char *line;
    size_t len;
    enum jsonl_verdict v = JSONL_MORE;
    for (size_t at = 0; at < n && v != JSONL_TOO_LONG; at += step) {
        buf_add(&in, p + at, n - at < step ? n - at : step);
        while ((v = jsonl_next(&l, &in, &line, &len)) == JSONL_LINE)
            answer(line, len, &out);
    }
    buf_addf(&out, "%d", v);
    buf_done(&in);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct buf a = run(data + 1, size - 1, size), b = run(data + 1, size - 1, 1u + data[0]);
    must(buf_len(&a) == buf_len(&b) && !memcmp(buf_data(&a), buf_data(&b), buf_len(&a)));
    buf_done(&a);
    buf_done(&b);
    return 0;
}
