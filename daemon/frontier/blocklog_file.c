/* SPDX-License-Identifier: MIT */
/* hosts.log as a file: read at the start, added to, written new. What was written new counts from
 * its rename; a failed write is never repeated, the whole is written new instead. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/frontier/blocklog.h"
#include "daemon/frontier/fs.h"

#define SPARE_BYTES (1u << 20) /* that a file may grow beyond twice its least */

static char *path_in(const char *dir, const char *name)
{
    struct buf b = {0};
    buf_addf(&b, "%s/%s", dir, name);
    return buf_take(&b, NULL);
}

void blocklog_init(struct blocklog *l, const char *dir)
{
    *l = (struct blocklog){.dir = xstrdup(dir), .path = path_in(dir, BLOCKLOG_NAME), .fd = -1};
}

void blocklog_done(struct blocklog *l)
{
    if (l->fd >= 0)
        fs->close(l->fd);
    free(l->dir);
    free(l->path);
    *l = (struct blocklog){.fd = -1};
}

/* The file's bytes, at most `most` of them; *ret is empty if there is no file. */
static int read_file(const char *path, uint64_t most, struct buf *ret)
{
    int fd = fs->open(path, O_RDONLY);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    int64_t size = fs->size(fd);
    size_t n = size < 0 ? 0 : (uint64_t)size < most ? (size_t)size : (size_t)most;
    int err = size < 0 ? (int)size : n ? fs_read(fd, buf_reserve(ret, n), n, 0) : 0;
    if (!err)
        buf_grew(ret, n);
    fs->close(fd);
    return err;
}

/* ---- writing it new */

static void add_entry(struct buf *out, const struct blocklog_entries *e, size_t i)
{
    const struct blocklog_entry *x = &e->v[i];
    blocklog_put(out, blocklog_name(e, i), x->name_len, &x->block, x->written_ns, x->written_ns);
}

static int write_synced(const char *path, const struct buf *text, int *ret_fd)
{
    int fd = fs->open(path, O_RDWR | O_CREAT | O_TRUNC);
    if (fd < 0)
        return fd;
    int err = fs_write(fd, buf_data(text), buf_len(text), 0);
    if (!err)
        err = fs->fsync(fd);
    if (err)
        fs->close(fd);
    else
        *ret_fd = fd;
    return err;
}

/* l->fd is the new file then. */
static int write_new(struct blocklog *l, const struct blocklog_entries *e)
{
    struct buf text = {0};
    char *fresh = path_in(l->dir, BLOCKLOG_NAME ".new");
    int fd = -1;
    buf_adds(&text, BLOCKLOG_HEAD);
    for (size_t i = 0; i < e->count; i++)
        add_entry(&text, e, i);
    int err = write_synced(fresh, &text, &fd);
    if (!err && !(err = fs->rename(fresh, l->path))) {
        l->bytes = l->least_bytes = buf_len(&text);
        err = fs_sync_dir(l->dir);
    }
    if (l->fd >= 0)
        fs->close(l->fd);
    l->fd = err ? -1 : fd;
    if (err && fd >= 0)
        fs->close(fd);
    if (err)
        fs->unlink(fresh);
    free(fresh);
    buf_done(&text);
    return err;
}

/* ---- reading */

static void put_aside(struct blocklog *l, const struct blocklog_entries *e)
{
    char *to = path_in(l->dir, BLOCKLOG_NAME ".damaged");
    log_err("hosts.log is damaged: %s; what is whole is used, the file is kept as %s lines=%llu "
            "bad=%llu",
            e->foreign ? "its first line is not this version's" : "lines are not as written", to,
            (unsigned long long)e->lines, (unsigned long long)e->bad_lines);
    int err = fs->rename(l->path, to);
    if (err)
        log_err("cannot rename %s: %s", l->path, strerror(-err));
    free(to);
}

int blocklog_open(struct blocklog *l, int64_t wall_ns, struct blocklog_entries *ret)
{
    struct buf text = {0};
    int err = read_file(l->path, UINT64_MAX, &text);
    if (!err && buf_len(&text)) {
        blocklog_parse(ret, buf_data(&text), buf_len(&text));
        blocklog_settle(ret, wall_ns);
        l->bytes = ret->whole_bytes;
        if (ret->foreign || ret->bad_lines)
            put_aside(l, ret);
        else if (ret->torn)
            log_warning("hosts.log had a torn tail, cut bytes=%llu",
                        (unsigned long long)(buf_len(&text) - ret->whole_bytes));
        int e = write_new(l, ret);
        if (e)
            log_err("hosts.log cannot be written: %s", strerror(-e));
    }
    buf_done(&text);
    return err;
}

/* ---- adding */

/* The file up to l->bytes and the lines, as one new file. */
static int renew(struct blocklog *l, const char *lines, size_t n, int64_t wall_ns)
{
    struct buf text = {0};
    struct blocklog_entries e = {0};
    int err = read_file(l->path, l->bytes, &text);
    if (!err) {
        if (!buf_len(&text))
            buf_adds(&text, BLOCKLOG_HEAD);
        buf_add(&text, lines, n);
        blocklog_parse(&e, buf_data(&text), buf_len(&text));
        blocklog_settle(&e, wall_ns);
        err = write_new(l, &e);
    }
    blocklog_entries_done(&e);
    buf_done(&text);
    return err;
}

int blocklog_add(struct blocklog *l, const char *text, size_t n, int64_t wall_ns)
{
    if (l->fd < 0 || l->bytes + n > 2 * l->least_bytes + SPARE_BYTES)
        return renew(l, text, n, wall_ns);
    int err = fs_write(l->fd, text, n, l->bytes);
    if (!err)
        err = fs->fdatasync(l->fd);
    if (!err) {
        l->bytes += n;
        return 0;
    }
    fs->close(l->fd);
    l->fd = -1;
    return err;
}

/* ---- looking */

int blocklog_verify(const char *path, void (*problem)(void *arg, const char *text), void *arg,
                    uint64_t *ret_lines)
{
    struct buf text = {0};
    struct blocklog_entries e = {0};
    char line[128];
    int err = read_file(path, UINT64_MAX, &text);
    if (!err && buf_len(&text))
        blocklog_parse(&e, buf_data(&text), buf_len(&text));
    if (e.foreign)
        problem(arg, "hosts.log: the first line is not this version's");
    if (e.bad_lines) {
        snprintf(line, sizeof line, "hosts.log: %llu of %llu lines are not as written",
                 (unsigned long long)e.bad_lines, (unsigned long long)e.lines);
        problem(arg, line);
    }
    *ret_lines = e.lines;
    blocklog_entries_done(&e);
    buf_done(&text);
    return err;
}
