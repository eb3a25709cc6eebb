/* SPDX-License-Identifier: MIT */
/* Each client is read until it has CONTROL_OUTSTANDING_MAX requests out or does not read its replies;
 * one line per client and turn is worked, so that a client that floods delays nobody. */
#include "daemon/supervisor/control.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/jsonl.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/supervisor/listen.h"
#include "daemon/supervisor/ops.h"
#include "daemon/supervisor/rights.h"
#include "daemon/supervisor/supervisor.h"

#define READ_BYTES   65536
#define LINE_MAX_NS  (10 * NS_PER_S)

struct client {
    struct list link;      /* in control->clients, longest idle first */
    struct supervisor *s;  /* borrowed */
    int fd;                /* owned */
    ev_io reading, writing;
    struct buf in, out;
    struct jsonl lines;
    enum level level;
    bool may_ignore_robots;
    struct list requests;  /* struct request, not answered */
    unsigned requests_count;
    int64_t part_ns;       /* since when a line is not whole; 0: none */
    bool closing;          /* after what is in `out` */
};

struct control {
    int fd; /* owned; listening */
    ev_io accepting;
    ev_idle turn;          /* clients with lines not worked yet */
    struct list clients;
    size_t clients_count;
    bool unlink;           /* we made the socket file */
    struct rights rights;
};

static void request_free(struct request *r)
{
    if (r->submission)
        submission_forget_request(r->submission);
    if (r->paging)
        paging_forget_request(r->paging);
    list_del(&r->link);
    list_del(&r->ledger_wait.link);
    list_del(&r->job_wait.link);
    r->client->requests_count--;
    json_decref(r->id);
    json_decref(r->args);
    json_decref(r->result);
    free(r);
}

static void client_free(struct client *c)
{
    struct supervisor *s = c->s;
    while (!list_empty(&c->requests))
        request_free(list_of(c->requests.next, struct request, link));
    ev_io_stop(s->loop, &c->reading);
    ev_io_stop(s->loop, &c->writing);
    close(c->fd);
    buf_done(&c->in);
    buf_done(&c->out);
    list_del(&c->link);
    s->control->clients_count--;
    drafts_client_gone(s, c);
    jobs_client_gone(s, c);
    free(c);
}

static bool may_read(const struct client *c)
{
    return !c->closing && c->requests_count < CONTROL_OUTSTANDING_MAX &&
           buf_len(&c->out) < CONTROL_OUT_MAX;
}

/* Writes what it can, then sets the watchers to what is wanted. False: the client is gone. */
static bool client_settle(struct client *c)
{
    while (buf_len(&c->out)) {
        ssize_t n = send(c->fd, buf_data(&c->out), buf_len(&c->out), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            client_free(c);
            return false;
        }
        buf_consume(&c->out, (size_t)n);
    }
    if (c->closing && !buf_len(&c->out)) {
        client_free(c);
        return false;
    }
    if (buf_len(&c->out))
        ev_io_start(c->s->loop, &c->writing);
    else
        ev_io_stop(c->s->loop, &c->writing);
    if (may_read(c))
        ev_io_start(c->s->loop, &c->reading);
    else
        ev_io_stop(c->s->loop, &c->reading);
    if (may_read(c) && buf_len(&c->in))
        ev_idle_start(c->s->loop, &c->s->control->turn);
    return true;
}

static void work_line(struct client *c, const char *line, size_t len)
{
    struct jsonl_request parsed;
    struct jsonl_error error;
    if (jsonl_request_parse(line, len, &parsed, &error)) {
        struct request *r = xcalloc(1, sizeof *r);
        r->s = c->s;
        r->client = c;
        r->id = json_incref(parsed.id);
        r->args = json_incref(parsed.args);
        list_init(&r->ledger_wait.link);
        list_init(&r->job_wait.link);
        list_add_tail(&c->requests, &r->link);
        c->requests_count++;
        ops_run(r, parsed.op);
    } else {
        jsonl_reply_error(&c->out, parsed.id, error.code, error.message, error.hint, NULL);
        c->closing |= error.code == ERROR_BAD_FRAME;
    }
    jsonl_request_done(&parsed);
}

/* One line. True: there may be another. */
static bool work_one(struct client *c)
{
    const char *line;
    size_t len;
    switch (jsonl_next(&c->lines, &c->in, &line, &len)) {
    case JSONL_LINE:
        c->part_ns = 0;
        work_line(c, line, len);
        return true;
    case JSONL_TOO_LONG:
        jsonl_reply_error(&c->out, NULL, ERROR_BAD_FRAME, "the line is longer than 64 KiB",
                          "send long lists in several job.add requests", NULL);
        c->closing = true;
        return false;
    case JSONL_MORE:
        break;
    }
    if (buf_len(&c->in) && !c->part_ns)
        c->part_ns = clock_mono_ns();
    return false;
}

static void on_turn(EV_P_ ev_idle *idle, int revents)
{
    struct control *control = idle->data;
    bool more = false;
    list_each_safe(it, next, &control->clients)
    {
        struct client *c = list_of(it, struct client, link);
        if (may_read(c) && buf_len(&c->in))
            more |= work_one(c);
        client_settle(c);
    }
    if (!more)
        ev_idle_stop(EV_A_ idle);
}

static void on_readable(EV_P_ ev_io *io, int revents)
{
    struct client *c = io->data;
    ssize_t n = read(c->fd, buf_reserve(&c->in, READ_BYTES), READ_BYTES);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        client_free(c);
        return;
    }
    buf_grew(&c->in, (size_t)n);
    struct list *clients = &c->s->control->clients;
    list_del(&c->link);
    list_add_tail(clients, &c->link);
    if (work_one(c))
        ev_idle_start(EV_A_ & c->s->control->turn);
    client_settle(c);
}

static void on_writable(EV_P_ ev_io *io, int revents)
{
    client_settle(io->data);
}

static void greet(struct client *c)
{
    static const char *const names[] = {"none", "read", "operate", "admin"};
    json_t *hello = json_pack("{s{ss ss si si ss si}}", "hello", "server", "crawld", "version",
                              CRAWLD_VERSION, "proto", 1, "pid", (int)getpid(), "level",
                              names[c->level], "max_line", (int)JSONL_LINE_BYTES);
    jsonl_add(&c->out, hello);
    json_decref(hello);
}

static void client_new(struct supervisor *s, int fd)
{
    struct control *control = s->control;
    struct client *c = xcalloc(1, sizeof *c);
    c->s = s;
    c->fd = fd;
    c->level = rights_level(&control->rights, fd);
    c->may_ignore_robots = rights_ignore_robots(&control->rights, fd, c->level);
    jsonl_init(&c->lines, JSONL_LINE_BYTES);
    list_init(&c->requests);
    ev_io_init(&c->reading, on_readable, fd, EV_READ);
    ev_io_init(&c->writing, on_writable, fd, EV_WRITE);
    c->reading.data = c->writing.data = c;
    list_add_tail(&control->clients, &c->link);
    if (++control->clients_count > CONTROL_CLIENTS_MAX)
        client_free(list_of(control->clients.next, struct client, link));
    greet(c);
    if (c->level == LEVEL_NONE) {
        jsonl_reply_error(&c->out, NULL, ERROR_DENIED, "you may not use this socket",
                          "readers, operators and admins are set in crawld.conf", NULL);
        c->closing = true;
    }
    client_settle(c);
}

static void on_accept(EV_P_ ev_io *io, int revents)
{
    struct supervisor *s = io->data;
    for (int n = 0; n < 64; n++) {
        int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        client_new(s, fd);
    }
}

int control_start(struct supervisor *s)
{
    struct control *control = xcalloc(1, sizeof *control);
    list_init(&control->clients);
    control->fd = listen_control(s->options, &control->unlink);
    if (control->fd < 0) {
        int r = control->fd;
        free(control);
        return r;
    }
    rights_init(&control->rights, s->options);
    ev_io_init(&control->accepting, on_accept, control->fd, EV_READ);
    control->accepting.data = s;
    ev_idle_init(&control->turn, on_turn);
    control->turn.data = control;
    ev_io_start(s->loop, &control->accepting);
    s->control = control;
    return 0;
}

void control_done(struct supervisor *s)
{
    struct control *control = s->control;
    if (!control)
        return;
    while (!list_empty(&control->clients)) {
        struct client *c = list_of(control->clients.next, struct client, link);
        send(c->fd, buf_data(&c->out), buf_len(&c->out), MSG_NOSIGNAL | MSG_DONTWAIT);
        client_free(c);
    }
    ev_io_stop(s->loop, &control->accepting);
    ev_idle_stop(s->loop, &control->turn);
    close(control->fd);
    if (control->unlink)
        unlink(s->options->socket);
    rights_done(&control->rights);
    free(control);
    s->control = NULL;
}

void control_tick(struct supervisor *s)
{
    int64_t now_ns = clock_mono_ns();
    list_each_safe(it, next, &s->control->clients)
    {
        struct client *c = list_of(it, struct client, link);
        if (c->part_ns && now_ns - c->part_ns > LINE_MAX_NS)
            client_free(c);
    }
}

size_t control_clients_count(const struct supervisor *s)
{
    return s->control->clients_count;
}

/* ---- replies ---- */

static void replied(struct request *r)
{
    struct client *c = r->client;
    request_free(r);
    if (buf_len(&c->out))
        ev_io_start(c->s->loop, &c->writing);
    if (buf_len(&c->in))
        ev_idle_start(c->s->loop, &c->s->control->turn);
}

void request_ok(struct request *r, json_t *take_result)
{
    json_t *result = take_result ? take_result : json_object();
    jsonl_reply_ok(&r->client->out, r->id, result);
    json_decref(result);
    replied(r);
}

void request_error(struct request *r, enum error_code code, const char *field, const char *hint,
                   const char *fmt, ...)
{
    char message[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    jsonl_reply_error(&r->client->out, r->id, code, message, hint, field);
    replied(r);
}

void request_storage(struct request *r, int err)
{
    request_error(r, ERROR_STORAGE, NULL,
                  "it may be there all the same; look before you try again", "the disk failed: %s",
                  strerror(err < 0 ? -err : err));
}

enum level request_level(const struct request *r)
{
    return r->client->level;
}

bool request_may_ignore_robots(const struct request *r)
{
    return r->client->may_ignore_robots;
}

static void on_durable(struct ledger_wait *w, int err)
{
    struct request *r = list_of(w, struct request, ledger_wait);
    if (err)
        request_storage(r, err);
    else if (r->job->saved)
        request_ok(r, json_incref(r->result));
    else
        request_ok_when_saved(r, r->result);
}

void request_ok_when_durable(struct request *r, json_t *take_result)
{
    r->result = take_result;
    r->ledger_wait.done = on_durable;
    ledger_wait(r->job->ledger, &r->ledger_wait);
}

static void on_saved(struct job_wait *w, int err)
{
    struct request *r = list_of(w, struct request, job_wait);
    if (err)
        request_storage(r, err);
    else
        request_ok(r, json_incref(r->result));
}

void request_ok_when_saved(struct request *r, json_t *take_result)
{
    r->result = take_result;
    r->job_wait.done = on_saved;
    job_save(r->job, &r->job_wait);
}

const char *request_text(const struct request *r, const char *name)
{
    return json_string_value(json_object_get(r->args, name));
}

int64_t request_int(const struct request *r, const char *name, int64_t otherwise)
{
    const json_t *v = json_object_get(r->args, name);
    return v ? json_integer_value(v) : otherwise;
}

bool request_flag(const struct request *r, const char *name)
{
    return json_is_true(json_object_get(r->args, name));
}
