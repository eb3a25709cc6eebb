/* SPDX-License-Identifier: MIT */
/* The journal is read from its beginning and each batch held against the lengths of the other
 * files; it is cut before the first one that asks for more than there is. What was finished but is
 * committed no longer gets its `.open` back, so that recovery cuts it like any other. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "daemon/frontier/fs.h"
#include "daemon/frontier/recover.h"
#include "daemon/frontier/verify.h"

#define COPY_BYTES (1u << 20)

struct repair {
    const char *dir;
    char *warc_dir; /* owned */
    int fd;         /* frontier.log */
    uint64_t results_bytes;
    struct buf lengths; /* uint64_t of each WARC file by id, plus 1; 0: no such file */
    struct buf names;   /* of finished files, each with its NUL */
    uint64_t cut_at, size;
};

static int note_file(void *arg, const char *name)
{
    struct repair *r = arg;
    bool open;
    uint32_t id = recover_file_id(name, &open);
    if (!id)
        return 0;
    char *path = recover_path(r->warc_dir, name);
    int64_t size = fs->path_size(path);
    free(path);
    if (size < 0)
        return (int)size;
    while (buf_len(&r->lengths) <= id * sizeof(uint64_t))
        buf_add(&r->lengths, &(uint64_t){0}, sizeof(uint64_t));
    ((uint64_t *)(void *)buf_data(&r->lengths))[id] = (uint64_t)size + 1;
    if (!open)
        buf_add(&r->names, name, strlen(name) + 1);
    return 0;
}

/* Files that are gone altogether were taken away by somebody and are not asked for. */
static bool is_covered(const struct repair *r, const struct state *s)
{
    const uint64_t *lengths = (void *)buf_data(&r->lengths);
    uint32_t n = (uint32_t)(buf_len(&r->lengths) / sizeof *lengths);
    if (s->results_bytes > r->results_bytes)
        return false;
    for (uint32_t id = 1; id < n && id < s->end_count; id++)
        if (lengths[id] && s->ends[id] > lengths[id] - 1)
            return false;
    return true;
}

/* Where the journal must be cut: r->cut_at. */
static int find_cut(struct repair *r)
{
    char why[JOURNAL_WHY_BYTES];
    struct journal_reader j;
    int err = journal_reader_init(&j, r->fd, why);
    struct state *s = err ? NULL : state_new(&j.head, false);
    struct batch_view b;
    r->cut_at = JOURNAL_HEAD_BYTES;
    while (!err && (err = journal_reader_next(&j, &b)) > 0) {
        err = state_apply(s, &b, why);
        if (err || !is_covered(r, s))
            break;
        r->cut_at = j.pos;
    }
    r->size = j.pager.size;
    if ((!err || err == -EUCLEAN) && s)
        err = r->cut_at < j.head.solid_bytes ? -EUCLEAN : 0;
    journal_reader_done(&j);
    state_free(s);
    return err;
}

static int keep_cut(struct repair *r)
{
    char *path = recover_path(r->dir, "frontier.log.cut"), *block = xmalloc(COPY_BYTES);
    int to = fs->open(path, O_RDWR | O_CREAT | O_TRUNC), err = to < 0 ? to : 0;
    for (uint64_t off = r->cut_at; !err && off < r->size;) {
        size_t n = r->size - off < COPY_BYTES ? (size_t)(r->size - off) : COPY_BYTES;
        err = fs_read(r->fd, block, n, off);
        if (!err)
            err = fs_write(to, block, n, off - r->cut_at);
        off += n;
    }
    if (!err)
        err = fs->fsync(to);
    if (to >= 0)
        fs->close(to);
    free(path);
    free(block);
    return err;
}

static int reopen_files(struct repair *r)
{
    int err = 0;
    const char *name = buf_data(&r->names), *end = name + buf_len(&r->names);
    for (; name < end && !err; name += strlen(name) + 1) {
        char *from = recover_path(r->warc_dir, name), *to;
        if (asprintf(&to, "%s.open", from) < 0)
            abort();
        err = fs->rename(from, to);
        free(from);
        free(to);
    }
    return err ? err : fs_sync_dir(r->warc_dir);
}

static int repair(struct repair *r)
{
    char *journal = recover_path(r->dir, "frontier.log");
    char *results = recover_path(r->dir, "results.jsonl");
    r->fd = fs->open(journal, O_RDWR);
    int64_t size = fs->path_size(results);
    free(journal);
    free(results);
    if (r->fd < 0)
        return r->fd;
    r->results_bytes = size > 0 ? (uint64_t)size : 0;
    int err = fs->list(r->warc_dir, note_file, r);
    if (!err)
        err = find_cut(r);
    if (err || r->cut_at == r->size)
        return err;
    if ((err = keep_cut(r)) || (err = fs_sync_dir(r->dir)) || (err = reopen_files(r)) ||
        (err = fs->ftruncate(r->fd, r->cut_at)))
        return err;
    return fs->fsync(r->fd);
}

int verify_repair(const char *dir, uint64_t *ret_cut_bytes)
{
    struct repair r = {.dir = dir, .warc_dir = recover_path(dir, "warc"), .fd = -1};
    int err = repair(&r);
    if (!err)
        *ret_cut_bytes = r.size - r.cut_at;
    if (r.fd >= 0)
        fs->close(r.fd);
    buf_done(&r.lengths);
    buf_done(&r.names);
    free(r.warc_dir);
    return err;
}
