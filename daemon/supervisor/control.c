/* SPDX-License-Identifier: MIT */
/* Each client is read until it has CONTROL_OUTSTANDING_MAX requests out, does not read its replies,
 * or has a line's worth of bytes not worked yet. A short line is worked as it comes; what else
 * waits is worked in turns of TURN_MAX_NS, one line of each client after the other, so that a
 * client that floods delays nobody.
 *
 * A client that has shut down its side is answered to the end and then closed. */
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

#define READ_BYTES  65536
#define SHORT_BYTES 4096 /* worked at once */
#define KEEP_BYTES  4096 /* of an empty buffer */
#define LINE_MAX_NS (10 * NS_PER_S)
#define TURN_MAX_NS (4 * NS_PER_MS)

struct client {
    struct list link;     /* in control->clients, longest idle first */
    struct supervisor *s; /* borrowed */
    int fd;               /* owned */
    ev_io reading, writing;
    struct buf in, out;
    struct jsonl lines;
    enum level level;
    bool may_ignore_robots;
    struct list requests; /* struct request, not answered */
    unsigned requests_count;
    int64_t part_ns; /* since when a line is not whole; 0: none */
    bool part;       /* `in` holds no whole line */
    bool eof;        /* it sends no more */
    bool closing;    /* after what is in `out` */
};

struct control {
    int fd; /* owned; listening */
    ev_io accepting;
    ev_timer turn;       /* clients with lines not worked yet */
    struct list clients; /* longest idle first */
    size_t clients_count;
    bool unlink; /* we made the socket file */
    struct rights rights;
    char scratch[READ_BYTES];
};

static void request_free(struct request *r)
{
    if (r->work)
        r->work->forget(r->work);
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

static bool may_work(const struct client *c)
{
    return !c->closing && c->requests_count < CONTROL_OUTSTANDING_MAX &&
           buf_len(&c->out) < CONTROL_OUT_MAX;
}

static bool has_work(const struct client *c)
{
    return may_work(c) && !c->part && buf_len(&c->in);
}

static bool may_read(const struct client *c)
{
    return may_work(c) && !c->eof && buf_len(&c->in) <= JSONL_LINE_BYTES;
}

static bool is_over(const struct client *c)
{
    if (buf_len(&c->out))
        return false;
    return c->closing || (c->eof && !c->requests_count && (c->part || !buf_len(&c->in)));
}

static void turn_later(struct supervisor *s)
{
    if (!ev_is_active(&s->control->turn))
        ev_timer_start(s->loop, &s->control->turn);
}

static void release(struct buf *b)
{
    if (!buf_len(b) && b->cap > KEEP_BYTES)
        buf_done(b);
}

/* 0 or -errno. */
static int client_write(struct client *c)
{
    while (buf_len(&c->out)) {
        ssize_t n = send(c->fd, buf_data(&c->out), buf_len(&c->out), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            buf_consume(&c->out, (size_t)n);
    }
    return 0;
}

static void watch(struct client *c, ev_io *io, bool wanted)
{
    if (wanted)
        ev_io_start(c->s->loop, io);
    else
        ev_io_stop(c->s->loop, io);
}

/* Writes what it can, then sets the watchers to what is wanted. The client may be gone after it. */
static void client_settle(struct client *c)
{
    if (client_write(c) < 0 || is_over(c)) {
        client_free(c);
        return;
    }
    release(&c->out);
    if (c->part)
        release(&c->in);
    watch(c, &c->writing, buf_len(&c->out) > 0);
    watch(c, &c->reading, may_read(c));
    if (has_work(c))
        turn_later(c->s);
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

/* One line, if there is a whole one. */
static void work_one(struct client *c)
{
    const char *line;
    size_t len;
    switch (jsonl_next(&c->lines, &c->in, &line, &len)) {
    case JSONL_LINE:
        c->part_ns = 0;
        work_line(c, line, len);
        return;
    case JSONL_TOO_LONG:
        jsonl_reply_error(&c->out, NULL, ERROR_BAD_FRAME, "the line is longer than 64 KiB",
                          "send long lists in several job.add requests", NULL);
        c->closing = true;
        return;
    case JSONL_MORE:
        break;
    }
    c->part = true;
    if (buf_len(&c->in) && !c->part_ns)
        c->part_ns = clock_mono_ns();
}

static void client_busy(struct client *c)
{
    list_del(&c->link);
    list_add_tail(&c->s->control->clients, &c->link);
}

static void on_turn(EV_P_ ev_timer *timer, int revents)
{
    struct supervisor *s = timer->data;
    int64_t until_ns = clock_mono_ns() + TURN_MAX_NS;
    list_each_safe(it, next, &s->control->clients)
    {
        struct client *c = list_of(it, struct client, link);
        if (!has_work(c))
            continue;
        client_busy(c);
        work_one(c);
        client_settle(c);
        if (clock_mono_ns() > until_ns) {
            turn_later(s);
            return;
        }
    }
}

/* A last line may come without its newline. */
static void client_eof(struct client *c)
{
    c->eof = true;
    if (!buf_len(&c->in))
        return;
    buf_addc(&c->in, '\n');
    c->part = false;
}

static void on_readable(EV_P_ ev_io *io, int revents)
{
    struct client *c = io->data;
    char *scratch = c->s->control->scratch;
    ssize_t n = read(c->fd, scratch, READ_BYTES);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        client_free(c);
        return;
    }
    if (n) {
        buf_add(&c->in, scratch, (size_t)n);
        c->part = false;
        client_busy(c);
    } else {
        client_eof(c);
    }
    if (has_work(c) && buf_len(&c->in) <= SHORT_BYTES)
        work_one(c);
    client_settle(c);
}

static void on_writable(EV_P_ ev_io *io, int revents)
{
    client_settle(io->data);
}

static void greet(struct client *c)
{
    json_t *hello = json_pack("{s{ss ss si si ss si}}", "hello", "server", "crawld", "version",
                              CRAWLD_VERSION, "proto", 1, "pid", (int)getpid(), "level",
                              level_name(c->level), "max_line", (int)JSONL_LINE_BYTES);
    jsonl_add(&c->out, hello);
    json_decref(hello);
}

/* Closes the client that has been idle for longest; false: there is none without a request out. */
static bool close_idlest(struct supervisor *s)
{
    list_each(it, &s->control->clients)
    {
        struct client *c = list_of(it, struct client, link);
        if (c->requests_count)
            continue;
        client_free(c);
        return true;
    }
    return false;
}

static void client_new(struct supervisor *s, int fd)
{
    struct control *control = s->control;
    if (control->clients_count >= CONTROL_CLIENTS_MAX && !close_idlest(s)) {
        close(fd);
        return;
    }
    struct client *c = xcalloc(1, sizeof *c);
    c->s = s;
    c->fd = fd;
    c->part = true;
    c->level = rights_level(&control->rights, fd);
    c->may_ignore_robots = rights_ignore_robots(&control->rights, fd, c->level);
    jsonl_init(&c->lines, JSONL_LINE_BYTES);
    list_init(&c->requests);
    ev_io_init(&c->reading, on_readable, fd, EV_READ);
    ev_io_init(&c->writing, on_writable, fd, EV_WRITE);
    c->reading.data = c->writing.data = c;
    list_add_tail(&control->clients, &c->link);
    control->clients_count++;
    greet(c);
    if (c->level == LEVEL_NONE) {
        jsonl_reply_error(&c->out, NULL, ERROR_DENIED, "you may not use this socket",
                          "readers, operators and admins are set in crawld.conf", NULL);
        c->closing = true;
    }
    client_settle(c);
}

/* Out of descriptors: an idle client gives its own; else nobody is accepted until the next tick. */
static void no_descriptor(struct supervisor *s)
{
    log_warning("no descriptor for a client clients=%zu: %m", s->control->clients_count);
    if (!close_idlest(s))
        ev_io_stop(s->loop, &s->control->accepting);
}

static void on_accept(EV_P_ ev_io *io, int revents)
{
    struct supervisor *s = io->data;
    for (int n = 0; n < 64; n++) {
        int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            client_new(s, fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            return no_descriptor(s);
        else if (errno != ECONNABORTED && errno != EINTR)
            return;
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
    ev_timer_init(&control->turn, on_turn, 0, 0);
    control->turn.data = s;
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
    ev_timer_stop(s->loop, &control->turn);
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
    ev_io_start(s->loop, &s->control->accepting);
    list_each_safe(it, next, &s->control->clients)
    {
        struct client *c = list_of(it, struct client, link);
        if (!c->part_ns)
            continue;
        if (!may_read(c))
            c->part_ns = now_ns; /* it is us who do not read on */
        else if (now_ns - c->part_ns > LINE_MAX_NS)
            client_free(c);
    }
}

/* ---- replies ---- */

/* Called from anywhere, so the client is looked at again only when it is writable. */
static void replied(struct request *r)
{
    struct client *c = r->client;
    request_free(r);
    ev_io_start(c->s->loop, &c->writing);
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

enum level request_level(const struct request *r)
{
    return r->client->level;
}

bool request_may_ignore_robots(const struct request *r)
{
    return r->client->may_ignore_robots;
}
