/* SPDX-License-Identifier: MIT */
/* decode: content codings taken off, fed in pieces. */
#include "common/inflate.h"
#include "tests/conformance/adapter.h"

struct decoding {
    struct inflate *inflate;
    struct buf plain;
    enum inflate_verdict verdict;
};

static void feed(struct decoding *d, const char *p, size_t n)
{
    struct inflate_span in = {p, n};
    size_t got;
    do {
        d->verdict = inflate_next(d->inflate, &in, buf_reserve(&d->plain, 4096), 4096, &got);
        buf_grew(&d->plain, got);
    } while (d->verdict == INFLATE_AGAIN);
}

static void feed_cut(struct decoding *d, const json_t *cuts, const char *p, size_t n)
{
    size_t at = 0, i;
    json_t *cut;
    json_array_foreach(cuts, i, cut)
    {
        size_t to = (size_t)json_integer_value(cut);
        if (to > at && to < n && d->verdict != INFLATE_FAILED) {
            feed(d, p + at, to - at);
            at = to;
        }
    }
    if (d->verdict != INFLATE_FAILED)
        feed(d, p + at, n - at);
}

static json_t *decode(struct decoding *d, const json_t *request, const struct codings *codings)
{
    struct buf input = {0};
    if (!arg_base64(request, "input_b64", &input))
        return answer_error("input_b64");
    uint64_t most = inflate_most(buf_len(&input));
    const json_t *max = json_object_get(request, "max");
    if (json_is_integer(max) && (uint64_t)json_integer_value(max) < most)
        most = (uint64_t)json_integer_value(max);
    inflate_begin(d->inflate, codings, most);
    feed_cut(d, json_object_get(request, "cuts"), buf_str(&input), buf_len(&input));
    enum reason reason = inflate_end(d->inflate);
    buf_done(&input);
    return reason ? answer_error(reason_name(reason))
                  : json_pack("{s:o}", "body_b64",
                              json_base64(buf_data(&d->plain), buf_len(&d->plain)));
}

json_t *op_decode(const json_t *request)
{
    struct buf list = {0};
    struct codings codings;
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(request, "encodings"), i, name)
    {
        buf_adds(&list, json_string_value(name) ? json_string_value(name) : "?");
        buf_addc(&list, ',');
    }
    codings_parse(buf_str(&list), buf_len(&list), &codings);
    buf_done(&list);
    if (codings.verdict != CODINGS_KNOWN)
        return answer_error(codings.verdict == CODINGS_UNKNOWN ? "unknown coding"
                                                               : "too many codings");
    struct decoding d = {.inflate = inflate_new()};
    json_t *answer = decode(&d, request, &codings);
    inflate_free(d.inflate);
    buf_done(&d.plain);
    return answer;
}
