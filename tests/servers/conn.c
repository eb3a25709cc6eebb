/* SPDX-License-Identifier: MIT */
/* A connection is idle (reading a head), waiting (its answer is due later) or sending. What is
 * read while it is not idle stays in its input, up to INPUT_MOST_BYTES; then it is not read
 * until the answer is out. A peer that closes ends the connection in any state. */
#include "tests/servers/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/slab.h"
#include "tests/servers/ledger.h"
#include "tests/servers/reply.h"
#include "tests/servers/request.h"
#include "tests/servers/route.h"
#include "tests/servers/timers.h"

#define INPUT_MOST_BYTES (2 * REQUEST_HEAD_MOST_BYTES)
#define READ_BYTES       4096
#define EVENTS_PER_TURN  512
#define ACCEPTS_PER_TURN 256
#define SLOW_TICK_NS     (50 * NS_PER_MS)

enum conn_state { CONN_IDLE, CONN_WAITING, CONN_SENDING };

struct watch {
    int fd;
    bool is_listener;
};

struct conn {
    struct watch watch; /* first, so that an event's pointer is the connection's */
    enum conn_state state;
    uint32_t interest;               /* epoll events asked for */
    bool keep_alive;                 /* as the request wants it */
    uint64_t skip_bytes;             /* of a request body */
    struct buf in, out;              /* owned */
    struct buf target, host, method; /* of the request being answered, NUL-terminated */
    struct reply reply;              /* owned; valid unless idle */
    struct timer timer;
    struct list link; /* in loop.conns */
    struct ledger_peer who;
    int64_t opened_ns, arrived_ns;
    int64_t sent_ns;      /* just before bytes of an answer last went out */
    uint64_t paced_bytes; /* sent of a slow body */
    int64_t paced_from_ns;
};

static struct {
    int epoll;
    struct slab slab;
    struct list conns;
    struct timers timers;
    uint64_t count; /* connections so far */
    char bytes[REPLY_ROOM_BYTES];
    char head[REQUEST_HEAD_MOST_BYTES];
} loop;

static void write_name(int fd, int (*get)(int, struct sockaddr *, socklen_t *), char ret_name[64])
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    char text[INET6_ADDRSTRLEN] = "";
    get(fd, (struct sockaddr *)&a, &n);
    if (a.ss_family == AF_INET6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a;
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        snprintf(ret_name, 64, "[%s]:%d", text, ntohs(in6->sin6_port));
    } else {
        struct sockaddr_in *in = (struct sockaddr_in *)&a;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        snprintf(ret_name, 64, "%s:%d", text, ntohs(in->sin_port));
    }
}

static void conn_open(int fd)
{
    struct conn *c = slab_get(&loop.slab);
    int one = 1;
    c->watch.fd = fd;
    c->interest = EPOLLIN;
    c->who.number = ++loop.count;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (ledger_is_open()) {
        c->opened_ns = clock_mono_ns();
        write_name(fd, getpeername, c->who.peer);
        write_name(fd, getsockname, c->who.local);
    }
    list_add_tail(&loop.conns, &c->link);
    struct epoll_event ev = {.events = c->interest, .data.ptr = c};
    epoll_ctl(loop.epoll, EPOLL_CTL_ADD, fd, &ev);
}

static void conn_log(struct conn *c, bool answered)
{
    if (ledger_is_open())
        ledger_request(&c->who, c->arrived_ns, answered ? c->sent_ns : 0, buf_str(&c->host),
                       buf_str(&c->method), buf_str(&c->target),
                       c->reply.head_sent ? c->reply.status : 0);
}

static void conn_close(struct conn *c)
{
    if (c->state != CONN_IDLE) {
        conn_log(c, false);
        reply_done(&c->reply);
    }
    if (ledger_is_open())
        ledger_connection(&c->who, c->opened_ns, clock_mono_ns());
    timers_clear(&loop.timers, &c->timer);
    list_del(&c->link);
    buf_done(&c->in);
    buf_done(&c->out);
    buf_done(&c->target);
    buf_done(&c->host);
    buf_done(&c->method);
    close(c->watch.fd);
    slab_put(&loop.slab, c);
}

static void conn_reset(struct conn *c)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    conn_close(c);
}

static void conn_set_interest(struct conn *c)
{
    bool full = c->state != CONN_IDLE && buf_len(&c->in) >= INPUT_MOST_BYTES;
    uint32_t want = (full ? 0 : EPOLLIN) | (buf_len(&c->out) ? EPOLLOUT : 0);
    if (want == c->interest)
        return;
    c->interest = want;
    struct epoll_event ev = {.events = want, .data.ptr = c};
    epoll_ctl(loop.epoll, EPOLL_CTL_MOD, c->watch.fd, &ev);
}

/* The answer is out: the next request, or the end. false: the connection is gone. */
static bool conn_answered(struct conn *c)
{
    enum reply_ending ending = c->reply.ending;
    conn_log(c, true);
    reply_done(&c->reply);
    c->state = CONN_IDLE;
    if (ending == ENDS_RESET)
        conn_reset(c);
    else if (ending != ENDS_KEPT || !c->keep_alive)
        conn_close(c);
    else
        return true;
    return false;
}

/* How much of a slow body may go now; 0: none yet. */
static size_t conn_allowance(struct conn *c)
{
    if (!c->reply.bytes_per_s || !c->reply.head_sent)
        return sizeof loop.bytes;
    double passed_s = (double)(clock_mono_ns() - c->paced_from_ns) / (double)NS_PER_S;
    uint64_t due_bytes = (uint64_t)(passed_s * (double)c->reply.bytes_per_s);
    uint64_t n = due_bytes > c->paced_bytes ? due_bytes - c->paced_bytes : 0;
    return n < sizeof loop.bytes ? (size_t)n : sizeof loop.bytes;
}

/* When the next byte of a slow body is due, so that thousands of them cost little. */
static int64_t conn_next_ns(const struct conn *c)
{
    double due_s = (double)(c->paced_bytes + 1) / (double)c->reply.bytes_per_s;
    int64_t due_ns = c->paced_from_ns + (int64_t)(due_s * (double)NS_PER_S);
    int64_t least_ns = clock_mono_ns() + SLOW_TICK_NS;
    return due_ns > least_ns ? due_ns : least_ns;
}

/* 1: sent whole. 0: the rest waits for EPOLLOUT. -1: the peer is gone. */
static int conn_push(struct conn *c, const char *p, size_t n)
{
    if (ledger_is_open())
        c->sent_ns = clock_mono_ns();
    ssize_t sent = send(c->watch.fd, p, n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return -1;
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (p == buf_data(&c->out))
        buf_consume(&c->out, done);
    else
        buf_add(&c->out, p + done, n - done);
    return done == n;
}

/* Sends what it can. true: the answer is out and the connection idle again; false: it is still
 * sending, or gone. */
static bool conn_send(struct conn *c)
{
    for (;;) {
        if (buf_len(&c->out)) {
            int done = conn_push(c, buf_data(&c->out), buf_len(&c->out));
            if (done < 0)
                conn_close(c);
            else if (!done)
                conn_set_interest(c);
            if (done <= 0)
                return false;
        }
        size_t room = conn_allowance(c);
        bool paced = c->reply.bytes_per_s && c->reply.head_sent;
        if (!room) {
            timers_set(&loop.timers, &c->timer, conn_next_ns(c));
            conn_set_interest(c);
            return false;
        }
        long n = reply_fill(&c->reply, c->keep_alive, loop.bytes, room);
        if (n == 0)
            return conn_answered(c);
        c->paced_bytes += paced && n > 0 ? (uint64_t)n : 0;
        if (n < 0 || conn_push(c, loop.bytes, (size_t)n) < 0) {
            conn_close(c);
            return false;
        }
    }
}

static void keep_text(struct buf *b, const char *s)
{
    buf_clear(b);
    buf_adds(b, s);
    buf_str(b);
}

/* true: answered at once, idle again. */
static bool conn_take_request(struct conn *c, const struct request *q)
{
    keep_text(&c->target, q->target);
    if (ledger_is_open()) {
        keep_text(&c->host, q->host);
        keep_text(&c->method, q->method);
        c->arrived_ns = clock_mono_ns();
    }
    c->keep_alive = q->keep_alive;
    c->skip_bytes = q->body_bytes;
    route_reply(q, buf_str(&c->target), &c->reply);
    c->state = CONN_SENDING;
    c->paced_bytes = 0;
    c->paced_from_ns = c->reply.bytes_per_s ? clock_mono_ns() + c->reply.delay_ns : 0;
    if (!c->reply.delay_ns)
        return conn_send(c);
    c->state = CONN_WAITING;
    timers_set(&loop.timers, &c->timer, clock_mono_ns() + c->reply.delay_ns);
    return false;
}

static void conn_skip_body(struct conn *c)
{
    size_t n = buf_len(&c->in) < c->skip_bytes ? buf_len(&c->in) : (size_t)c->skip_bytes;
    buf_consume(&c->in, n);
    c->skip_bytes -= n;
}

/* Answers what lies in the input while the connection is idle; may close it. */
static void conn_run(struct conn *c)
{
    for (;;) {
        conn_skip_body(c);
        if (!buf_len(&c->in)) {
            buf_done(&c->in);
            break;
        }
        struct request q;
        long n = request_parse(buf_data(&c->in), buf_len(&c->in), loop.head, &q);
        if (n < 0) {
            conn_close(c);
            return;
        }
        if (n == 0)
            break;
        buf_consume(&c->in, (size_t)n);
        if (!conn_take_request(c, &q))
            return;
    }
    conn_set_interest(c);
}

static void conn_read(struct conn *c)
{
    char *p = buf_reserve(&c->in, READ_BYTES);
    ssize_t n = recv(c->watch.fd, p, READ_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_close(c);
        return;
    }
    buf_grew(&c->in, (size_t)n);
    if (c->state == CONN_IDLE)
        conn_run(c);
    else
        conn_set_interest(c);
}

static void conn_resume(struct conn *c)
{
    c->state = CONN_SENDING;
    if (conn_send(c))
        conn_run(c);
}

static void conn_event(struct conn *c, uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP))
        conn_close(c);
    else if (events & EPOLLOUT)
        conn_resume(c);
    else if (events & EPOLLIN)
        conn_read(c);
}

static void listener_event(int listener)
{
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE)
                usleep(1000); /* the queue stays readable; do not spin on it */
            return;
        }
        conn_open(fd);
    }
}

static void loop_turn(const sigset_t *wait_mask)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int wait_ms = timers_wait_ms(&loop.timers, clock_mono_ns());
    int n = epoll_pwait(loop.epoll, events, EVENTS_PER_TURN, wait_ms, wait_mask);
    for (int i = 0; i < n; i++) {
        struct watch *w = events[i].data.ptr;
        if (w->is_listener)
            listener_event(w->fd);
        else
            conn_event((struct conn *)w, events[i].events);
    }
    int64_t now_ns = clock_mono_ns();
    for (struct timer *t; (t = timers_take_due(&loop.timers, now_ns));)
        conn_resume(list_of(t, struct conn, timer));
    ledger_flush();
}

int conn_serve(const int *listeners, size_t listener_count, const volatile sig_atomic_t *stop,
               const sigset_t *wait_mask)
{
    loop.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop.epoll < 0)
        return -errno;
    slab_init(&loop.slab, sizeof(struct conn));
    list_init(&loop.conns);
    struct watch *watches = calloc(listener_count, sizeof *watches);
    for (size_t i = 0; i < listener_count; i++) {
        watches[i] = (struct watch){.fd = listeners[i], .is_listener = true};
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &watches[i]};
        epoll_ctl(loop.epoll, EPOLL_CTL_ADD, listeners[i], &ev);
    }
    while (!*stop)
        loop_turn(wait_mask);
    while (!list_empty(&loop.conns))
        conn_close(list_of(loop.conns.next, struct conn, link));
    timers_done(&loop.timers);
    slab_done(&loop.slab);
    free(watches);
    close(loop.epoll);
    ledger_close();
    return 0;
}
