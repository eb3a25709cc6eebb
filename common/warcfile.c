/* SPDX-License-Identifier: MIT */
#include "common/warcfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <unistd.h>

int warcfile_open(int dir_fd, const char *name, int *ret_fd)
{
    if (!*name || *name == '.' || strchr(name, '/'))
        return -EINVAL;
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        struct buf open_name = {0};
        buf_addf(&open_name, "%s.open", name);
        fd = openat(dir_fd, buf_str(&open_name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        buf_done(&open_name);
    }
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

static int read_at(int fd, uint64_t offset, size_t length, struct buf *ret)
{
    while (length) {
        ssize_t n = pread(fd, buf_reserve(ret, length), length, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? -errno : -EBADMSG;
        buf_grew(ret, (size_t)n);
        offset += (uint64_t)n;
        length -= (size_t)n;
    }
    return 0;
}

/* One whole gzip member of at most `max` bytes. 0, -EBADMSG or -EFBIG. */
static int gunzip(const char *data, size_t len, size_t max, struct buf *ret_out)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    enum libdeflate_result r = LIBDEFLATE_BAD_DATA;
    size_t got = 0;
    for (size_t room = len * 4 + 4096; d; room *= 4) {
        if (room > max)
            room = max;
        char *out = buf_reserve(ret_out, room);
        r = libdeflate_gzip_decompress(d, data, len, out, room, &got);
        if (r != LIBDEFLATE_INSUFFICIENT_SPACE || room == max)
            break;
    }
    libdeflate_free_decompressor(d);
    if (r == LIBDEFLATE_SUCCESS)
        buf_grew(ret_out, got);
    return r == LIBDEFLATE_SUCCESS ? 0 : r == LIBDEFLATE_INSUFFICIENT_SPACE ? -EFBIG : -EBADMSG;
}

int warcfile_record(int fd, uint64_t offset, uint64_t length, struct buf *ret_record)
{
    struct buf raw = {0};
    if (length > WARCFILE_RECORD_MAX || offset > INT64_MAX - length)
        return -EFBIG;
    int r = read_at(fd, offset, (size_t)length, &raw);
    if (!r && buf_len(&raw) > 2 && !memcmp(buf_data(&raw), "\x1f\x8b", 2)) {
        r = gunzip(buf_data(&raw), buf_len(&raw), WARCFILE_RECORD_MAX, ret_record);
        buf_done(&raw);
    } else if (!r) {
        *ret_record = raw;
        return 0;
    }
    buf_done(&raw);
    if (r)
        buf_done(ret_record);
    return r;
}

int warcfile_block(const struct buf *record, const char **ret_block, size_t *ret_len)
{
    static const char key[] = "\r\nContent-Length:";
    const char *p = buf_data(record);
    size_t len = buf_len(record);
    if (!p || len < 5 || memcmp(p, "WARC/", 5))
        return -EBADMSG;
    const char *end = memmem(p, len, "\r\n\r\n", 4);
    if (!end)
        return -EBADMSG;
    for (const char *line = p; (line = memchr(line, '\r', (size_t)(end - line))); line++) {
        if (strncasecmp(line, key, sizeof key - 1))
            continue;
        const char *digits = line + sizeof key - 1;
        digits += strspn(digits, " \t");
        uint64_t n = 0;
        for (; *digits >= '0' && *digits <= '9' && n <= len; digits++)
            n = n * 10 + (uint64_t)(*digits - '0');
        *ret_block = end + 4;
        *ret_len = (size_t)n;
        return *digits == '\r' && n <= len - (size_t)(end + 4 - p) ? 0 : -EBADMSG;
    }
    return -EBADMSG;
}
