/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/supervisor/job_store.h"

#define ORPHANS_WAIT_MS 3000
#define ORPHANS_LOOK_MS 20

static int make_dirs(const char *dir)
{
    char *path = xstrdup(dir);
    int r = 0;
    for (char *p = path + 1; !r && *p; p++)
        if (*p == '/') {
            *p = '\0';
            if (mkdir(path, 0755) < 0 && errno != EEXIST)
                r = -errno;
            *p = '/';
        }
    if (!r && mkdir(path, 0750) < 0 && errno != EEXIST)
        r = -errno;
    free(path);
    return r;
}

static pid_t lock_holder(int fd)
{
    char text[32] = "";
    return pread(fd, text, sizeof text - 1, 0) > 0 ? (pid_t)atol(text) : 0;
}

/* The workers of a daemon that was killed die with it, but not at once. */
static int lock(int fd, pid_t *ret_pid)
{
    for (int tries = 0;; tries++) {
        if (!flock(fd, LOCK_EX | LOCK_NB))
            return 0;
        if (errno != EWOULDBLOCK)
            return -errno;
        *ret_pid = lock_holder(fd);
        if (tries == ORPHANS_WAIT_MS / ORPHANS_LOOK_MS || !*ret_pid || !kill(*ret_pid, 0) ||
            errno != ESRCH)
            return -EBUSY;
        usleep(ORPHANS_LOOK_MS * 1000);
    }
}

int state_lock(const char *dir, pid_t *ret_pid)
{
    int r = make_dirs(dir);
    if (r < 0)
        return r;
    int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = at < 0 ? -1 : openat(at, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    r = -errno;
    if (at >= 0 && mkdirat(at, "jobs", 0750) < 0 && errno != EEXIST) {
        r = -errno;
        close(fd);
        fd = -1;
    }
    if (at >= 0)
        close(at);
    if (fd < 0)
        return r;
    r = lock(fd, ret_pid);
    if (r < 0) {
        close(fd);
        return r;
    }
    char text[32];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

char *state_job_dir(const struct supervisor *s, const char *name)
{
    struct buf b = {0};
    buf_addf(&b, "%s/jobs/%s", s->options->state_dir, name);
    return buf_take(&b, NULL);
}

/* ---- the jobs ---- */

struct found {
    char *dir;            /* owned */
    json_t *text;         /* owned; NULL: could not be read, said in the log */
    struct job_spec spec; /* owned */
    const char *wrong;    /* with it; NULL nothing */
};

struct loading {
    struct disk_op op;
    struct supervisor *s;
    void (*then)(struct supervisor *s);
    struct found *found; /* owned */
    size_t count;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

void state_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Without job.json no answer was given to its submission and no page fetched. Rows, though, are
 * never thrown away. */
static void clear_unfinished(const char *dir)
{
    struct stat st;
    struct buf path = {0};
    buf_addf(&path, "%s/results.jsonl", dir);
    if (stat(buf_str(&path), &st) || !st.st_size) {
        log_notice("removing what was begun of a job dir=%s", dir);
        state_remove(dir);
    } else {
        buf_clear(&path);
        buf_addf(&path, "%s" STATE_KEPT "%lld", dir, (long long)(clock_wall_ns() / NS_PER_S));
        log_err("a job without job.json is put aside dir=%s to=%s", dir, buf_str(&path));
        if (rename(dir, buf_str(&path)) < 0)
            log_err("cannot rename dir=%s: %m", dir);
    }
    buf_done(&path);
}

/* False: it is no job. */
static bool is_job(const char *dir, const char *name)
{
    struct stat st;
    struct buf path = {0};
    if (strstr(name, STATE_DELETED)) {
        state_remove(dir);
        return false;
    }
    buf_addf(&path, "%s/job.json", dir);
    bool there = !stat(buf_str(&path), &st) || errno != ENOENT;
    if (!there)
        clear_unfinished(dir);
    buf_done(&path);
    return there;
}

static json_t *read_job(const char *dir)
{
    struct buf path = {0};
    json_error_t error;
    buf_addf(&path, "%s/job.json", dir);
    json_t *text = json_load_file(buf_str(&path), JSON_REJECT_DUPLICATES, &error);
    if (!text)
        log_err("cannot read path=%s line=%d: %s", buf_str(&path), error.line, error.text);
    buf_done(&path);
    return text;
}

static void load_run(struct disk_op *op)
{
    struct loading *l = list_of(op, struct loading, op);
    struct buf path = {0};
    buf_addf(&path, "%s/jobs", l->s->options->state_dir);
    DIR *d = opendir(buf_str(&path));
    if (!d)
        log_err("cannot read path=%s: %m; its jobs are not known", buf_str(&path));
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.' || strstr(e->d_name, STATE_KEPT))
            continue;
        struct buf dir = {0};
        buf_addf(&dir, "%s/%s", buf_str(&path), e->d_name);
        if (!is_job(buf_str(&dir), e->d_name)) {
            buf_done(&dir);
            continue;
        }
        l->found = xrealloc(l->found, (l->count + 1) * sizeof *l->found);
        struct found *f = &l->found[l->count++];
        *f = (struct found){.text = read_job(buf_str(&dir))};
        f->wrong = job_store_read(buf_str(&dir), f->text, &f->spec);
        f->dir = buf_take(&dir, NULL);
    }
    if (d)
        closedir(d);
    buf_done(&path);
}

static int by_age(const void *a, const void *b)
{
    json_int_t x =
        json_integer_value(json_object_get(((const struct found *)a)->text, "created_ns"));
    json_int_t y =
        json_integer_value(json_object_get(((const struct found *)b)->text, "created_ns"));
    return x < y ? -1 : x > y;
}

static void load_done(struct disk_op *op)
{
    struct loading *l = list_of(op, struct loading, op);
    if (l->count)
        qsort(l->found, l->count, sizeof *l->found, by_age);
    for (size_t i = 0; i < l->count; i++) {
        struct found *f = &l->found[i];
        struct job *j =
            l->s->draining ? NULL : job_store_load(l->s, f->dir, f->text, &f->spec, f->wrong);
        if (j && j->phase == JOB_OPENING)
            job_open(j, false);
        if (!f->wrong)
            spec_done(&f->spec);
        json_decref(f->text);
        free(f->dir);
    }
    l->then(l->s);
    free(l->found);
    free(l);
}

void state_load(struct supervisor *s, void (*then)(struct supervisor *s))
{
    struct loading *l = xcalloc(1, sizeof *l);
    l->s = s;
    l->then = then;
    l->op.run = load_run;
    l->op.done = load_done;
    disk_ask(s->disk, &l->op);
}
