/* SPDX-License-Identifier: MIT */
/*      in ─▶ inflate ─▶ raw, 64 KiB ─▶ charset found out ─▶ convert ─▶ utf8
 *                        ▲                                     │
 *                        └── start of a character cut in two ──┘
 *
 * `raw` is filled before it is converted, so what is sniffed is the same whatever the pieces. As
 * long as nothing is declared and all is ASCII the charset stays open: every one reads it alike,
 * and what is not ASCII waits in `raw` until there is enough of it to guess from. */
#include "daemon/parse/text.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xalloc.h"
#include "daemon/parse/convert.h"
#include "daemon/parse/sniff.h"
#include "common/utf8.h"

struct text {
    struct inflate *inflate; /* owned */
    struct convert *convert; /* owned */
    struct mime mime;
    struct buf utf8; /* the piece given out */
    uint64_t decoded_bytes;
    enum charset charset;
    enum reason reason;
    const char *why;
    bool cut, sniffed, over;
    size_t raw_len;
    char raw[TEXT_PIECE_BYTES];
};

struct text *text_new(void)
{
    struct text *t = xcalloc(1, sizeof *t);
    t->inflate = inflate_new();
    t->convert = convert_new();
    return t;
}

void text_free(struct text *t)
{
    if (!t)
        return;
    inflate_free(t->inflate);
    convert_free(t->convert);
    buf_done(&t->utf8);
    free(t);
}

void text_begin(struct text *t, const struct text_source *source)
{
    inflate_begin(t->inflate, source->codings, inflate_most(source->wire_bytes));
    convert_begin(t->convert, CHARSET_UTF_8);
    t->mime = *source->mime;
    t->cut = source->cut;
    t->decoded_bytes = 0;
    t->charset = CHARSET_NONE;
    t->sniffed = t->over = false;
    t->raw_len = 0;
    t->reason = REASON_NONE;
    t->why = "";
    if (source->codings->verdict == CODINGS_TOO_MANY) {
        t->reason = REASON_BAD_ENCODING;
        t->why = "too many codings";
    }
}

/* Finds out the charset, if it is still open. Returns the bytes of a byte order mark. */
static size_t sniff(struct text *t, bool last)
{
    size_t mark = 0;
    if (!t->sniffed)
        t->charset = sniff_declared(t->raw, t->raw_len, &t->mime, &mark);
    else if (t->charset)
        return 0;
    if (!t->charset)
        t->charset = sniff_guess(t->raw, t->raw_len, last);
    if (t->charset)
        convert_begin(t->convert, t->charset);
    t->sniffed = true;
    return mark;
}

/* What `raw` holds becomes the piece; the start of a character stays. */
static void convert(struct text *t, bool last)
{
    size_t at = sniff(t, last);
    buf_clear(&t->utf8);
    size_t n = t->charset ? t->raw_len - at : utf8_ascii(t->raw + at, t->raw_len - at);
    at += convert_run(t->convert, t->raw + at, n, last, &t->utf8);
    memmove(t->raw, t->raw + at, t->raw_len - at);
    t->raw_len -= at;
}

static enum text_verdict fail(struct text *t)
{
    t->reason = inflate_reason(t->inflate);
    t->why = inflate_why(t->inflate);
    return TEXT_FAILED;
}

/* More into `raw`. */
static enum inflate_verdict fill(struct text *t, struct inflate_span *in)
{
    size_t n;
    enum inflate_verdict v =
        inflate_next(t->inflate, in, t->raw + t->raw_len, sizeof t->raw - t->raw_len, &n);
    t->raw_len += n;
    t->decoded_bytes += n;
    return v;
}

enum text_verdict text_next(struct text *t, struct inflate_span *in, bool last,
                            struct inflate_span *ret_utf8)
{
    *ret_utf8 = (struct inflate_span){NULL, 0};
    if (t->reason)
        return TEXT_FAILED;
    if (t->over)
        return TEXT_DONE;
    enum inflate_verdict v = fill(t, in);
    if (v == INFLATE_FAILED)
        return fail(t);
    bool full = t->raw_len == sizeof t->raw;
    t->over = v == INFLATE_MORE && last && !full;
    if (t->over && !t->cut && inflate_end(t->inflate))
        return fail(t);
    if (!t->over && !full)
        return v == INFLATE_MORE ? TEXT_MORE : TEXT_DATA;
    convert(t, t->over);
    *ret_utf8 = (struct inflate_span){buf_data(&t->utf8), buf_len(&t->utf8)};
    return TEXT_DATA;
}

enum reason text_reason(const struct text *t)
{
    return t->reason;
}

const char *text_why(const struct text *t)
{
    return t->why;
}

const char *text_charset(const struct text *t)
{
    return charset_name(t->charset);
}

uint64_t text_decoded_bytes(const struct text *t)
{
    return t->decoded_bytes;
}
