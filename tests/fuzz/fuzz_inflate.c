/* SPDX-License-Identifier: MIT */
/* A coded body, whole and in pieces: both must give the same verdict, and the same bytes when it is
 * whole. First byte: which codings (two bits each layer, 0x10: two layers); second: size of the
 * pieces less one. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/inflate.h"

#define MOST_BYTES 300000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static enum reason run(struct inflate *z, const struct codings *codings, const char *p, size_t n,
                       size_t step, struct buf *out)
{
    enum inflate_verdict v = INFLATE_MORE;
    inflate_begin(z, codings, MOST_BYTES);
    for (size_t at = 0; at < n && v != INFLATE_FAILED; at += step) {
        struct inflate_span in = {p + at, n - at < step ? n - at : step};
        size_t got;
        do {
            v = inflate_next(z, &in, buf_reserve(out, 5000), 5000, &got);
            must(got <= 5000);
            buf_grew(out, got);
        } while (v == INFLATE_AGAIN);
        must(v == INFLATE_FAILED || !in.len);
    }
    must((v == INFLATE_FAILED) == (inflate_reason(z) != REASON_NONE));
    must(v == INFLATE_FAILED || buf_len(out) <= MOST_BYTES);
    return inflate_end(z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct codings codings = {.count = data[0] & 0x10 ? 2 : 1,
                              .at = {data[0] & 3, data[0] >> 2 & 3}};
    const char *p = (const char *)data + 2;
    struct buf whole = {0}, pieces = {0};
    struct inflate *z = inflate_new();
    enum reason a = run(z, &codings, p, size - 2, size, &whole);
    enum reason b = run(z, &codings, p, size - 2, 1u + data[1], &pieces);
    must(a == b);
    must(a || buf_len(&whole) == buf_len(&pieces));
    must(a || !buf_len(&whole) || !memcmp(buf_data(&whole), buf_data(&pieces), buf_len(&whole)));
    inflate_free(z);
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
