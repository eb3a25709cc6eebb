/* SPDX-License-Identifier: MIT */
/* Bodies in a content coding, made by the encoders; for test programs. */
#ifndef TESTS_CODED_H
#define TESTS_CODED_H

#include <brotli/encode.h>
#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "common/buf.h"
#include "common/inflate.h"

static inline void coded_must(bool holds)
{
    if (!holds)
        abort();
}

/* window_bits: as for deflateInit2(). */
static inline void coded_deflate(struct buf *out, const void *p, size_t n, int window_bits)
{
    z_stream z = {0};
    coded_must(!deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY));
    size_t room = deflateBound(&z, n) + 64;
    z.next_in = (Bytef *)(uintptr_t)p;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)buf_reserve(out, room);
    z.avail_out = (uInt)room;
    coded_must(deflate(&z, Z_FINISH) == Z_STREAM_END);
    buf_grew(out, room - z.avail_out);
    deflateEnd(&z);
}

static inline void coded_br(struct buf *out, const void *p, size_t n)
{
    size_t room = BrotliEncoderMaxCompressedSize(n) + 64;
    uint8_t *to = (uint8_t *)buf_reserve(out, room);
    coded_must(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, n, p, &room, to));
    buf_grew(out, room);
}

static inline void coded_zstd(struct buf *out, const void *p, size_t n, int window_log)
{
    size_t room = ZSTD_compressBound(n);
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
    ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log);
    ZSTD_inBuffer in = {p, n, 0};
    ZSTD_outBuffer to = {buf_reserve(out, room), room, 0};
    coded_must(ZSTD_compressStream2(c, &to, &in, ZSTD_e_continue) <= room);
    coded_must(!ZSTD_compressStream2(c, &to, &in, ZSTD_e_end));
    buf_grew(out, to.pos);
    ZSTD_freeCCtx(c);
}

/* Appends the body in that coding. */
static inline void coded(struct buf *out, enum coding coding, const void *p, size_t n)
{
    if (coding == CODING_BR)
        coded_br(out, p, n);
    else if (coding == CODING_ZSTD)
        coded_zstd(out, p, n, 0);
    else
        coded_deflate(out, p, n, coding == CODING_GZIP ? 15 + 16 : 15);
}

#endif
