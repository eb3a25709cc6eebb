/* SPDX-License-Identifier: MIT */
/* The input becomes a gzip member no longer than promised, which zlib and libdeflate read back. */
#include <libdeflate.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "daemon/store/deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void read_by_zlib(const uint8_t *member, size_t length, const uint8_t *data, size_t size)
{
    static uint8_t back[DEFLATE_MAX_BYTES + 1];
    z_stream z = {.next_in = (uint8_t *)member,
                  .avail_in = (unsigned)length,
                  .next_out = back,
                  .avail_out = sizeof back};
    must(inflateInit2(&z, 15 + 16) == Z_OK && inflate(&z, Z_FINISH) == Z_STREAM_END);
    must(z.total_out == size && !z.avail_in && (!size || !memcmp(back, data, size)));
    inflateEnd(&z);
}

static void read_by_libdeflate(const uint8_t *member, size_t length, const uint8_t *data,
                               size_t size)
{
    static uint8_t back[DEFLATE_MAX_BYTES + 1];
    static struct libdeflate_decompressor *z;
    size_t used, got;
    z = z ? z : libdeflate_alloc_decompressor();
    must(libdeflate_gzip_decompress_ex(z, member, length, back, sizeof back, &used, &got) == 0);
    must(used == length && got == size && (!size || !memcmp(back, data, size)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct deflate *d;
    d = d ? d : deflate_new();
    size = size < DEFLATE_MAX_BYTES ? size : DEFLATE_MAX_BYTES;
    uint8_t *member = malloc(deflate_gzip_bound(size));
    size_t length = deflate_gzip(d, data, size, member);
    must(length <= deflate_gzip_bound(size));
    read_by_zlib(member, length, data, size);
    read_by_libdeflate(member, length, data, size);
    free(member);
    return 0;
}
