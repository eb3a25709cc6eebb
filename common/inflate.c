/* SPDX-License-Identifier: MIT */
/* The last coding applied comes off first. With two of them their layers are joined by `between`:
 *
 *      in ─▶ layer 1 ─▶ between ─▶ layer 0 ─▶ out
 *
 * The first bytes of a layer (`head`) say which decoder they are for; behind the end of a member
 * they say whether another one follows:
 *
 *      FIRST ─▶ MEMBER ─▶ BEHIND ─┬▶ MEMBER ...
 *                                 └▶ OVER: the rest is ignored */
#include "common/inflate.h"

#include <brotli/decode.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include "common/log.h"
#include "common/xalloc.h"

#define BETWEEN_BYTES (16u << 10)
#define SHARE_BYTES   (64u << 10) /* between the layers, per call */

enum place { FIRST, MEMBER, BEHIND, OVER };

/* What a decoder said. */
enum { GOES_ON, MEMBER_ENDED, BROKEN };

struct room {
    char *p;
    size_t len;
};

struct layer {
    const struct decoder *decoder;
    uint8_t place; /* enum place */
    uint8_t head_bytes;
    uint8_t head[4];
    struct inflate_span head_left; /* of `head`: not yet given to the decoder */
    bool full;                     /* the room was: there may be output without input */
    uint64_t out_bytes;
    const char *why; /* after BROKEN; constant */
    z_stream zlib;
    bool has_zlib;
    BrotliDecoderState *brotli;
    ZSTD_DCtx *zstd;
};

struct inflate {
    struct layer layer[INFLATE_LAYERS];
    unsigned count;
    uint64_t most_bytes;
    enum reason reason;
    const char *why;
    struct inflate_span between;
    char between_bytes[BETWEEN_BYTES];
};

struct decoder {
    size_t head_bytes; /* looked at before a member */
    bool members;      /* may one follow another? */
    bool (*begins)(const uint8_t *head);
    void (*begin)(struct layer *l);
    int (*run)(struct layer *l, struct inflate_span *in, struct room *out);
};

static void need_memory(bool there)
{
    if (there)
        return;
    log_crit("out of memory for a decoder");
    abort();
}

/* ---- gzip and deflate ---- */

static void zlib_begin(struct layer *l, int window_bits)
{
    if (l->has_zlib) {
        inflateReset2(&l->zlib, window_bits);
        return;
    }
    l->zlib = (z_stream){0};
    need_memory(inflateInit2(&l->zlib, window_bits) == Z_OK);
    l->has_zlib = true;
}

static int zlib_run(struct layer *l, struct inflate_span *in, struct room *out)
{
    z_stream *z = &l->zlib;
    z->next_in = (Bytef *)(uintptr_t)in->p;
    z->avail_in = in->len < UINT_MAX ? (uInt)in->len : UINT_MAX;
    z->next_out = (Bytef *)out->p;
    z->avail_out = out->len < UINT_MAX ? (uInt)out->len : UINT_MAX;
    int said = inflate(z, Z_NO_FLUSH);
    in->len -= (size_t)((const char *)z->next_in - in->p);
    in->p = (const char *)z->next_in;
    out->len -= (size_t)((char *)z->next_out - out->p);
    out->p = (char *)z->next_out;
    need_memory(said != Z_MEM_ERROR);
    if (said == Z_OK || said == Z_BUF_ERROR)
        return GOES_ON;
    if (said != Z_STREAM_END)
        l->why = z->msg ? z->msg : "needs a dictionary";
    return said == Z_STREAM_END ? MEMBER_ENDED : BROKEN;
}

static bool gzip_begins(const uint8_t *head)
{
    return head[0] == 0x1f && head[1] == 0x8b;
}

static void gzip_begin(struct layer *l)
{
    zlib_begin(l, MAX_WBITS + 16);
}

static bool anything_begins(const uint8_t *head)
{
    return true;
}

/* RFC 1950, section 2.2. What does not begin so is raw deflate, as many servers send it. */
static void deflate_begin(struct layer *l)
{
    unsigned method = l->head[0] & 15, window = l->head[0] >> 4;
    bool zlib = method == 8 && window < 8 && (l->head[0] << 8 | l->head[1]) % 31 == 0;
    zlib_begin(l, zlib ? MAX_WBITS : -MAX_WBITS);
}

/* ---- br ---- */

static void brotli_end(struct layer *l)
{
    if (l->brotli)
        BrotliDecoderDestroyInstance(l->brotli);
    l->brotli = NULL;
}

static void brotli_begin(struct layer *l)
{
    brotli_end(l);
    l->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    need_memory(l->brotli);
}

static int brotli_run(struct layer *l, struct inflate_span *in, struct room *out)
{
    const uint8_t *from = (const uint8_t *)in->p;
    uint8_t *to = (uint8_t *)out->p;
    BrotliDecoderResult said =
        BrotliDecoderDecompressStream(l->brotli, &in->len, &from, &out->len, &to, NULL);
    in->p = (const char *)from;
    out->p = (char *)to;
    if (said == BROTLI_DECODER_RESULT_SUCCESS)
        return MEMBER_ENDED;
    if (said != BROTLI_DECODER_RESULT_ERROR)
        return GOES_ON;
    l->why = BrotliDecoderErrorString(BrotliDecoderGetErrorCode(l->brotli));
    return BROKEN;
}

/* ---- zstd ---- */

/* RFC 8878, sections 3.1.1 and 3.1.2: a frame, or one to be skipped. */
static bool zstd_begins(const uint8_t *head)
{
    return !memcmp(head, "\x28\xb5\x2f\xfd", 4) ||
           ((head[0] & 0xf0) == 0x50 && !memcmp(head + 1, "\x2a\x4d\x18", 3));
}

static void zstd_begin(struct layer *l)
{
    if (!l->zstd) {
        l->zstd = ZSTD_createDCtx();
        need_memory(l->zstd);
        ZSTD_DCtx_setParameter(l->zstd, ZSTD_d_windowLogMax, INFLATE_ZSTD_WINDOW_LOG);
    }
    ZSTD_DCtx_reset(l->zstd, ZSTD_reset_session_only);
}

static int zstd_run(struct layer *l, struct inflate_span *in, struct room *out)
{
    ZSTD_inBuffer from = {in->p, in->len, 0};
    ZSTD_outBuffer to = {out->p, out->len, 0};
    size_t said = ZSTD_decompressStream(l->zstd, &to, &from);
    in->p += from.pos;
    in->len -= from.pos;
    out->p += to.pos;
    out->len -= to.pos;
    if (ZSTD_isError(said)) {
        l->why = ZSTD_getErrorName(said);
        return BROKEN;
    }
    return said ? GOES_ON : MEMBER_ENDED;
}

/* ---- one layer ---- */

static const struct decoder decoders[CODING_COUNT] = {
    [CODING_GZIP] = {2, true, gzip_begins, gzip_begin, zlib_run},
    [CODING_DEFLATE] = {2, false, anything_begins, deflate_begin, zlib_run},
    [CODING_BR] = {0, false, anything_begins, brotli_begin, brotli_run},
    [CODING_ZSTD] = {4, true, zstd_begins, zstd_begin, zstd_run},
};

static void layer_begin(struct layer *l, enum coding coding)
{
    l->decoder = &decoders[coding];
    l->place = FIRST;
    l->head_bytes = 0;
    l->head_left.len = 0;
    l->full = false;
    l->out_bytes = 0;
    l->why = NULL;
}

static void layer_done(struct layer *l)
{
    if (l->has_zlib)
        inflateEnd(&l->zlib);
    brotli_end(l);
    ZSTD_freeDCtx(l->zstd);
}

/* Collects the head; when it is whole, moves to the place it asks for. False: to none. */
static bool layer_look(struct layer *l, struct inflate_span *in)
{
    const struct decoder *d = l->decoder;
    for (; in->len && l->head_bytes < d->head_bytes; in->len--)
        l->head[l->head_bytes++] = (uint8_t)*in->p++;
    if (l->head_bytes < d->head_bytes)
        return true;
    if ((l->place == FIRST || d->members) && d->begins(l->head)) {
        d->begin(l);
        l->head_left = (struct inflate_span){(const char *)l->head, l->head_bytes};
        l->head_bytes = 0;
        l->full = false;
        l->place = MEMBER;
        return true;
    }
    if (l->place == FIRST) {
        l->why = "does not begin as the coding does";
        return false;
    }
    l->place = OVER;
    return true;
}

/* One call of the decoder; false: broken. */
static bool layer_decode(struct layer *l, struct inflate_span *in, struct room *out)
{
    size_t left = in->len, room = out->len;
    int said = l->decoder->run(l, in, out);
    bool moved = left != in->len || room != out->len;
    l->out_bytes += room - out->len;
    l->full = !out->len;
    if (said == MEMBER_ENDED)
        l->place = BEHIND;
    return said == MEMBER_ENDED || (said == GOES_ON && (moved || !left));
}

/* Until the input is used up or the room is full; false: broken. */
static bool layer_run(struct layer *l, struct inflate_span *in, struct room *out)
{
    while (out->len) {
        struct inflate_span *from = l->head_left.len ? &l->head_left : in;
        if (l->place == OVER)
            in->len = 0;
        if (!from->len && (l->place != MEMBER || !l->full))
            break;
        if (l->place == MEMBER ? !layer_decode(l, from, out) : !layer_look(l, in))
            return false;
    }
    return true;
}

static bool layer_is_whole(const struct layer *l)
{
    return l->place == BEHIND || l->place == OVER || (l->place == FIRST && !l->head_bytes);
}

/* ---- the whole ---- */

static bool word_is(const char *p, size_t n, const char *word)
{
    return n == strlen(word) && !strncasecmp(p, word, n);
}

static void codings_add(struct codings *c, const char *p, size_t n)
{
    static const char *const names[] = {"gzip", "deflate", "br", "zstd", "x-gzip"};
    static const uint8_t meant[] = {CODING_GZIP, CODING_DEFLATE, CODING_BR, CODING_ZSTD,
                                    CODING_GZIP};
    if (!n || word_is(p, n, "identity"))
        return;
    for (size_t i = 0; i < sizeof meant; i++) {
        if (!word_is(p, n, names[i]))
            continue;
        if (c->count < INFLATE_LAYERS)
            c->at[c->count++] = meant[i];
        else if (c->verdict == CODINGS_KNOWN)
            c->verdict = CODINGS_TOO_MANY;
        return;
    }
    c->verdict = CODINGS_UNKNOWN;
}

void codings_parse(const char *list, size_t n, struct codings *ret_codings)
{
    struct codings c = {0};
    const char *end = list + n;
    for (const char *p = list; p < end; p++) {
        const char *from = p;
        while (p < end && *p != ',')
            p++;
        const char *stop = p;
        while (from < stop && (*from == ' ' || *from == '\t'))
            from++;
        while (from < stop && (stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        codings_add(&c, from, (size_t)(stop - from));
    }
    *ret_codings = c;
}

struct inflate *inflate_new(void)
{
    return xcalloc(1, sizeof(struct inflate));
}

void inflate_free(struct inflate *z)
{
    if (!z)
        return;
    for (int i = 0; i < INFLATE_LAYERS; i++)
        layer_done(&z->layer[i]);
    free(z);
}

uint64_t inflate_most(uint64_t wire_bytes)
{
    if (wire_bytes > INFLATE_MOST_BYTES / INFLATE_RATIO)
        return INFLATE_MOST_BYTES;
    uint64_t most = wire_bytes * INFLATE_RATIO;
    return most > INFLATE_LEAST_BYTES ? most : INFLATE_LEAST_BYTES;
}

void inflate_begin(struct inflate *z, const struct codings *codings, uint64_t most_bytes)
{
    z->count = codings->verdict == CODINGS_KNOWN ? codings->count : 0;
    z->most_bytes = most_bytes;
    z->reason = REASON_NONE;
    z->why = "";
    z->between.len = 0;
    for (unsigned i = 0; i < z->count; i++)
        layer_begin(&z->layer[i], (enum coding)codings->at[i]);
}

static bool inflate_fail(struct inflate *z, enum reason reason, const char *why)
{
    z->reason = reason;
    z->why = why;
    return false;
}

static bool run(struct inflate *z, unsigned i, struct inflate_span *in, struct room *out)
{
    struct layer *l = &z->layer[i];
    if (!layer_run(l, in, out))
        return inflate_fail(z, REASON_BAD_ENCODING, l->why ? l->why : "broken");
    if (l->out_bytes > z->most_bytes)
        return inflate_fail(z, REASON_BOMB, "more bytes than allowed");
    return true;
}

/* Fills `between`; false: failed. */
static bool run_outer(struct inflate *z, struct inflate_span *in)
{
    struct room room = {z->between_bytes, sizeof z->between_bytes};
    bool fine = run(z, 1, in, &room);
    z->between = (struct inflate_span){z->between_bytes, sizeof z->between_bytes - room.len};
    return fine;
}

static enum inflate_verdict run_both(struct inflate *z, struct inflate_span *in, struct room *out)
{
    for (uint32_t share = 0; share < SHARE_BYTES; share += BETWEEN_BYTES) {
        if (!run(z, 0, &z->between, out))
            return INFLATE_FAILED;
        if (!out->len)
            return INFLATE_AGAIN;
        if (!run_outer(z, in))
            return INFLATE_FAILED;
        if (!z->between.len)
            return INFLATE_MORE;
    }
    return INFLATE_AGAIN;
}

static enum inflate_verdict pass_on(struct inflate *z, struct inflate_span *in, struct room *out)
{
    size_t n = in->len < out->len ? in->len : out->len;
    if (n)
        memcpy(out->p, in->p, n);
    in->p += n;
    in->len -= n;
    out->len -= n;
    return out->len ? INFLATE_MORE : INFLATE_AGAIN;
}

enum inflate_verdict inflate_next(struct inflate *z, struct inflate_span *in, char *out,
                                  size_t room, size_t *ret_n)
{
    struct room to = {out, room};
    enum inflate_verdict v = INFLATE_FAILED;
    if (z->reason)
        ;
    else if (!z->count)
        v = pass_on(z, in, &to);
    else if (z->count == 2)
        v = run_both(z, in, &to);
    else if (run(z, 0, in, &to))
        v = to.len ? INFLATE_MORE : INFLATE_AGAIN;
    *ret_n = room - to.len;
    return v;
}

enum reason inflate_end(struct inflate *z)
{
    for (unsigned i = 0; i < z->count && !z->reason; i++)
        if (!layer_is_whole(&z->layer[i]))
            inflate_fail(z, REASON_BAD_ENCODING, "cut short");
    return z->reason;
}

enum reason inflate_reason(const struct inflate *z)
{
    return z->reason;
}

const char *inflate_why(const struct inflate *z)
{
    return z->why;
}
