/* SPDX-License-Identifier: MIT */
/* First everything is looked at and nothing changed, so that damage is reported from untouched
 * files: the journal is read, the lengths of results.jsonl and of the WARC files are held against
 * it. Then, in this order: the journal's torn tail is cut; its last whole batch is written again
 * in place (its write-back may have failed unseen; all it names was synced before it) and synced;
 * results.jsonl is cut; each `.open` file is unlinked if no COMMIT names it, else cut, synced and
 * given its final name. */
#include "daemon/frontier/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/xalloc.h"
#include "daemon/frontier/fs.h"

struct open_file {
    uint32_t id;
    char name[];
};

struct recovery {
    const char *dir, *warc_dir;
    struct recovered *out;
    struct journal_reader reader;
    struct batch_view last; /* its items are gone; count 0: there is none */
    struct buf open_files;  /* struct open_file *, owned */
    uint32_t highest_id;
};

char *recover_path(const char *dir, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", dir, name) < 0)
        abort();
    return path;
}

uint32_t recover_file_id(const char *name, bool *ret_open)
{
    uint64_t id = 0;
    const char *p = name;
    for (; *p >= '0' && *p <= '9' && id < STATE_FILE_MAX; p++)
        id = id * 10 + (uint64_t)(*p - '0');
    if (p - name < 6 || *p != '-' || id >= STATE_FILE_MAX)
        return 0;
    size_t n = strlen(name);
    *ret_open = n > 5 && !strcmp(name + n - 5, ".open");
    return (uint32_t)id;
}

static int open_at(const char *dir, const char *name, int flags)
{
    char *path = recover_path(dir, name);
    int fd = fs->open(path, flags);
    free(path);
    return fd;
}

static int unlink_at(const char *dir, const char *name)
{
    char *path = recover_path(dir, name);
    int r = fs->unlink(path);
    free(path);
    return r;
}

__attribute__((format(printf, 2, 3))) static int damage(struct recovery *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->out->why, JOURNAL_WHY_BYTES, fmt, ap);
    va_end(ap);
    return -EUCLEAN;
}

/* The same for what verify_repair() can mend: says so. */
static int tell_repair(struct recovery *r)
{
    size_t n = strlen(r->out->why);
    const char *slash = strrchr(r->dir, '/');
    snprintf(r->out->why + n, JOURNAL_WHY_BYTES - n,
             "; `crawlctl verify %s --repair` cuts the job back to what is whole",
             slash ? slash + 1 : r->dir);
    return -EUCLEAN;
}

static int look_at_tail(struct recovery *r)
{
    struct journal_reader *j = &r->reader;
    uint64_t whole_at;
    if (j->pos == j->pager.size)
        return 0;
    if (j->pos < j->head.solid_bytes)
        return damage(r, "frontier.log: the batch at offset %llu is damaged",
                      (unsigned long long)j->pos);
    int found = journal_reader_tail(j, &whole_at);
    if (found > 0) {
        damage(r,
               "frontier.log: the batch at offset %llu is damaged, a whole one follows at offset "
               "%llu",
               (unsigned long long)j->pos, (unsigned long long)whole_at);
        return tell_repair(r);
    }
    r->out->torn_bytes = j->pager.size - j->pos;
    return found;
}

static int look_at_journal(struct recovery *r)
{
    int err = journal_reader_init(&r->reader, r->out->journal_fd, r->out->why);
    if (err)
        return err;
    r->out->state = state_new(&r->reader.head, true);
    struct batch_view b;
    while ((err = journal_reader_next(&r->reader, &b)) > 0) {
        int bad = state_apply(r->out->state, &b, r->out->why);
        if (bad)
            return bad == -EUCLEAN ? tell_repair(r) : bad;
        r->last = b;
        atomic_store_explicit(&r->out->percent,
                              (unsigned)(r->reader.pos * 100 / r->reader.pager.size),
                              memory_order_relaxed);
    }
    if (!err && r->reader.pos < r->reader.head.solid_bytes && r->reader.pos == r->reader.pager.size)
        return damage(r, "frontier.log is shorter (%llu bytes) than it was when it got its name",
                      (unsigned long long)r->reader.pos);
    return err ? err : look_at_tail(r);
}

static int look_at_results(struct recovery *r)
{
    int fd = open_at(r->dir, "results.jsonl", O_RDWR);
    if (fd == -ENOENT && r->out->state->results_bytes)
        return damage(r, "results.jsonl is missing");
    if (fd == -ENOENT)
        fd = open_at(r->dir, "results.jsonl", O_RDWR | O_CREAT);
    if (fd < 0)
        return fd;
    r->out->results_fd = fd;
    int64_t size = fs->size(fd);
    if (size < 0)
        return (int)size;
    if ((uint64_t)size < r->out->state->results_bytes)
        return damage(r, "results.jsonl is shorter (%lld bytes) than committed (%llu)",
                      (long long)size, (unsigned long long)r->out->state->results_bytes);
    return 0;
}

static int look_at_file(void *arg, const char *name)
{
    struct recovery *r = arg;
    bool open = false;
    uint32_t id = recover_file_id(name, &open);
    if (!id)
        return 0;
    if (id > r->highest_id)
        r->highest_id = id;
    char *path = recover_path(r->warc_dir, name);
    int64_t size = fs->path_size(path);
    free(path);
    if (size < 0)
        return (int)size;
    uint64_t end = state_file_end(r->out->state, id);
    if ((uint64_t)size < end)
        return damage(r, "warc/%s is shorter (%lld bytes) than committed (%llu)", name,
                      (long long)size, (unsigned long long)end);
    if (open) {
        struct open_file *f = xmalloc(sizeof *f + strlen(name) + 1);
        f->id = id;
        strcpy(f->name, name);
        buf_add(&r->open_files, &f, sizeof f);
    }
    return 0;
}

static int write_last_again(struct recovery *r)
{
    struct recovered *out = r->out;
    size_t n = (size_t)(r->reader.pos - r->last.off);
    const char *p;
    int err = pager_at(&r->reader.pager, r->last.off, n, n, &p);
    return err ? err : fs_write(out->journal_fd, p, n, r->last.off);
}

static int settle_journal(struct recovery *r)
{
    struct recovered *out = r->out;
    out->journal_bytes = r->reader.pos;
    out->number = r->reader.number;
    int err = 0;
    if (r->reader.pos < r->reader.pager.size)
        err = fs->ftruncate(out->journal_fd, r->reader.pos);
    if (!err && r->last.off)
        err = write_last_again(r);
    if (!err)
        err = fs->fsync(out->journal_fd);
    return err ? err : fs_sync_dir(r->dir);
}

static int settle_file(struct recovery *r, const struct open_file *f)
{
    uint64_t end = state_file_end(r->out->state, f->id);
    if (!end)
        return unlink_at(r->warc_dir, f->name);
    int fd = open_at(r->warc_dir, f->name, O_RDWR);
    if (fd < 0)
        return fd;
    int err = fs->ftruncate(fd, end);
    if (!err)
        err = fs->fsync(fd);
    fs->close(fd);
    if (err)
        return err;
    char *from = recover_path(r->warc_dir, f->name), *to = xstrdup(from);
    to[strlen(to) - strlen(".open")] = '\0';
    err = fs->rename(from, to);
    free(from);
    free(to);
    return err;
}

static int settle_files(struct recovery *r)
{
    struct open_file **files = (struct open_file **)(void *)buf_data(&r->open_files);
    size_t n = buf_len(&r->open_files) / sizeof *files;
    int err = 0;
    for (size_t i = 0; i < n && !err; i++)
        err = settle_file(r, files[i]);
    return err ? err : fs_sync_dir(r->warc_dir);
}

static int run(struct recovery *r)
{
    struct recovered *out = r->out;
    int err = unlink_at(r->dir, "frontier.log.new");
    if (err && err != -ENOENT)
        return err;
    if ((err = open_at(r->dir, "frontier.log", O_RDWR)) < 0)
        return err;
    out->journal_fd = err;
    if ((err = look_at_journal(r)))
        return err;
    if ((err = look_at_results(r)) || (err = fs->list(r->warc_dir, look_at_file, r)))
        return err == -EUCLEAN ? tell_repair(r) : err;
    if ((err = settle_journal(r)))
        return err;
    int64_t size = fs->size(out->results_fd);
    if (size > (int64_t)out->state->results_bytes)
        err = fs->ftruncate(out->results_fd, out->state->results_bytes);
    if (err || (err = settle_files(r)))
        return err;
    if (out->state->next_file <= r->highest_id)
        out->state->next_file = r->highest_id + 1;
    return 0;
}

static void give_up(struct recovered *out)
{
    state_free(out->state);
    if (out->journal_fd >= 0)
        fs->close(out->journal_fd);
    if (out->results_fd >= 0)
        fs->close(out->results_fd);
    out->state = NULL;
    out->journal_fd = out->results_fd = -1;
}

void recovered_init(struct recovered *r)
{
    *r = (struct recovered){.journal_fd = -1, .results_fd = -1};
}

int recover(const char *dir, const char *warc_dir, struct recovered *ret)
{
    struct recovery r = {.dir = dir, .warc_dir = warc_dir, .out = ret};
    int err = run(&r);
    journal_reader_done(&r.reader);
    struct open_file **files = (struct open_file **)(void *)buf_data(&r.open_files);
    for (size_t i = 0; i < buf_len(&r.open_files) / sizeof *files; i++)
        free(files[i]);
    buf_done(&r.open_files);
    if (err)
        give_up(ret);
    return err;
}

static int create_journal(const char *dir, struct recovered *ret)
{
    struct journal_head head = {.first_number = 1, .solid_bytes = JOURNAL_HEAD_BYTES};
    if (getrandom(head.secret, sizeof head.secret, 0) != (ssize_t)sizeof head.secret)
        return -EIO;
    ret->state = state_new(&head, true);
    int fd = open_at(dir, "frontier.log.new", O_RDWR | O_CREAT | O_TRUNC);
    if (fd < 0)
        return fd;
    ret->journal_fd = fd;
    struct buf b = {0};
    journal_head_put(&b, &head);
    int err = fs_write(fd, buf_data(&b), buf_len(&b), 0);
    buf_done(&b);
    return err ? err : fs->fsync(fd);
}

static int create(const char *dir, const char *warc_dir, struct recovered *ret)
{
    int err = fs->mkdir(warc_dir);
    if (err && err != -EEXIST)
        return err;
    char *journal = recover_path(dir, "frontier.log");
    char *fresh = recover_path(dir, "frontier.log.new");
    err = fs->path_size(journal) >= 0 ? -EEXIST : create_journal(dir, ret);
    if (!err)
        ret->results_fd = err = open_at(dir, "results.jsonl", O_RDWR | O_CREAT | O_TRUNC);
    if (err >= 0)
        err = fs->fsync(ret->results_fd);
    if (!err)
        err = fs->rename(fresh, journal);
    free(journal);
    free(fresh);
    ret->journal_bytes = JOURNAL_HEAD_BYTES;
    ret->number = 1;
    return err ? err : fs_sync_dir(dir);
}

int recover_create(const char *dir, const char *warc_dir, struct recovered *ret)
{
    int err = create(dir, warc_dir, ret);
    if (err)
        give_up(ret);
    return err;
}
