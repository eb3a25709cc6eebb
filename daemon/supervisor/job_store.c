/* SPDX-License-Identifier: MIT */
/* job.json: specification and lifecycle. Written new, synced, renamed; saves asked for while one
 * runs are one save after it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/supervisor/job_store.h"
#include "daemon/supervisor/job_words.h"
#include "daemon/supervisor/state.h"
#include "daemon/supervisor/supervisor.h"

char *job_text(const struct job *j)
{
    struct job_counts c = job_counts(j);
    bool over = j->phase == JOB_CLOSED && !j->ledger;
    const char *state = !over ? "open" : j->cancelled ? "cancelled" : "done";
    json_t *o = json_pack(
        "{si sI ss ss sI sI sI so sO}", "version", JOB_FILE_VERSION, "created_ns",
        (json_int_t)j->created_wall_ns, "state", state, "hold", j->hold & HOLD_USER ? "user" : "",
        "ended_ns", (json_int_t)j->ended_wall_ns, "results_bytes", (json_int_t)j->results_bytes,
        "bytes_in", (json_int_t)j->bytes_in, "counts", job_counts_json(&c), "spec", j->spec_text);
    char *text = json_dumps(o, JSON_INDENT(1) | JSON_ENSURE_ASCII);
    json_decref(o);
    return text;
}

static int write_whole(int dir, const char *name, const char *text)
{
    size_t n = strlen(text);
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    ssize_t wrote = write(fd, text, n);
    int r = wrote < 0 ? -errno : (size_t)wrote < n ? -ENOSPC : 0;
    if (!r && fsync(fd) < 0)
        r = -errno;
    close(fd);
    return r;
}

static int sync_parent(const char *dir)
{
    char *parent = xstrdup(dir), *slash = strrchr(parent, '/');
    if (slash)
        *slash = '\0';
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    free(parent);
    return r;
}

int job_store_write(const char *dir, const char *text)
{
    int made = mkdir(dir, 0750);
    if (made < 0 && errno != EEXIST)
        return -errno;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = write_whole(fd, "job.json.new", text);
    if (!r && renameat(fd, "job.json.new", fd, "job.json") < 0)
        r = -errno;
    if (!r && fsync(fd) < 0)
        r = -errno;
    close(fd);
    return !r && !made ? sync_parent(dir) : r;
}

static void save_run(struct disk_op *op)
{
    struct job *j = list_of(op, struct job, save_op);
    j->save_err = job_store_write(j->dir, j->save_text);
}

static void tell(struct list *waiting, int err)
{
    struct list now;
    list_init(&now);
    while (!list_empty(waiting)) {
        struct list *it = waiting->next;
        list_del(it);
        list_add_tail(&now, it);
    }
    while (!list_empty(&now)) {
        struct job_wait *w = list_of(now.next, struct job_wait, link);
        list_del(&w->link);
        w->done(w, err);
    }
}

static void save_start(struct job *j);

static void save_done(struct disk_op *op)
{
    struct job *j = list_of(op, struct job, save_op);
    free(j->save_text);
    j->save_text = NULL;
    j->saving = false;
    if (!j->save_err && !j->saved) {
        j->saved = true;
        job_update(j);
    }
    if (j->save_err)
        log_err("cannot write job.json job=%s: %s", j->spec.name, strerror(-j->save_err));
    tell(&j->save_waiting, j->save_err);
    if (j->abandoned)
        tell(&j->save_next, j->save_err);
    else if (j->save_again)
        save_start(j);
}

static void save_start(struct job *j)
{
    j->saving = true;
    j->save_again = false;
    j->save_text = job_text(j);
    while (!list_empty(&j->save_next)) {
        struct list *it = j->save_next.next;
        list_del(it);
        list_add_tail(&j->save_waiting, it);
    }
    j->save_op.run = save_run;
    j->save_op.done = save_done;
    disk_ask(j->s->disk, &j->save_op);
}

void job_save(struct job *j, struct job_wait *w)
{
    if (w && j->abandoned) {
        w->done(w, -ECANCELED);
        return;
    }
    if (w)
        list_add_tail(&j->save_next, &w->link);
    if (j->saving)
        j->save_again = true;
    else
        save_start(j);
}

/* ---- reading ---- */

static uint64_t number(const json_t *o, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(o, key));
    return n > 0 ? (uint64_t)n : 0;
}

static void read_counts(struct job *j, const json_t *c)
{
    j->accepted_count = number(c, "accepted");
    j->duplicates_count = number(c, "duplicates");
    for (int o = 0; o < OUTCOME_COUNT; o++)
        j->ended_count[o] = number(c, outcome_name((enum outcome)o));
}

/* Its name is all that is known of it. */
static struct job *damaged_job(struct supervisor *s, const char *dir, const char *why)
{
    struct job_spec spec;
    struct spec_error error;
    json_t *bare = json_pack("{sss{ss}}", "name", strrchr(dir, '/') + 1, "pace", "preset", "own");
    int r = spec_parse(bare, &spec, &error);
    json_decref(bare);
    log_err("job is damaged dir=%s: %s", dir, why);
    if (r < 0) {
        log_err("and has no name that a job may have dir=%s: %s", dir, error.message);
        return NULL;
    }
    struct job *j = job_new(s, &spec, dir);
    job_enter(j, JOB_DAMAGED);
    snprintf(j->why, sizeof j->why, "%s", why);
    return j;
}

static bool is_over(const json_t *o)
{
    const char *state = json_string_value(json_object_get(o, "state"));
    return state && (!strcmp(state, "cancelled") || !strcmp(state, "done"));
}

const char *job_store_read(const char *dir, const json_t *o, struct job_spec *ret_spec)
{
    struct spec_error error;
    if (!o)
        return "job.json cannot be read";
    if (number(o, "version") != JOB_FILE_VERSION)
        return "job.json is of another version";
    if (spec_parse(json_object_get(o, "spec"), ret_spec, &error) < 0)
        return "job.json holds no specification";
    int err = is_over(o) ? 0 : job_words_read(dir, ret_spec);
    if (!err)
        return NULL;
    spec_done(ret_spec);
    return err == -EUCLEAN ? "a file of its words is not what job.json says"
                           : "a file of its words cannot be read";
}

struct job *job_store_load(struct supervisor *s, const char *dir, const json_t *o,
                           struct job_spec *take_spec, const char *wrong)
{
    if (wrong)
        return damaged_job(s, dir, wrong);
    struct job *j = job_new(s, take_spec, dir);
    const char *state = json_string_value(json_object_get(o, "state"));
    const char *hold = json_string_value(json_object_get(o, "hold"));
    j->created_wall_ns = (int64_t)number(o, "created_ns");
    j->ended_wall_ns = (int64_t)number(o, "ended_ns");
    j->saved = true;
    j->results_bytes = number(o, "results_bytes");
    j->bytes_in = number(o, "bytes_in");
    j->cancelled = state && !strcmp(state, "cancelled");
    if (hold && !strcmp(hold, "user"))
        job_pause(j, HOLD_USER);
    if (is_over(o)) {
        read_counts(j, json_object_get(o, "counts"));
        job_enter(j, JOB_CLOSED);
    }
    return j;
}

/* ---- deleting ---- */

struct removal {
    struct disk_op op;
    char *dir; /* owned */
    bool keep;
    int err;
    struct list waiting; /* the job_wait to be told, unless it has gone */
};

static void removal_run(struct disk_op *op)
{
    struct removal *r = list_of(op, struct removal, op);
    struct buf aside = {0};
    buf_addf(&aside, "%s%s%lld", r->dir, r->keep ? STATE_KEPT : STATE_DELETED,
             (long long)clock_wall_ns());
    r->err = rename(r->dir, buf_str(&aside)) < 0 ? -errno : sync_parent(r->dir);
    if (!r->err && !r->keep)
        state_remove(buf_str(&aside));
    buf_done(&aside);
}

static void removal_done(struct disk_op *op)
{
    struct removal *r = list_of(op, struct removal, op);
    if (r->err)
        log_err("cannot delete dir=%s: %s", r->dir, strerror(-r->err));
    tell(&r->waiting, r->err);
    free(r->dir);
    free(r);
}

void job_delete(struct job *j, bool keep, struct job_wait *w)
{
    struct removal *r = xcalloc(1, sizeof *r);
    r->dir = xstrdup(j->dir);
    r->keep = keep;
    list_init(&r->waiting);
    if (w)
        list_add_tail(&r->waiting, &w->link);
    r->op.run = removal_run;
    r->op.done = removal_done;
    disk_ask(j->s->disk, &r->op);
}
