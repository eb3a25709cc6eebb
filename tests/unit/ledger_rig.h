/* SPDX-License-Identifier: MIT */
/* A ledger with a loop, a disk thread and a directory of its own, for tests of what lies on it. */
#ifndef TESTS_UNIT_LEDGER_RIG_H
#define TESTS_UNIT_LEDGER_RIG_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/xalloc.h"
#include "daemon/frontier/ledger.h"

/* One ledger and what it told. */
struct rig {
    struct ev_loop *loop;
    struct disk *disk;
    struct ledger *ledger;
    char dir[64];
    bool opened, closed, failed, read_done;
    int open_err;
    char why[600];
    uint64_t torn, queued_count, ended_count, last_seq;
    struct buf queued, texts; /* "seq url\n" */
    uint32_t file;
    int fd;
    char name[128];
    int wait_err;
    bool waited;
    struct ledger_wait wait;
};

static inline void on_opened(void *owner, int err, const char *why, uint64_t torn)
{
    struct rig *b = owner;
    b->opened = true;
    b->open_err = err;
    b->torn = torn;
    snprintf(b->why, sizeof b->why, "%s", why ? why : "");
}

static inline void add_lines(struct buf *out, const struct ledger_url *urls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_addf(out, "%llu ", (unsigned long long)urls[i].seq);
        buf_add(out, urls[i].url, urls[i].len);
        buf_addc(out, '\n');
    }
}

static inline void on_queued(void *owner, const struct ledger_url *urls, size_t count)
{
    struct rig *b = owner;
    b->queued_count += count;
    if (b->queued_count < 10000)
        add_lines(&b->queued, urls, count);
}

static inline void on_ended(void *owner, uint64_t seq, enum outcome outcome)
{
    struct rig *b = owner;
    b->ended_count++;
    b->last_seq = seq;
}

static inline void on_read(void *owner, const struct ledger_url *urls, size_t count)
{
    struct rig *b = owner;
    b->read_done = true;
    add_lines(&b->texts, urls, count);
}

static inline void on_file(void *owner, uint64_t cookie, uint32_t file, int fd, const char *name)
{
    struct rig *b = owner;
    b->file = file;
    b->fd = file ? dup(fd) : -1;
    snprintf(b->name, sizeof b->name, "%s", name ? name : "");
}

static inline void on_failed(void *owner, int err, const char *what)
{
    ((struct rig *)owner)->failed = true;
}

static inline void on_closed(void *owner)
{
    ((struct rig *)owner)->closed = true;
}

static const struct ledger_ops rig_ops = {.opened = on_opened,
                                          .queued = on_queued,
                                          .ended = on_ended,
                                          .read = on_read,
                                          .file = on_file,
                                          .failed = on_failed,
                                          .closed = on_closed};

#define RUN_UNTIL(b, cond)                                                                         \
    while (!(cond))                                                                                \
    ev_run((b)->loop, EVRUN_ONCE)

static inline void start(struct rig *b, bool create)
{
    b->opened = b->closed = false;
    b->queued_count = 0;
    buf_clear(&b->queued);
    b->loop = ev_loop_new(0);
    b->disk = disk_new(b->loop);
    b->ledger = ledger_new(b->disk, b->loop, b->dir, ".warc", LEDGER_BATCH, 1000000, &rig_ops, b);
    if (create)
        ledger_create(b->ledger);
    else
        ledger_open(b->ledger);
    RUN_UNTIL(b, b->opened);
}

static inline struct rig *rig_new(void)
{
    struct rig *b = xcalloc(1, sizeof *b);
    snprintf(b->dir, sizeof b->dir, "/tmp/ledger-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(b->dir));
    start(b, true);
    ck_assert_int_eq(b->open_err, 0);
    return b;
}

static inline void stop(struct rig *b)
{
    ledger_close(b->ledger);
    RUN_UNTIL(b, b->closed);
    ledger_free(b->ledger);
    disk_free(b->disk);
    ev_loop_destroy(b->loop);
}

static inline void again(struct rig *b)
{
    stop(b);
    start(b, false);
}

static inline void rig_free(struct rig *b)
{
    stop(b);
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s", b->dir);
    ck_assert_int_eq(system(cmd), 0);
    buf_done(&b->queued);
    buf_done(&b->texts);
    free(b);
}

static inline void on_waited(struct ledger_wait *w, int err)
{
    struct rig *b = (struct rig *)((char *)w - offsetof(struct rig, wait));
    b->waited = true;
    b->wait_err = err;
}

static inline void commit(struct rig *b)
{
    b->waited = false;
    b->wait.done = on_waited;
    ledger_wait(b->ledger, &b->wait);
    RUN_UNTIL(b, b->waited);
    ck_assert_int_eq(b->wait_err, 0);
}

static inline uint64_t accept_url(struct rig *b, const char *url)
{
    return ledger_accept(b->ledger, url, strlen(url), true, false);
}

static inline void end_url(struct rig *b, uint64_t seq, uint32_t file, uint64_t end)
{
    char row[64];
    int n = snprintf(row, sizeof row, "{\"seq\":%llu}\n", (unsigned long long)seq);
    ck_assert_int_eq(ledger_row(b->ledger, seq, OUTCOME_STORED, row, (size_t)n, file, end), 0);
}

static inline off_t size_of(struct rig *b, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", b->dir, name);
    struct stat st;
    return stat(path, &st) < 0 ? -1 : st.st_size;
}

static inline struct ledger_counts counts(struct rig *b)
{
    return ledger_counts(b->ledger);
}

static inline void write_file(struct rig *b, size_t n)
{
    char junk[4096] = {'j'};
    ck_assert_int_eq(write(b->fd, junk, n), (ssize_t)n);
}

static inline void new_file(struct rig *b)
{
    b->file = 0;
    ledger_file_new(b->ledger, 7);
    RUN_UNTIL(b, b->file);
}

static inline void spoil(struct rig *b, const char *name, const char *what, off_t off)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", b->dir, name);
    int fd = open(path, O_RDWR);
    if (!strcmp(what, "cut"))
        ck_assert_int_eq(ftruncate(fd, off), 0);
    else
        ck_assert_int_eq(pwrite(fd, what, strlen(what), off), (ssize_t)strlen(what));
    close(fd);
}

#endif
