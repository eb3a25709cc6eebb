/* SPDX-License-Identifier: MIT */
/* WARC files, from making to their final name. The workers write through the descriptor that
 * ops.file passes on; the ledger keeps its own to sync and cut. A file is finished when it is
 * wanted and every record said of it is committed; its final name then means: whole, synced,
 * never written again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "daemon/frontier/fs.h"
#include "daemon/frontier/ledger_impl.h"

struct making {
    struct op op;
    struct list link;
    uint64_t cookie;
    uint32_t id;
    int fd; /* owned until taken; -1 */
    bool refused;
};

struct finishing {
    struct op op;
    struct warc_file *file; /* owned */
    uint64_t end_bytes;
};

struct warc_file *warcs_find(struct ledger *l, uint32_t id)
{
    list_each(it, &l->files)
    {
        struct warc_file *f = list_of(it, struct warc_file, link);
        if (f->id == id)
            return f;
    }
    return NULL;
}

/* Freed by the caller. */
char *warcs_path(const struct ledger *l, uint32_t id, const char *behind)
{
    char *path;
    if (asprintf(&path, "%s/%06u-%s%s%s", l->warc_dir, id, l->name, l->suffix, behind) < 0)
        abort();
    return path;
}

/* ---- making */

static int making_run(struct op *op)
{
    struct making *m = (struct making *)op;
    if (m->refused)
        return 0;
    char *path = warcs_path(op->l, m->id, ".open");
    int fd = fs->open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
    free(path);
    if (fd == -EMFILE || fd == -ENFILE)
        return 0;
    if (fd < 0)
        return fd;
    int err = fs_sync_dir(op->l->warc_dir);
    if (err)
        fs->close(fd);
    else
        m->fd = fd;
    return err;
}

static void take_file(struct ledger *l, struct making *m)
{
    struct warc_file *f = xcalloc(1, sizeof *f);
    f->id = m->id;
    f->fd = m->fd;
    list_add_tail(&l->files, &f->link);
    if (l->phase != PHASE_OPEN) {
        l->ops->file(l->owner, m->cookie, 0, -1, NULL);
        return;
    }
    struct cycle *c = put_open(l);
    item_put1(&c->items, ITEM_FILE, f->id);
    c->item_count++;
    put_done(l, c);
    char *path = warcs_path(l, f->id, "");
    l->ops->file(l->owner, m->cookie, f->id, f->fd, path + strlen(l->warc_dir) + 1);
    free(path);
}

static void making_finished(struct op *op)
{
    struct making *m = (struct making *)op;
    struct ledger *l = op->l;
    bool told = list_empty(&m->link);
    list_del(&m->link);
    if (m->fd >= 0)
        take_file(l, m);
    else if (!told)
        l->ops->file(l->owner, m->cookie, 0, -1, NULL);
    free(m);
}

void ledger_file_new(struct ledger *l, uint64_t cookie)
{
    struct making *m = xcalloc(1, sizeof *m);
    m->op =
        (struct op){.run = making_run, .finished = making_finished, .what = "making a WARC file"};
    m->cookie = cookie;
    m->refused = l->phase != PHASE_OPEN;
    m->id = m->refused ? 0 : l->state->next_file++;
    m->fd = -1;
    list_add_tail(&l->making, &m->link);
    ledger_ask(l, &m->op);
}

/* ---- finishing */

static int finishing_run(struct op *op)
{
    struct finishing *g = (struct finishing *)op;
    struct ledger *l = op->l;
    if (l->on_disk.failed) {
        fs->close(g->file->fd);
        return -ECANCELED;
    }
    char *from = warcs_path(l, g->file->id, ".open"), *to = warcs_path(l, g->file->id, "");
    int err = fs->ftruncate(g->file->fd, g->end_bytes);
    if (!err)
        err = fs->fsync(g->file->fd);
    if (!err)
        err = g->end_bytes ? fs->rename(from, to) : fs->unlink(from);
    if (!err)
        err = fs_sync_dir(l->warc_dir);
    free(from);
    free(to);
    fs->close(g->file->fd);
    return err;
}

static void finishing_finished(struct op *op)
{
    struct finishing *g = (struct finishing *)op;
    free(g->file);
    free(g);
}

static void finish_if_ready(struct ledger *l, struct warc_file *f)
{
    if (!f->finish || f->cycle_count)
        return;
    struct finishing *g = xcalloc(1, sizeof *g);
    g->op = (struct op){.run = finishing_run,
                        .finished = finishing_finished,
                        .what = "finishing a WARC file",
                        .anyway = true}; /* its descriptor must be closed */
    g->file = f;
    g->end_bytes = f->committed;
    list_del(&f->link);
    ledger_ask(l, &g->op);
}

void warcs_finish_ready(struct ledger *l)
{
    list_each_safe(it, tmp, &l->files)
    {
        finish_if_ready(l, list_of(it, struct warc_file, link));
    }
}

void ledger_file_finish(struct ledger *l, uint32_t file)
{
    struct warc_file *f = warcs_find(l, file);
    if (!f || l->phase != PHASE_OPEN)
        return;
    f->finish = true;
    finish_if_ready(l, f);
}

/* The ledger failed: whoever waits for a file will not get it. */
void warcs_failed(struct ledger *l)
{
    list_each_safe(it, tmp, &l->making)
    {
        struct making *m = list_of(it, struct making, link);
        list_del(it);
        l->ops->file(l->owner, m->cookie, 0, -1, NULL);
    }
}
