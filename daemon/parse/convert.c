/* SPDX-License-Identifier: MIT */
/* iconv alone would take 5 to 10 ns a character. Most bytes of a page are markup, so where ASCII is
 * known to be ASCII runs of it are copied, and iconv gets STRETCH_BYTES at a time in between;
 * charsets of one byte are tables. */
#include "daemon/parse/convert.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "common/utf8.h"

#define STRETCH_BYTES 64
#define NO_ICONV      ((iconv_t)-1)
#define UNKNOWN_CODE  0xfffd
#define EXPANSION     4 /* no converter makes more bytes of one */

struct convert {
    enum charset charset;
    bool began;                        /* REPLACEMENT: said its one character */
    iconv_t iconv[CHARSET_COUNT];      /* owned; NO_ICONV */
    uint16_t high[CHARSET_COUNT][128]; /* code points of bytes from 0x80 on */
};

/* ---- opening ---- */

/* The Encoding Standard gives bytes of windows charsets that mean nothing their C1 controls. */
static uint16_t hole(unsigned byte)
{
    return (uint16_t)(byte < 0xa0 ? byte : UNKNOWN_CODE);
}

/* A letter that a mark may follow is held back till the converter is flushed. */
static void make_table(uint16_t high[128], iconv_t from)
{
    for (unsigned byte = 0x80; byte < 0x100; byte++) {
        char in = (char)byte;
        uint8_t out[4] = {0};
        char *p = &in, *to = (char *)out;
        size_t n = 1, room = sizeof out;
        bool known = iconv(from, &p, &n, &to, &room) == 0 &&
                     iconv(from, NULL, NULL, &to, &room) == 0 && room == 2;
        high[byte - 0x80] = known ? (uint16_t)(out[0] << 8 | out[1]) : hole(byte);
        iconv(from, NULL, NULL, NULL, NULL);
    }
}

static void open_one(struct convert *c, enum charset charset)
{
    const char *name = charset_iconv(charset);
    bool single = charset_kind(charset) == CHARSET_KIND_SINGLE;
    for (int i = 0; i < 128; i++)
        c->high[charset][i] =
            (uint16_t)(charset_kind(charset) == CHARSET_KIND_USER ? 0xf780 + i : UNKNOWN_CODE);
    c->iconv[charset] = NO_ICONV;
    if (!*name)
        return;
    iconv_t from = iconv_open(single ? "UTF-16BE" : "UTF-8", name);
    if (from == NO_ICONV) {
        log_warning("charset=%s error=\"this system has no converter\"", charset_name(charset));
    } else if (single) {
        make_table(c->high[charset], from);
        iconv_close(from);
    } else {
        c->iconv[charset] = from;
    }
}

struct convert *convert_new(void)
{
    struct convert *c = xcalloc(1, sizeof *c);
    for (int i = CHARSET_NONE + 1; i < CHARSET_COUNT; i++)
        open_one(c, (enum charset)i);
    c->charset = CHARSET_UTF_8;
    return c;
}

void convert_free(struct convert *c)
{
    if (!c)
        return;
    for (int i = CHARSET_NONE + 1; i < CHARSET_COUNT; i++)
        if (c->iconv[i] != NO_ICONV)
            iconv_close(c->iconv[i]);
    free(c);
}

void convert_begin(struct convert *c, enum charset charset)
{
    c->charset = charset;
    c->began = false;
    if (c->iconv[charset] != NO_ICONV)
        iconv(c->iconv[charset], NULL, NULL, NULL, NULL);
}

/* ---- kinds ---- */

static void add_unknown(struct buf *out)
{
    buf_add(out, UTF8_UNKNOWN, sizeof UTF8_UNKNOWN - 1);
}

static size_t run_utf8(const char *p, size_t n, bool last, struct buf *out)
{
    size_t from = 0, i = 0; /* [from, i) is to be copied as it is */
    while ((i += utf8_ascii(p + i, n - i)) < n) {
        int len = utf8_sequence(p + i, n - i);
        if (!len && !last)
            break;
        if (len <= 0) {
            buf_add(out, p + from, i - from);
            add_unknown(out);
            i += len ? (size_t)-len : n - i;
            from = i;
        } else {
            i += (size_t)len;
        }
    }
    buf_add(out, p + from, i - from);
    return i;
}

static size_t run_table(const uint16_t high[128], const char *p, size_t n, struct buf *out)
{
    char *start = buf_reserve(out, 3 * n), *to = start;
    for (size_t i = 0; i < n;) {
        size_t ascii = utf8_ascii(p + i, n - i);
        memcpy(to, p + i, ascii);
        to += ascii;
        for (i += ascii; i < n && (uint8_t)p[i] >= 0x80; i++)
            to += utf8_put(to, high[(uint8_t)p[i] - 0x80]);
    }
    buf_grew(out, (size_t)(to - start));
    return n;
}

static size_t run_replacement(struct convert *c, size_t n, struct buf *out)
{
    if (n && !c->began)
        add_unknown(out);
    c->began |= n > 0;
    return n;
}

/* The bytes iconv stands at are no character: how many to pass over. Of a pair whose second byte
 * is ASCII only the first: the other may be the markup that a broken character would swallow. */
static size_t broken_bytes(enum charset_kind kind, const char *p, size_t n)
{
    if (kind == CHARSET_KIND_WIDE)
        return n < 2 ? n : 2;
    bool pair = kind == CHARSET_KIND_MULTI && n > 1 && (uint8_t)*p > 0x80 && (uint8_t)*p < 0xff;
    return pair && (uint8_t)p[1] >= 0x80 ? 2 : 1;
}

/* One call of iconv; how many bytes it used. *ret_stop: at what is no character (EILSEQ), or only
 * the start of one (EINVAL); 0: nowhere. */
static size_t call_iconv(iconv_t from, const char *p, size_t n, struct buf *out, int *ret_stop)
{
    size_t room = n * EXPANSION + 16, left = n, left_room = room;
    char *to = buf_reserve(out, room), *in = (char *)(uintptr_t)p;
    *ret_stop = iconv(from, &in, &left, &to, &left_room) == (size_t)-1 ? errno : 0;
    buf_grew(out, room - left_room);
    return n - left;
}

/* A converter may hold a character back, in case that the next one changes it. Shifts are reset. */
static void flush_iconv(iconv_t from, struct buf *out)
{
    size_t room = 16, left_room = room;
    char *to = buf_reserve(out, room);
    iconv(from, NULL, NULL, &to, &left_room);
    buf_grew(out, room - left_room);
}

static size_t run_iconv(struct convert *c, const char *p, size_t n, bool last, struct buf *out)
{
    enum charset_kind kind = charset_kind(c->charset);
    iconv_t from = c->iconv[c->charset];
    size_t i = 0;
    while (i < n) {
        size_t ascii = kind == CHARSET_KIND_MULTI ? utf8_ascii(p + i, n - i) : 0;
        if (ascii) {
            flush_iconv(from, out);
            buf_add(out, p + i, ascii);
            i += ascii;
            continue;
        }
        size_t stretch =
            kind == CHARSET_KIND_MULTI && n - i > STRETCH_BYTES ? STRETCH_BYTES : n - i;
        int stop;
        size_t used = call_iconv(from, p + i, stretch, out, &stop);
        i += used;
        if (stop == EILSEQ || (!used && last)) {
            if (kind == CHARSET_KIND_MULTI)
                flush_iconv(from, out);
            add_unknown(out);
            i += stop == EILSEQ ? broken_bytes(kind, p + i, n - i) : n - i;
        } else if (!used) {
            break;
        }
    }
    if (last)
        flush_iconv(from, out);
    return i;
}

size_t convert_run(struct convert *c, const char *p, size_t n, bool last, struct buf *out)
{
    switch (charset_kind(c->charset)) {
    case CHARSET_KIND_UTF8:
        return run_utf8(p, n, last, out);
    case CHARSET_KIND_REPLACEMENT:
        return run_replacement(c, n, out);
    case CHARSET_KIND_MULTI:
    case CHARSET_KIND_STATEFUL:
    case CHARSET_KIND_WIDE:
        if (c->iconv[c->charset] != NO_ICONV)
            return run_iconv(c, p, n, last, out);
        break;
    case CHARSET_KIND_SINGLE:
    case CHARSET_KIND_USER:
        break;
    }
    return run_table(c->high[c->charset], p, n, out);
}
