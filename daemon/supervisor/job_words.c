/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/job_words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_words(const char *dir, const struct spec_words *w, int flags)
{
    struct buf path = {0};
    buf_addf(&path, "%s/words.%s", dir, w->name);
    int fd = open(buf_str(&path), flags | O_CLOEXEC, 0640);
    buf_done(&path);
    return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t wrote = write(fd, p, n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -errno;
        p += wrote;
        n -= (size_t)wrote;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

int job_words_write(const char *dir, const struct job_spec *spec)
{
    int err = 0;
    for (size_t i = 0; i < spec->words_count && !err; i++) {
        const struct spec_words *w = &spec->words[i];
        if (!w->apart)
            continue;
        int fd = open_words(dir, w, O_WRONLY | O_CREAT | O_EXCL);
        if (fd < 0)
            return fd;
        err = write_all(fd, buf_data(&w->list.text), buf_len(&w->list.text));
        close(fd);
    }
    return err;
}

static int read_all(int fd, size_t n, struct buf *out)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if ((uint64_t)st.st_size != n)
        return -EUCLEAN;
    char *p = buf_reserve(out, n + 1);
    while (buf_len(out) < n) {
        ssize_t got = read(fd, p + buf_len(out), n - buf_len(out));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EUCLEAN;
        buf_grew(out, (size_t)got);
    }
    return 0;
}

static int read_words(const char *dir, struct spec_words *w)
{
    struct buf text = {0};
    int fd = open_words(dir, w, O_RDONLY);
    if (fd < 0)
        return fd == -ENOENT ? -EUCLEAN : fd;
    int err = w->bytes > WORDLIST_MAX_BYTES ? -EUCLEAN : read_all(fd, (size_t)w->bytes, &text);
    close(fd);
    if (!err)
        err = wordlist_take(&w->list, &text);
    buf_done(&text);
    if (!err && wordlist_count(&w->list) != w->count)
        err = -EUCLEAN;
    return err == -EINVAL ? -EUCLEAN : err;
}

int job_words_read(const char *dir, struct job_spec *spec)
{
    int err = 0;
    for (size_t i = 0; i < spec->words_count && !err; i++) {
        struct spec_words *w = &spec->words[i];
        if (w->apart && wordlist_count(&w->list) != w->count)
            err = read_words(dir, w);
    }
    return err;
}
