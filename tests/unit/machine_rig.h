/* SPDX-License-Identifier: MIT */
/* A whole machine between a socket pair, on whose other end the test plays supervisor, and a server
 * of threads on loopback that does what the path says. For one test program each. */
#ifndef TESTS_UNIT_MACHINE_RIG_H
#define TESTS_UNIT_MACHINE_RIG_H

#include <ares.h>
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/ipc.h"
#include "daemon/fetch/machine.h"

/* ---- the server ---- */

#define BIG_BYTES 300000

static const struct {
    const char *path, *answer;
    bool close; /* after the answer */
} pages[] = {
    {"/ok",
     "HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=\"UTF-8\"\r\nContent-Length: "
     "5\r\n\r\nhello",
     false},
    {"/gbk",
     "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=GB2312\r\nTransfer-Encoding: chunked\r\n"
     "\r\n3\r\n\xb2\xbb\xb4\r\n3\r\n\xe6\xd4\xda\r\n0\r\n\r\n",
     false},
    {"/broken",
     "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", false},
    {"/twice",
     "HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Encoding: deflate\r\n"
     "Content-Length: 9\r\n\r\n\xfb\xf6\x9f\x81\x79\x27\x03\x83\x01",
     false},
    {"/once", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true},
    {"/close", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", true},
    {"/cut", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", true},
    {"/empty", "", true},
    {"/nonsense", "SSH-2.0-OpenSSH_9.2\r\n", true},
    {"/moved", "HTTP/1.1 302 Found\r\nLocation: ../ok?a#frag\r\nContent-Length: 0\r\n\r\n", false},
    {"/moved-badly", "HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
     false},
    {"/busy", "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 4\r\n\r\nbusy", false},
    {"/busy-slowly", "HTTP/1.1 429 Busy\r\nContent-Length: 4\r\n\r\nbu", false},
    {"/silent", NULL, false},
};

/* A body of so many bytes; BIG_BYTES are announced. */
static void serve_big(int fd, int bytes)
{
    static char block[4096];
    char head[64];
    int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG_BYTES);
    ck_assert(send(fd, head, (size_t)n, MSG_NOSIGNAL) > 0);
    for (int left = bytes; left > 0; left -= (int)sizeof block)
        if (send(fd, block, (size_t)(left < 4096 ? left : 4096), MSG_NOSIGNAL) < 0)
            return;
}

/* A byte of text every 10 ms till the peer leaves, from its start again and again. */
static void serve_drips(int fd, const char *text)
{
    for (size_t i = 0; send(fd, text + i % strlen(text), 1, MSG_NOSIGNAL) > 0; i++)
        usleep(10000);
}

/* Chunks of one byte till the peer leaves. */
static void serve_crumbs(int fd)
{
    char chunks[6 * 512 + 1] = "";
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (size_t i = 0; i < sizeof chunks - 1; i++)
        chunks[i] = "1\r\nx\r\n"[i % 6];
    send(fd, head, sizeof head - 1, MSG_NOSIGNAL);
    while (send(fd, chunks, sizeof chunks - 1, MSG_NOSIGNAL) > 0)
        ;
}

/* False: close. */
static bool serve_one(int fd, const char *request)
{
    if (!strncmp(request, "GET /big", 8)) {
        serve_big(fd, request[8] == '-' ? 2 * BIG_BYTES / 3 : BIG_BYTES);
        return true;
    }
    if (!strncmp(request, "GET /crumbs", 11))
        serve_crumbs(fd);
    if (!strncmp(request, "GET /drip", 9)) {
        static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
        send(fd, head, sizeof head - (request[9] == ' ' ? 1 : 3), MSG_NOSIGNAL);
        serve_drips(fd, request[9] == ' ' ? "x" : "X-A: b\r\n");
    }
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        size_t n = strlen(pages[i].path);
        if (strncmp(request + 4, pages[i].path, n) || !strchr(" ?", request[4 + n]))
            continue;
        if (pages[i].answer)
            send(fd, pages[i].answer, strlen(pages[i].answer), MSG_NOSIGNAL);
        return !pages[i].close;
    }
    return false;
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char request[4096];
    size_t n = 0;
    ssize_t got;
    while ((got = recv(fd, request + n, sizeof request - 1 - n, 0)) > 0) {
        n += (size_t)got;
        request[n] = '\0';
        if (!strstr(request, "\r\n\r\n"))
            continue;
        if (!serve_one(fd, request))
            break;
        n = 0;
    }
    close(fd);
    return NULL;
}

static void *accept_all(void *arg)
{
    int listener = (int)(intptr_t)arg, fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd);
        pthread_detach(thread);
    }
    return NULL;
}

/* ---- the supervisor ---- */

static struct {
    struct ev_loop *loop;
    struct machine *m;
    struct stats_block stats;
    struct ipc worker, supervisor;
    pthread_t server;
    int listener, port;
    int name_fd; /* the name server's socket: it never answers */
    char name_server[32];
    uint64_t lease;
    uint64_t said[IPC_TYPE_COUNT];
    uint64_t slots;         /* as said last */
    enum ipc_type end_type; /* of the last lease that ended */
    struct ipc_end end;
    struct ipc_busy busy; /* the last */
    char *next;
    json_t *row;
} t;

static void server_start(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof sa;
    t.listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(t.listener, (struct sockaddr *)&sa, sizeof sa), 0);
    listen(t.listener, 64);
    getsockname(t.listener, (struct sockaddr *)&sa, &len);
    t.port = ntohs(sa.sin_port);
    pthread_create(&t.server, NULL, accept_all, (void *)(intptr_t)t.listener);
}

static void name_server_start(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof sa;
    t.name_fd = socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_eq(bind(t.name_fd, (struct sockaddr *)&sa, sizeof sa), 0);
    getsockname(t.name_fd, (struct sockaddr *)&sa, &len);
    snprintf(t.name_server, sizeof t.name_server, "127.0.0.1:%d", ntohs(sa.sin_port));
}

static void add_job(const char *spec)
{
    ck_assert_int_eq(machine_job(t.m, 1, spec, strlen(spec)), 0);
}

static void begin(const char *spec)
{
    int pair[2];
    struct machine_conf conf = {.user_agent = "test",
                                .contact = "",
                                .open_max = 100,
                                .slots = 100,
                                .memory_max = 1 << 30,
                                .dns_servers = t.name_server};
    ares_library_init(ARES_LIB_INIT_ALL);
    server_start();
    name_server_start();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    ipc_init(&t.worker, pair[0], false);
    ipc_init(&t.supervisor, pair[1], true);
    t.loop = ev_loop_new(0);
    t.m = malloc(sizeof *t.m);
    ck_assert_int_eq(machine_init(t.m, t.loop, &t.worker, &t.stats, &conf), 0);
    policy_allow(&t.m->policy, "127.0.0.0/8");
    add_job(spec);
}

static void end(void)
{
    machine_done(t.m);
    free(t.m);
    for (int i = 0; i < STATS_STATES_MAX; i++)
        ck_assert_uint_eq(t.stats.in_state[i], 0);
    ck_assert_uint_eq(t.stats.value[STAT_LEASES], 0);
    ck_assert_uint_eq(t.stats.blame[0], 0);
    ipc_done(&t.worker);
    ipc_done(&t.supervisor);
    ev_loop_destroy(t.loop);
    shutdown(t.listener, SHUT_RDWR);
    pthread_join(t.server, NULL);
    close(t.listener);
    close(t.name_fd);
    json_decref(t.row);
    free(t.next);
    ares_library_cleanup();
}

static void take_end(const struct ipc_end *e)
{
    struct buf b = {0};
    t.end_type = (enum ipc_type)e->head.type;
    t.end = *e;
    buf_addc(&b, '{');
    buf_add(&b, e->data, e->tail_len);
    buf_addc(&b, '}');
    json_decref(t.row);
    t.row = json_loadb(buf_data(&b), buf_len(&b), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(t.row != NULL, "%s", buf_str(&b));
    buf_done(&b);
    free(t.next);
    t.next = strndup(e->data + e->tail_len, e->next_len);
}

static void hear(void)
{
    const struct ipc_head *h;
    machine_turn(t.m);
    ipc_flush(&t.worker);
    ipc_fill(&t.supervisor);
    while (ipc_next(&t.supervisor, &h) > 0) {
        t.said[h->type]++;
        if (h->type == IPC_BUSY)
            t.busy = *(const struct ipc_busy *)h;
        if (h->type == IPC_SLOTS)
            t.slots = ((const struct ipc_number *)h)->id;
        if (h->type >= IPC_DONE && h->type <= IPC_WFAIL)
            take_end((const struct ipc_end *)h);
    }
}

static void run_until(enum ipc_type type, uint64_t count)
{
    for (hear(); t.said[type] < count; hear())
        ev_run(t.loop, EVRUN_ONCE);
}

static uint64_t ends(void)
{
    return t.said[IPC_DONE] + t.said[IPC_AGAIN] + t.said[IPC_RETRY] + t.said[IPC_BACK] +
           t.said[IPC_NOCONN] + t.said[IPC_WFAIL];
}

static struct ipc_lease *lease_of(const char *url)
{
    struct ipc_lease *l = calloc(1, sizeof *l + strlen(url) + 1);
    l->lease = ++t.lease;
    l->job = 1;
    l->host = 7;
    l->attempt = 1;
    l->last = 1;
    l->url_len = (uint16_t)strlen(url);
    memcpy(l->url, url, l->url_len);
    return l;
}

static struct ipc_lease *lease(const char *path)
{
    char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", t.port, path);
    return lease_of(url);
}

static void give(struct ipc_lease *take_lease)
{
    ck_assert_int_eq(machine_lease(t.m, take_lease), 0);
    free(take_lease);
}

/* Gives it and waits for its end. */
static void fetch(struct ipc_lease *take_lease)
{
    uint64_t before = ends();
    give(take_lease);
    for (hear(); ends() == before; hear())
        ev_run(t.loop, EVRUN_ONCE);
}

static void expect(enum ipc_type type, enum outcome outcome, enum reason reason)
{
    ck_assert_str_eq(ipc_name(t.end_type), ipc_name(type));
    ck_assert_str_eq(reason_name(t.end.reason), reason_name(reason));
    ck_assert_str_eq(outcome_name(t.end.outcome), outcome_name(outcome));
}

static const char *row_text(const char *key)
{
    const char *s = json_string_value(json_object_get(t.row, key));
    return s ? s : "";
}

static int row_number(const char *key)
{
    return (int)json_integer_value(json_object_get(t.row, key));
}

#endif
