/* SPDX-License-Identifier: MIT */
#include "tests/fault/simfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/xalloc.h"

#define NAMES_MAX 512
#define FDS_MAX   512

/* A write, or a cut (data NULL) to `off` bytes. */
struct change {
    uint64_t off;
    char *data; /* owned */
    size_t len;
};

struct file {
    struct buf cache, disk;
    struct change *changes; /* owned; not synced */
    size_t count, cap;
    struct file *older;
};

struct name {
    char *path; /* owned */
    struct file *file;
};

struct names {
    struct name list[NAMES_MAX];
    size_t count;
};

enum name_op { LINK, UNLINK, RENAME };

struct name_change {
    enum name_op op;
    char *from, *to; /* owned */
    struct file *file;
};

static struct names cache_names, disk_names;
static struct name_change name_changes[NAMES_MAX];
static size_t name_change_count;
static struct file *all_files;
static struct {
    struct file *file;
    char *dir; /* owned; of a directory */
} fds[FDS_MAX];

struct simfs_control simfs_control;

void rnd_init(struct rnd *r, uint64_t seed)
{
    r->state = seed * 2862933555777941757u + 3037000493u;
}

uint32_t rnd(struct rnd *r, uint32_t n)
{
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((r->state >> 33) % n);
}

static uint32_t any(size_t n)
{
    return rnd(&simfs_control.rnd, (uint32_t)n);
}

/* ---- contents */

static void put(struct buf *b, const struct change *c)
{
    if (!c->data) {
        buf_cut(b, (size_t)c->off);
        if (!c->off)
            buf_clear(b);
    }
    if (buf_len(b) < c->off) {
        size_t hole = (size_t)c->off - buf_len(b);
        memset(buf_reserve(b, hole), 0, hole);
        buf_grew(b, hole);
    }
    if (!c->data)
        return;
    size_t end = (size_t)c->off + c->len;
    if (end > buf_len(b)) {
        buf_reserve(b, end - buf_len(b));
        b->len = end;
    }
    memcpy(buf_data(b) + c->off, c->data, c->len);
}

static void change(struct file *f, uint64_t off, const void *data, size_t len)
{
    struct change c = {.off = off, .data = data ? xmemdup0(data, len) : NULL, .len = len};
    put(&f->cache, &c);
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 8;
        f->changes = xrealloc(f->changes, f->cap * sizeof *f->changes);
    }
    f->changes[f->count++] = c;
}

static void forget(struct file *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->changes[i].data);
    f->count = 0;
}

static void file_sync(struct file *f)
{
    for (size_t i = 0; i < f->count; i++)
        put(&f->disk, &f->changes[i]);
    forget(f);
}

/* Any of the unsynced writes, any of them torn. */
static void file_some(struct file *f)
{
    for (size_t i = 0; i < f->count; i++) {
        struct change c = f->changes[i];
        uint32_t k = any(4);
        if (k == 3 && c.data && !(c.len = any(c.len + 1)))
            k = 0;
        if (k)
            put(&f->disk, &c);
    }
    forget(f);
}

/* ---- names */

static struct name *name_find(struct names *n, const char *path)
{
    for (size_t i = 0; i < n->count; i++)
        if (!strcmp(n->list[i].path, path))
            return &n->list[i];
    return NULL;
}

static void name_drop(struct names *n, const char *path)
{
    struct name *at = name_find(n, path);
    if (!at)
        return;
    free(at->path);
    *at = n->list[--n->count];
}

static void name_set(struct names *n, const char *path, struct file *f)
{
    name_drop(n, path);
    if (n->count == NAMES_MAX)
        abort();
    n->list[n->count++] = (struct name){.path = xstrdup(path), .file = f};
}

static void name_put(struct names *n, const struct name_change *c)
{
    struct name *at = name_find(n, c->from);
    if (c->op == LINK) {
        name_set(n, c->from, c->file);
    } else if (c->op == UNLINK) {
        name_drop(n, c->from);
    } else if (at) {
        struct file *f = at->file;
        name_drop(n, c->from);
        name_set(n, c->to, f);
    }
}

static void name_do(enum name_op op, const char *from, const char *to, struct file *f)
{
    struct name_change c = {
        .op = op, .from = xstrdup(from), .to = to ? xstrdup(to) : NULL, .file = f};
    name_put(&cache_names, &c);
    if (name_change_count == NAMES_MAX)
        abort();
    name_changes[name_change_count++] = c;
}

static bool lies_in(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return !strncmp(path, dir, n) && path[n] == '/' && !strchr(path + n + 1, '/');
}

/* Settles the changes in a directory (NULL: in all), all of them or any. */
static void names_sync(const char *dir, bool some)
{
    size_t kept = 0;
    for (size_t i = 0; i < name_change_count; i++) {
        struct name_change *c = &name_changes[i];
        if (dir && !lies_in(c->from, dir)) {
            name_changes[kept++] = *c;
            continue;
        }
        if (!some || any(2))
            name_put(&disk_names, c);
        free(c->from);
        free(c->to);
    }
    name_change_count = kept;
}

static void names_clear(struct names *n)
{
    while (n->count)
        free(n->list[--n->count].path);
}

/* ---- the calls */

enum verdict { GO_ON, FAIL, DIE };

static enum verdict gate(void)
{
    struct simfs_control *c = &simfs_control;
    if (c->dead)
        return DIE;
    if (c->between)
        c->between(c->arg);
    c->calls++;
    if (c->calls == c->die_at)
        c->dead = true;
    return c->dead ? DIE : c->calls == c->fail_at ? FAIL : GO_ON;
}

static int new_fd(struct file *f, const char *dir)
{
    for (int fd = 1; fd < FDS_MAX; fd++)
        if (!fds[fd].file && !fds[fd].dir) {
            fds[fd].file = f;
            fds[fd].dir = dir ? xstrdup(dir) : NULL;
            return fd;
        }
    return -EMFILE;
}

static int sim_open(const char *path, int flags)
{
    if (simfs_control.dead)
        return -EIO;
    if (flags & O_DIRECTORY)
        return new_fd(NULL, path);
    struct name *n = name_find(&cache_names, path);
    if (n && (flags & O_EXCL))
        return -EEXIST;
    if (!n && !(flags & O_CREAT))
        return -ENOENT;
    if ((!n || (flags & O_TRUNC)) && gate() != GO_ON)
        return -EIO;
    if (n && (flags & O_TRUNC))
        change(n->file, 0, NULL, 0);
    if (n)
        return new_fd(n->file, NULL);
    struct file *f = xcalloc(1, sizeof *f);
    f->older = all_files;
    all_files = f;
    name_do(LINK, path, NULL, f);
    return new_fd(f, NULL);
}

static int sim_close(int fd)
{
    if (!simfs_control.dead) {
        free(fds[fd].dir);
        fds[fd].file = NULL;
        fds[fd].dir = NULL;
    }
    return 0;
}

static ssize_t sim_pread(int fd, void *p, size_t n, uint64_t off)
{
    if (simfs_control.dead)
        return -EIO;
    const struct buf *b = &fds[fd].file->cache;
    if (off >= buf_len(b))
        return 0;
    if (n > buf_len(b) - off)
        n = buf_len(b) - (size_t)off;
    memcpy(p, buf_data(b) + off, n);
    return (ssize_t)n;
}

static ssize_t sim_pwrite(int fd, const void *p, size_t n, uint64_t off)
{
    if (simfs_control.dead)
        return -EIO;
    enum verdict v = gate();
    size_t done = v == GO_ON ? n : any(n);
    if (done)
        change(fds[fd].file, off, p, done);
    if (v == DIE)
        return -EIO;
    if (v == FAIL && done)
        simfs_control.fail_at = simfs_control.calls + 1;
    return done ? (ssize_t)done : -ENOSPC;
}

/* A failed sync: the pages are marked clean all the same, so that the next one succeeds. */
static int sim_fsync(int fd)
{
    enum verdict v = gate();
    struct file *f = fds[fd].file;
    if (v == DIE)
        return -EIO;
    if (v == FAIL) {
        if (f)
            file_some(f);
        return -EIO;
    }
    if (f)
        file_sync(f);
    else
        names_sync(fds[fd].dir, false);
    return 0;
}

static int sim_ftruncate(int fd, uint64_t length)
{
    if (gate() != GO_ON)
        return -EIO;
    change(fds[fd].file, length, NULL, 0);
    return 0;
}

static int sim_reserve(int fd, uint64_t off, uint64_t length)
{
    return -EOPNOTSUPP;
}

static int64_t sim_size(int fd)
{
    return simfs_control.dead ? -EIO : (int64_t)buf_len(&fds[fd].file->cache);
}

static int64_t sim_path_size(const char *path)
{
    struct name *n = name_find(&cache_names, path);
    if (simfs_control.dead)
        return -EIO;
    return n ? (int64_t)buf_len(&n->file->cache) : -ENOENT;
}

static int sim_rename(const char *from, const char *to)
{
    if (!simfs_control.dead && !name_find(&cache_names, from))
        return -ENOENT;
    if (gate() != GO_ON)
        return -EIO;
    name_do(RENAME, from, to, NULL);
    return 0;
}

static int sim_unlink(const char *path)
{
    if (!simfs_control.dead && !name_find(&cache_names, path))
        return -ENOENT;
    if (gate() != GO_ON)
        return -EIO;
    name_do(UNLINK, path, NULL, NULL);
    return 0;
}

static int sim_mkdir(const char *path)
{
    return 0;
}

static int sim_list(const char *dir, int (*each)(void *arg, const char *name), void *arg)
{
    if (simfs_control.dead)
        return -EIO;
    int r = 0;
    for (size_t i = 0; i < cache_names.count && !r; i++)
        if (lies_in(cache_names.list[i].path, dir))
            r = each(arg, strrchr(cache_names.list[i].path, '/') + 1);
    return r;
}

const struct fs simfs = {
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .pwrite = sim_pwrite,
    .fdatasync = sim_fsync,
    .fsync = sim_fsync,
    .ftruncate = sim_ftruncate,
    .reserve = sim_reserve,
    .size = sim_size,
    .path_size = sim_path_size,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .list = sim_list,
};

/* ---- what the tests do to it */

static void close_all(void)
{
    for (int fd = 0; fd < FDS_MAX; fd++) {
        free(fds[fd].dir);
        fds[fd].file = NULL;
        fds[fd].dir = NULL;
    }
}

void simfs_reset(uint64_t seed)
{
    close_all();
    names_sync(NULL, false);
    names_clear(&cache_names);
    names_clear(&disk_names);
    while (all_files) {
        struct file *f = all_files;
        all_files = f->older;
        forget(f);
        free(f->changes);
        buf_done(&f->cache);
        buf_done(&f->disk);
        free(f);
    }
    simfs_control = (struct simfs_control){0};
    rnd_init(&simfs_control.rnd, seed);
}

void simfs_crash(bool power)
{
    close_all();
    simfs_control.dead = false;
    simfs_control.die_at = simfs_control.fail_at = 0;
    for (struct file *f = all_files; f && !power; f = f->older)
        if (!any(4)) /* write-back failed, and the report died with the process */
            file_some(f);
    if (!power)
        return;
    names_sync(NULL, true);
    names_clear(&cache_names);
    for (size_t i = 0; i < disk_names.count; i++)
        name_set(&cache_names, disk_names.list[i].path, disk_names.list[i].file);
    for (struct file *f = all_files; f; f = f->older) {
        file_some(f);
        buf_clear(&f->cache);
        buf_add(&f->cache, buf_data(&f->disk), buf_len(&f->disk));
    }
}

void simfs_append(int fd, const void *p, size_t n)
{
    change(fds[fd].file, buf_len(&fds[fd].file->cache), p, n);
}

const struct buf *simfs_content(const char *path)
{
    struct name *n = name_find(&cache_names, path);
    return n ? &n->file->cache : NULL;
}

uint64_t simfs_hash(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < cache_names.count; i++) {
        const struct name *n = &cache_names.list[i];
        const struct buf *b = &n->file->cache;
        sum += XXH3_64bits_withSeed(buf_data(b), buf_len(b), XXH3_64bits(n->path, strlen(n->path)));
    }
    return sum;
}
