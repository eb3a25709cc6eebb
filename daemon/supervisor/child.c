/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "daemon/supervisor/control.h"
#include "daemon/supervisor/supervisor.h"

#define AT_ONCE_MAX      4
#define ANSWER_MAX_BYTES (16u << 20)

extern char **environ;

struct child {
    struct list link; /* in supervisor->children */
    struct request_work work;
    struct supervisor *s;    /* borrowed */
    struct request *request; /* borrowed; NULL: nobody waits */
    pid_t pid;
    ev_io out;
    ev_child ended;
    struct buf text;
    void (*then)(struct request *r, json_t *result);
};

static void child_free(struct child *c)
{
    ev_io_stop(c->s->loop, &c->out);
    ev_child_stop(c->s->loop, &c->ended);
    close(c->out.fd);
    list_del(&c->link);
    buf_done(&c->text);
    free(c);
}

static void child_forget(struct request_work *w)
{
    struct child *c = list_of(w, struct child, work);
    c->request = NULL;
    kill(c->pid, SIGKILL);
}

void children_done(struct supervisor *s)
{
    while (!list_empty(&s->children)) {
        struct child *c = list_of(s->children.next, struct child, link);
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
        child_free(c);
    }
}

static void read_out(struct child *c)
{
    for (;;) {
        ssize_t n = read(c->out.fd, buf_reserve(&c->text, 65536), 65536);
        if (n <= 0) {
            if (!n)
                ev_io_stop(c->s->loop, &c->out);
            return;
        }
        buf_grew(&c->text, (size_t)n);
        if (buf_len(&c->text) > ANSWER_MAX_BYTES)
            kill(c->pid, SIGKILL);
    }
}

static void on_out(EV_P_ ev_io *io, int revents)
{
    read_out(io->data);
}

static void on_end(EV_P_ ev_child *end, int revents)
{
    struct child *c = end->data;
    struct request *r = c->request;
    read_out(c);
    json_t *result =
        end->rstatus ? NULL : json_loadb(buf_data(&c->text), buf_len(&c->text), 0, NULL);
    if (r)
        r->work = NULL;
    if (r && result)
        c->then(r, result);
    else if (r)
        request_error(r, ERROR_INTERNAL, NULL, NULL,
                      "the process that looks ended without a result, status %d", end->rstatus);
    json_decref(result);
    child_free(c);
}

static int start(struct child *c, char *const *argv)
{
    int pipe_fds[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -errno;
    fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
    int r = posix_spawn(&c->pid, "/proc/self/exe", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[1]);
    if (r) {
        close(pipe_fds[0]);
        return -r;
    }
    ev_io_init(&c->out, on_out, pipe_fds[0], EV_READ);
    ev_child_init(&c->ended, on_end, c->pid, 0);
    c->out.data = c->ended.data = c;
    ev_io_start(c->s->loop, &c->out);
    ev_child_start(c->s->loop, &c->ended);
    return 0;
}

void child_run(struct request *r, char *const *argv,
               void (*then)(struct request *r, json_t *result))
{
    struct supervisor *s = r->s;
    size_t count = list_count(&s->children);
    if (count >= AT_ONCE_MAX) {
        request_error(r, ERROR_BUSY, NULL, "try again when they have ended",
                      "%zu processes are looking at files", count);
        return;
    }
    struct child *c = xcalloc(1, sizeof *c);
    c->work.forget = child_forget;
    c->s = s;
    c->request = r;
    c->then = then;
    int e = start(c, argv);
    if (e < 0) {
        free(c);
        request_error(r, ERROR_INTERNAL, NULL, NULL, "cannot start the process that looks: %s",
                      strerror(-e));
        return;
    }
    r->work = &c->work;
    list_add_tail(&s->children, &c->link);
}
