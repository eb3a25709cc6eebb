/* SPDX-License-Identifier: MIT */
/* verify reads all that a job has, which takes as long as it takes: a process of its own does it
 * (daemon/verify/) and prints the result to a pipe. It reads what is committed, so the job goes on
 * meanwhile. With `repair` a damaged job is mended first (job_repair.c). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/supervisor/blocks.h"
#include "daemon/supervisor/ops.h"
#include "daemon/supervisor/rights.h"
#include "daemon/supervisor/supervisor.h"

#define AT_ONCE_MAX      4
#define ANSWER_MAX_BYTES (16u << 20)

extern char **environ;

struct verify {
    struct list link;        /* in supervisor->verifies */
    struct supervisor *s;    /* borrowed */
    struct request *request; /* borrowed; NULL: nobody waits */
    pid_t pid;
    ev_io out;
    ev_child child;
    struct buf text;
    void (*then)(struct request *r, json_t *result);
};

static void verify_free(struct verify *v)
{
    ev_io_stop(v->s->loop, &v->out);
    ev_child_stop(v->s->loop, &v->child);
    close(v->out.fd);
    list_del(&v->link);
    buf_done(&v->text);
    free(v);
}

void verify_forget_request(struct verify *v)
{
    v->request = NULL;
    kill(v->pid, SIGKILL);
}

void verifies_done(struct supervisor *s)
{
    while (!list_empty(&s->verifies)) {
        struct verify *v = list_of(s->verifies.next, struct verify, link);
        kill(v->pid, SIGKILL);
        waitpid(v->pid, NULL, 0);
        verify_free(v);
    }
}

static void read_out(struct verify *v)
{
    for (;;) {
        ssize_t n = read(v->out.fd, buf_reserve(&v->text, 65536), 65536);
        if (n <= 0) {
            if (!n)
                ev_io_stop(v->s->loop, &v->out);
            return;
        }
        buf_grew(&v->text, (size_t)n);
        if (buf_len(&v->text) > ANSWER_MAX_BYTES)
            kill(v->pid, SIGKILL);
    }
}

static void on_out(EV_P_ ev_io *io, int revents)
{
    read_out(io->data);
}

static void on_end(EV_P_ ev_child *c, int revents)
{
    struct verify *v = c->data;
    struct request *r = v->request;
    read_out(v);
    json_t *result = c->rstatus ? NULL : json_loadb(buf_data(&v->text), buf_len(&v->text), 0, NULL);
    if (r)
        r->verify = NULL;
    if (r && result)
        v->then(r, result);
    else if (r)
        request_error(r, ERROR_INTERNAL, NULL, NULL,
                      "the process that looks ended without a result, status %d", c->rstatus);
    json_decref(result);
    verify_free(v);
}

/* The directories of the jobs there are and hosts.log, or of one job, behind the words of the
 * command; NULL at the end. Only what is in them is borrowed. */
static char **command(const struct supervisor *s, const struct job *only)
{
    char **argv = xcalloc(list_count(&s->jobs) + 4, sizeof *argv);
    argv[0] = (char *)"crawld";
    argv[1] = (char *)"--verify";
    size_t count = 2;
    list_each(it, &s->jobs)
    {
        const struct job *j = list_of(it, struct job, link);
        if ((!only || j == only) && j->saved)
            argv[count++] = j->dir;
    }
    if (!only)
        argv[count] = (char *)blocks_path(s);
    return argv;
}

static int start(struct verify *v, char *const *argv)
{
    int pipe_fds[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -errno;
    fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
    int r = posix_spawn(&v->pid, "/proc/self/exe", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[1]);
    if (r) {
        close(pipe_fds[0]);
        return -r;
    }
    ev_io_init(&v->out, on_out, pipe_fds[0], EV_READ);
    ev_child_init(&v->child, on_end, v->pid, 0);
    v->out.data = v->child.data = v;
    ev_io_start(v->s->loop, &v->out);
    ev_child_start(v->s->loop, &v->child);
    return 0;
}

void helper_run(struct request *r, char *const *argv,
                void (*then)(struct request *r, json_t *result))
{
    struct supervisor *s = r->s;
    size_t count = list_count(&s->verifies);
    if (count >= AT_ONCE_MAX) {
        request_error(r, ERROR_BUSY, NULL, "try again when they have ended",
                      "%zu processes are looking at files", count);
        return;
    }
    struct verify *v = xcalloc(1, sizeof *v);
    v->s = s;
    v->request = r;
    v->then = then;
    int e = start(v, argv);
    if (e < 0) {
        free(v);
        request_error(r, ERROR_INTERNAL, NULL, NULL, "cannot start the process that looks: %s",
                      strerror(-e));
        return;
    }
    r->verify = v;
    list_add_tail(&s->verifies, &v->link);
}

static void on_verified(struct request *r, json_t *result)
{
    json_object_update(result, r->result);
    request_ok(r, json_incref(result));
}

static void verify(struct request *r)
{
    char **argv = command(r->s, r->job);
    helper_run(r, argv, on_verified);
    free(argv);
}

/* ---- repair ---- */

static void on_repaired(struct job_wait *w, int err)
{
    struct request *r = list_of(w, struct request, job_wait);
    if (err) {
        request_error(r, ERROR_STORAGE, "args.job", "the log of crawld tells what was tried",
                      "job %s is not repaired: %s", r->job->spec.name,
                      err == -ECANCELED ? "the daemon is stopping" : r->job->why);
        return;
    }
    r->result = json_pack("{sI}", "cut_bytes", (json_int_t)r->job->cut_bytes);
    verify(r);
}

static void repair(struct request *r)
{
    const char *why, *state = r->job ? job_state(r->job, &why) : NULL;
    r->job_wait.done = on_repaired;
    if (!r->job)
        request_error(r, ERROR_BAD_ARGUMENT, "args.job", "jobs are repaired one by one",
                      "repair needs a job");
    else if (request_level(r) < LEVEL_OPERATE)
        request_error(r, ERROR_DENIED, NULL, NULL, "repair needs level %s, yours is %s",
                      level_name(LEVEL_OPERATE), level_name(request_level(r)));
    else if (r->s->draining)
        request_error(r, ERROR_SHUTTING_DOWN, NULL, NULL, "the daemon is stopping");
    else if (!job_repair(r->job, &r->job_wait))
        request_error(r, ERROR_WRONG_STATE, "args.job",
                      r->job->phase == JOB_DAMAGED ? "`crawlctl delete --keep-data` only forgets it"
                                                   : "what is damaged, or has ended, is repaired",
                      "job %s is %s%s%s", r->job->spec.name, state, *why ? ": " : "", why);
}

void op_verify(struct request *r)
{
    if (request_flag(r, "repair"))
        repair(r);
    else
        verify(r);
}
