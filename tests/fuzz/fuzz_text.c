/* SPDX-License-Identifier: MIT */
/* A body becomes text, whole and in pieces: both must give the same verdict, charset and text, and
 * the text must be UTF-8. First byte: which Content-Type; second: size of the pieces less one. */
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "daemon/parse/text.h"
#include "common/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const types[] = {
    "text/html",
    "",
    "text/plain",
    "application/xml",
    "text/html; charset=gbk",
    "text/html; charset=big5",
    "text/html; charset=euc-jp",
    "text/html; charset=shift_jis",
    "text/html; charset=euc-kr",
    "text/html; charset=iso-2022-jp",
    "text/html; charset=utf-16le",
    "text/html; charset=utf-16be",
    "text/html; charset=utf-8",
    "text/html; charset=windows-1252",
    "text/html; charset=iso-2022-kr",
    "text/html; charset=x-user-defined",
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void feed(struct text *t, const char *p, size_t n, bool last, struct buf *out)
{
    struct inflate_span in = {p, n}, piece;
    enum text_verdict v;
    while ((v = text_next(t, &in, last, &piece)) == TEXT_DATA) {
        must(utf8_valid(piece.p ? piece.p : "", piece.len, true));
        buf_add(out, piece.p, piece.len);
    }
    must(v == (last ? TEXT_DONE : TEXT_MORE) && !in.len);
}

static const char *run(struct text *t, const char *type, const char *p, size_t n, size_t step,
                       struct buf *out)
{
    struct codings none = {0};
    struct mime mime;
    mime_parse(type, &mime);
    text_begin(t, &(struct text_source){.codings = &none, .mime = &mime, .wire_bytes = n});
    for (size_t at = 0; at < n; at += step)
        feed(t, p + at, n - at < step ? n - at : step, false, out);
    feed(t, "", 0, true, out);
    return text_charset(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct text *t;
    if (!t)
        t = text_new();
    if (size < 2)
        return 0;
    const char *p = (const char *)data + 2, *type = types[data[0] % 16];
    struct buf whole = {0}, pieces = {0};
    const char *a = run(t, type, p, size - 2, size, &whole);
    const char *b = run(t, type, p, size - 2, 1u + data[1], &pieces);
    must(a == b && *a && buf_len(&whole) == buf_len(&pieces));
    must(!buf_len(&whole) || !memcmp(buf_data(&whole), buf_data(&pieces), buf_len(&whole)));
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
