/* SPDX-License-Identifier: MIT */
/* zlib and not libdeflate: it takes a member in pieces, so that a hostile one needs no memory. */
#include "daemon/store/source.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static int source_fill(struct source *s)
{
    ssize_t n;
    if (s->at < s->len)
        return 1;
    do
        n = read(s->fd, s->in, sizeof s->in);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    s->at = 0;
    s->len = (size_t)n;
    s->file_bytes += (uint64_t)n;
    return n > 0;
}

int source_begin(struct source *s, int fd)
{
    memset(s, 0, offsetof(struct source, in));
    s->fd = fd;
    int err = source_fill(s);
    if (err < 0)
        return err;
    s->gzip = s->len && s->in[0] == 0x1f;
    return s->gzip && inflateInit2(&s->z, 15 + 16) != Z_OK ? -ENOMEM : 0;
}

void source_done(struct source *s)
{
    if (s->gzip)
        inflateEnd(&s->z);
}

int source_member(struct source *s)
{
    int more = source_fill(s);
    if (more <= 0)
        return more;
    s->in_member = true;
    if (s->gzip)
        inflateReset(&s->z);
    return 1;
}

static ssize_t read_plain(struct source *s, void *to, size_t n)
{
    int more = source_fill(s);
    if (more <= 0)
        return more;
    n = n < s->len - s->at ? n : s->len - s->at;
    memcpy(to, s->in + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

static ssize_t read_gzip(struct source *s, void *to, size_t n)
{
    s->z.next_out = to;
    s->z.avail_out = n < INT_MAX ? (uInt)n : INT_MAX;
    const uInt room = s->z.avail_out;
    while (s->z.avail_out == room) {
        int more = source_fill(s);
        if (more <= 0)
            return more ? more : -EBADMSG;
        s->z.next_in = s->in + s->at;
        s->z.avail_in = (uInt)(s->len - s->at);
        int verdict = inflate(&s->z, Z_NO_FLUSH);
        s->at = s->len - s->z.avail_in;
        if (verdict == Z_STREAM_END) {
            s->in_member = false;
            break;
        }
        if (verdict != Z_OK && verdict != Z_BUF_ERROR)
            return verdict == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
    }
    return (ssize_t)(room - s->z.avail_out);
}

ssize_t source_read(struct source *s, void *to, size_t n)
{
    if (!s->in_member || !n)
        return 0;
    return s->gzip ? read_gzip(s, to, n) : read_plain(s, to, n);
}

uint64_t source_offset(const struct source *s)
{
    return s->file_bytes - (s->len - s->at);
}
