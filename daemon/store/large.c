/* SPDX-License-Identifier: MIT */
/* zlib and not libdeflate: it takes twice the time, but PIECE_BYTES of memory instead of two
 * further copies of the record. */
#include "daemon/store/large.h"

#include <stdlib.h>
#include <sys/uio.h>
#include <zlib.h>

#include "common/log.h"

#define PIECE_BYTES (128 << 10)
#define GZIP_WINDOW (15 + 16) /* of deflateInit2(): largest window, gzip frame */
#define GZIP_MEMORY 8

static const char record_end[] = "\r\n\r\n";

static bool write_plain(struct store_file *f, const char *p, size_t n)
{
    for (size_t take; n; p += take, n -= take) {
        take = n < PIECE_BYTES ? n : PIECE_BYTES;
        if (!file_write(f, &(struct iovec){(char *)p, take}, 1))
            return false;
    }
    return true;
}

/* Writes what comes out of z for that input. */
static bool write_packed(struct store_file *f, z_stream *z, const char *p, size_t n, bool last,
                         char *out)
{
    do {
        size_t take = n < PIECE_BYTES ? n : PIECE_BYTES;
        z->next_in = (Bytef *)p;
        z->avail_in = (uInt)take;
        p += take;
        n -= take;
        do {
            z->next_out = (Bytef *)out;
            z->avail_out = PIECE_BYTES;
            deflate(z, last && !n ? Z_FINISH : Z_NO_FLUSH);
            size_t made = PIECE_BYTES - z->avail_out;
            if (made && !file_write(f, &(struct iovec){out, made}, 1))
                return false;
        } while (!z->avail_out);
    } while (n);
    return true;
}

bool large_write(struct store_file *f, const struct buf *head, const struct buf *block,
                 enum large_coding coding, struct buf *scratch)
{
    if (coding == LARGE_PLAIN)
        return write_plain(f, buf_data(head), buf_len(head)) &&
               write_plain(f, buf_data(block), buf_len(block)) &&
               write_plain(f, record_end, sizeof record_end - 1);
    z_stream z = {0};
    char *out = buf_reserve(scratch, PIECE_BYTES);
    if (deflateInit2(&z, coding == LARGE_GZIP ? 1 : 0, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        log_crit("out of memory for a compressor");
        abort();
    }
    bool whole = write_packed(f, &z, buf_data(head), buf_len(head), false, out) &&
                 write_packed(f, &z, buf_data(block), buf_len(block), false, out) &&
                 write_packed(f, &z, record_end, sizeof record_end - 1, true, out);
    deflateEnd(&z);
    return whole;
}
