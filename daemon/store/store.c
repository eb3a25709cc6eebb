/* SPDX-License-Identifier: MIT */
/* Loop and thread share nothing but links that travel: captures, files, and orders. What is put
 * first comes first, so each needs no look at the others:
 *
 *     loop: store_put, store_file, store_revoke ... ─▶ relay ─▶ thread: job's file, its records
 *           done, left, then                        ◀─ relay ◀─ after each write
 *
 * A job's state is found by the loop and travels with the link; `file` and `waiting` in it are the
 * thread's. A revoke moves the job's epoch on; what carries an older one is void wherever it is. */
#include "daemon/store/store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "daemon/store/files.h"
#include "daemon/store/relay.h"

enum kind { KIND_CAPTURE, KIND_FILE, KIND_REVOKE, KIND_GONE, KIND_COUNT };

struct store_job_state {
    struct store_link gone;
    struct list link;        /* in the store's jobs; the last one used first */
    struct store_job about;  /* strings owned */
    _Atomic uint32_t epoch;  /* revokes so far */
    struct store_file *file; /* the thread's */
    struct list waiting;     /* the thread's: captures without a file */
};

struct revoke {
    struct store_link link;
    struct store_job_state *state;
    uint32_t job;
    void (*then)(void *owner, uint32_t job);
};

struct store {
    struct relay relay;
    const struct store_ops *ops;
    void *owner;
    volatile uint64_t *blame;
    struct list jobs;
    struct store_job_state nobody; /* of captures for unknown jobs: always void */
    uint64_t queued_bytes;
    struct batch batch; /* the thread's, as is */
    struct list out;    /* what goes back next */
};

/* The thread's side. */

static void thread_write(struct store *s)
{
    batch_write(&s->batch, &s->out);
    relay_answer(&s->relay, &s->out);
}

/* The job moves away from its file: what was made for it is written or void by now. */
static void thread_leave(struct store *s, struct store_job_state *j, bool tell)
{
    struct store_file *f = j->file;
    if (!f)
        return;
    thread_write(s);
    file_close(f);
    f->tell_left = tell && !f->err;
    j->file = NULL;
    list_add_tail(&s->out, &f->link.list);
}

/* A file whose write failed is finished with; its captures tell. */
static void thread_drop_failed(struct store *s, struct store_job_state *j)
{
    if (j->file && j->file->err)
        thread_leave(s, j, false);
}

static void thread_capture(struct store *s, struct store_link *link)
{
    struct capture *c = list_of(link, struct capture, link);
    struct store_job_state *j = c->state;
    if (batch_is_large(c))
        thread_write(s);
    thread_drop_failed(s, j);
    if (c->epoch != atomic_load_explicit(&j->epoch, memory_order_relaxed)) {
        c->err = -ECANCELED;
        list_add_tail(&s->out, &c->link.list);
    } else if (!j->file) {
        list_add_tail(&j->waiting, &c->link.list);
    } else {
        *s->blame = c->lease;
        batch_add(&s->batch, j->file, &j->about, c);
        *s->blame = 0;
        if (buf_len(&s->batch.out) >= BATCH_BYTES)
            thread_write(s);
    }
}

static void thread_file(struct store *s, struct store_link *link)
{
    struct store_file *f = list_of(link, struct store_file, link);
    struct store_job_state *j = f->state;
    if (f->epoch != atomic_load_explicit(&j->epoch, memory_order_relaxed)) {
        file_close(f);
        list_add_tail(&s->out, &f->link.list);
        return;
    }
    thread_leave(s, j, true);
    j->file = f;
    struct list waited;
    list_init(&waited);
    while (!list_empty(&j->waiting)) {
        struct list *it = j->waiting.next;
        list_del(it);
        list_add_tail(&waited, it);
    }
    while (!list_empty(&waited)) {
        struct list *it = waited.next;
        list_del(it);
        thread_capture(s, list_of(it, struct store_link, list));
    }
}

static void thread_cancel_waiting(struct store *s, struct store_job_state *j)
{
    list_each_safe(it, next, &j->waiting)
    {
        list_of(it, struct capture, link.list)->err = -ECANCELED;
        list_del(it);
        list_add_tail(&s->out, it);
    }
}

static void thread_revoke(struct store *s, struct store_link *link)
{
    struct revoke *r = list_of(link, struct revoke, link);
    thread_leave(s, r->state, false);
    thread_cancel_waiting(s, r->state);
    list_add_tail(&s->out, &link->list);
}

static void thread_gone(struct store *s, struct store_link *link)
{
    struct store_job_state *j = list_of(link, struct store_job_state, gone);
    thread_leave(s, j, true);
    thread_cancel_waiting(s, j);
    list_add_tail(&s->out, &link->list);
}

static void *thread_run(void *arg)
{
    static void (*const handle[KIND_COUNT])(struct store *, struct store_link *) = {
        [KIND_CAPTURE] = thread_capture,
        [KIND_FILE] = thread_file,
        [KIND_REVOKE] = thread_revoke,
        [KIND_GONE] = thread_gone,
    };
    struct store *s = arg;
    struct list in;
    while (relay_take(&s->relay, &in)) {
        while (!list_empty(&in)) {
            struct store_link *link = list_of(in.next, struct store_link, list);
            list_del(&link->list);
            handle[link->kind](s, link);
        }
        thread_write(s);
    }
    return NULL;
}

/* The loop's side. */

static struct store_job_state *store_find(struct store *s, uint32_t job)
{
    list_each(it, &s->jobs)
    {
        struct store_job_state *j = list_of(it, struct store_job_state, link);
        if (j->about.job != job)
            continue;
        if (s->jobs.next != it) {
            list_del(it);
            list_add_head(&s->jobs, it);
        }
        return j;
    }
    return NULL;
}

static void job_free(struct store_job_state *j)
{
    free((char *)j->about.software);
    free((char *)j->about.operator_contact);
    free((char *)j->about.robots);
    free((char *)j->about.user_agent);
    free((char *)j->about.job_name);
    free(j);
}

static void back_capture(struct store *s, struct store_link *link)
{
    struct capture *c = list_of(link, struct capture, link);
    if (c->epoch != atomic_load_explicit(&c->state->epoch, memory_order_relaxed))
        c->err = -ECANCELED;
    s->queued_bytes -= c->queued_bytes;
    c->done(c);
}

static void back_file(struct store *s, struct store_link *link)
{
    struct store_file *f = list_of(link, struct store_file, link);
    if (f->tell_left && f->epoch == atomic_load_explicit(&f->state->epoch, memory_order_relaxed))
        s->ops->left(s->owner, f->job, f->file);
    file_free(f);
}

static void back_revoke(struct store *s, struct store_link *link)
{
    struct revoke *r = list_of(link, struct revoke, link);
    r->then(s->owner, r->job);
    free(r);
}

static void back_gone(struct store *s, struct store_link *link)
{
    job_free(list_of(link, struct store_job_state, gone));
}

static void store_answered(struct relay *q)
{
    static void (*const handle[KIND_COUNT])(struct store *, struct store_link *) = {
        [KIND_CAPTURE] = back_capture,
        [KIND_FILE] = back_file,
        [KIND_REVOKE] = back_revoke,
        [KIND_GONE] = back_gone,
    };
    struct store *s = list_of(q, struct store, relay);
    struct list back;
    relay_answers(q, &back);
    while (!list_empty(&back)) {
        struct store_link *link = list_of(back.next, struct store_link, list);
        list_del(&link->list);
        handle[link->kind](s, link);
    }
}

struct store *store_new(struct ev_loop *loop, const struct store_ops *ops, void *owner,
                        volatile uint64_t *blame)
{
    struct store *s = xcalloc(1, sizeof *s);
    s->ops = ops;
    s->owner = owner;
    s->blame = blame;
    list_init(&s->jobs);
    list_init(&s->out);
    list_init(&s->nobody.waiting);
    s->nobody.epoch = 1;
    batch_init(&s->batch);
    relay_init(&s->relay, loop, thread_run, s, store_answered);
    return s;
}

/* Frees what no one else owns: captures are their fetches'. */
static void store_free_answer(struct store_link *link)
{
    if (link->kind == KIND_FILE)
        file_free(list_of(link, struct store_file, link));
    else if (link->kind == KIND_REVOKE)
        free(list_of(link, struct revoke, link));
    else if (link->kind == KIND_GONE)
        job_free(list_of(link, struct store_job_state, gone));
}

void store_free(struct store *s)
{
    if (!s)
        return;
    struct list back;
    relay_stop(&s->relay, &back);
    list_each_safe(it, next, &back)
    {
        store_free_answer(list_of(it, struct store_link, list));
    }
    list_each_safe(it, next, &s->jobs)
    {
        struct store_job_state *j = list_of(it, struct store_job_state, link);
        if (j->file)
            file_free(j->file);
        job_free(j);
    }
    batch_done(&s->batch);
    free(s);
}

static char *copy_or_null(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

void store_job(struct store *s, const struct store_job *job)
{
    if (store_find(s, job->job))
        return;
    struct store_job_state *j = xcalloc(1, sizeof *j);
    j->gone.kind = KIND_GONE;
    j->about = (struct store_job){.job = job->job,
                                  .gzip = job->gzip,
                                  .software = copy_or_null(job->software),
                                  .operator_contact = copy_or_null(job->operator_contact),
                                  .robots = copy_or_null(job->robots),
                                  .user_agent = copy_or_null(job->user_agent),
                                  .job_name = copy_or_null(job->job_name)};
    list_init(&j->waiting);
    list_add_head(&s->jobs, &j->link);
}

void store_job_gone(struct store *s, uint32_t job)
{
    struct store_job_state *j = store_find(s, job);
    if (!j)
        return;
    list_del(&j->link);
    relay_put(&s->relay, &j->gone.list);
}

void store_file(struct store *s, uint32_t job, uint32_t file, const char *name, int take_fd)
{
    struct store_job_state *j = store_find(s, job);
    if (!j) {
        close(take_fd);
        return;
    }
    struct store_file *f = xcalloc(1, sizeof *f);
    f->link.kind = KIND_FILE;
    f->state = j;
    f->job = job;
    f->file = file;
    f->epoch = j->epoch;
    f->fd = take_fd;
    f->name = xstrdup(name);
    list_init(&f->made);
    list_init(&f->in_batch);
    relay_put(&s->relay, &f->link.list);
}

void store_put(struct store *s, struct capture *c)
{
    struct store_job_state *j = store_find(s, c->job);
    c->link.kind = KIND_CAPTURE;
    c->state = j ? j : &s->nobody;
    c->epoch = j ? j->epoch : 0;
    c->file = 0;
    c->file_name = NULL;
    c->offset = c->end = c->length = 0;
    c->err = 0;
    c->queued_bytes = sizeof *c + buf_len(&c->request) + buf_len(&c->response);
    s->queued_bytes += c->queued_bytes;
    relay_put(&s->relay, &c->link.list);
}

void store_revoke(struct store *s, uint32_t job, void (*then)(void *owner, uint32_t job))
{
    struct store_job_state *j = store_find(s, job);
    struct revoke *r = xcalloc(1, sizeof *r);
    r->link.kind = KIND_REVOKE;
    r->state = j ? j : &s->nobody;
    r->job = job;
    r->then = then;
    if (j)
        j->epoch++;
    relay_put(&s->relay, &r->link.list);
}

uint64_t store_queued_bytes(const struct store *s)
{
    return s->queued_bytes;
}
