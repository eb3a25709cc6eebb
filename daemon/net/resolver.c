/* SPDX-License-Identifier: MIT */
/* c-ares repeats a question that was lost; here is decided who is asked. Each server has channels
 * of its own, so that c-ares cannot move on by itself:
 *
 *      query ──ask──▶ server 1      no answer in time: resolver_more()
 *        ├─────ask──▶ server 2      the first useful answer is the answer,
 *        ╰─────ask──▶ ...           the other asks go on for nobody
 *
 * An answer that says nothing about the name (SERVFAIL, REFUSED ...) asks the next server at once.
 * A server that was not heard of while a question to it took long is shunned: asked after the
 * others, until it answers or one question after RESOLVER_SHUN_NS tries it again.
 *
 * A truncated answer is asked for by TCP, in a second channel: a connection that breaks takes along
 * all questions of its channel. */
#define CARES_NO_DEPRECATED /* newer ones have other functions, the old ones have none of those */
#include "daemon/net/resolver.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"

#define WAIT_MS       2000 /* till c-ares repeats a question; later ones wait longer */
#define PATIENCE_NS   (10 * NS_PER_S)
#define ROUNDS_LOST   3 /* through all servers, of a question that cannot be sent */
#define ROUNDS_ERROR  2 /* of one that they have a trouble with */
#define SOCKET_BUFFER (1 << 20)

/* A message's second and third byte of flags (RFC 1035, section 4.1.1). */
#define IS_ANSWER  0x80
#define IS_CUT     0x02
#define RCODE_MASK 0x0f

struct channel {
    ares_channel ares;
    struct ev_loop *loop;
    struct list sockets;
};

struct resolver_server {
    struct resolver *resolver; /* borrowed */
    struct channel udp, tcp;
    int64_t heard_ns;
    int64_t shunned_ns; /* till then; 0: it answers */
};

struct channel_socket {
    struct list link;
    ev_io io;
    struct channel *channel;
};

struct ask {
    struct list link;             /* of query->asks */
    struct resolver_query *query; /* NULL: nobody waits for it */
    struct resolver_server *server;
    int64_t begin_ns;
    bool by_tcp;
};

/* ---- messages ---- */

/* 0.0.0.0 and :: are what resolvers answer for names that they block. */
static void take_addr(struct resolver_answer *a, int ttl_s, const struct addr *addr)
{
    if (ttl_s < a->ttl_s)
        a->ttl_s = ttl_s;
    if (!addr_is_unspecified(addr))
        a->addr[a->count++] = *addr;
    a->status = a->count ? RESOLVER_ADDRESSES : RESOLVER_NO_NAME;
}

static int parse_ipv4(const unsigned char *p, int n, struct resolver_answer *ret_answer)
{
    struct ares_addrttl found[RESOLVER_ADDRS_MAX];
    int count = RESOLVER_ADDRS_MAX;
    int status = ares_parse_a_reply(p, n, NULL, found, &count);
    for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
        struct addr addr = {.family = 4};
        memcpy(addr.ip, &found[i].ipaddr, 4);
        take_addr(ret_answer, found[i].ttl, &addr);
    }
    return status;
}

static int parse_ipv6(const unsigned char *p, int n, struct resolver_answer *ret_answer)
{
    struct ares_addr6ttl found[RESOLVER_ADDRS_MAX];
    int count = RESOLVER_ADDRS_MAX;
    int status = ares_parse_aaaa_reply(p, n, NULL, found, &count);
    for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
        struct addr addr = {.family = 6};
        memcpy(addr.ip, &found[i].ip6addr, 16);
        take_addr(ret_answer, found[i].ttl, &addr);
    }
    return status;
}

static enum resolver_status parse(int family, const unsigned char *p, int n,
                                  struct resolver_answer *ret_answer)
{
    int rcode = p[3] & RCODE_MASK;
    if (!(p[2] & IS_ANSWER) || (rcode != ns_r_noerror && rcode != ns_r_nxdomain))
        return RESOLVER_ERROR;
    if (rcode == ns_r_nxdomain)
        return RESOLVER_NO_NAME;
    int status = family == AF_INET ? parse_ipv4(p, n, ret_answer) : parse_ipv6(p, n, ret_answer);
    if (status != ARES_SUCCESS && status != ARES_ENODATA)
        return RESOLVER_ERROR;
    return ret_answer->status;
}

/* status is c-ares', p NULL when there is no message. */
static void read_answer(int family, int status, const unsigned char *p, int n,
                        struct resolver_answer *ret_answer)
{
    *ret_answer = (struct resolver_answer){.status = RESOLVER_NONE, .ttl_s = INT32_MAX};
    if (p && n >= NS_HFIXEDSZ)
        ret_answer->status = parse(family, p, n, ret_answer);
    else
        ret_answer->status = status == ARES_EBADNAME    ? RESOLVER_NO_NAME
                             : status == ARES_ENOTFOUND ? RESOLVER_NO_NAME
                             : status == ARES_ENODATA   ? RESOLVER_NONE
                             : status == ARES_ETIMEOUT  ? RESOLVER_TIMEOUT
                                                        : RESOLVER_ERROR;
}

/* ---- answers ---- */

static bool ask_next(struct resolver *r, struct resolver_query *q);

static void query_end(struct resolver *r, struct resolver_query *q,
                      const struct resolver_answer *answer)
{
    resolver_drop(r, q);
    q->done(q, answer);
}

static void query_fail(struct resolver *r, struct resolver_query *q)
{
    bool error = q->refused || q->is_lost;
    struct resolver_answer a = {.status = error ? RESOLVER_ERROR : RESOLVER_TIMEOUT};
    query_end(r, q, &a);
}

/* Nobody is left to be asked in this round. */
static void query_round(struct resolver *r, struct resolver_query *q)
{
    if (!list_empty(&q->asks))
        return;
    if (q->rounds >= (q->refused ? ROUNDS_ERROR : ROUNDS_LOST) ||
        r->clock_ns() - q->begin_ns >= PATIENCE_NS) {
        query_fail(r, q);
        return;
    }
    q->asked = 0;
    q->rounds++;
    ask_next(r, q);
}

static void server_heard(struct resolver_server *s)
{
    s->heard_ns = s->resolver->clock_ns();
    s->shunned_ns = 0;
}

static void server_silent(const struct ask *a)
{
    struct resolver_server *s = a->server;
    if (s->heard_ns < a->begin_ns && !a->by_tcp)
        s->shunned_ns = s->resolver->clock_ns() + RESOLVER_SHUN_NS;
}

static void query_answer(struct resolver *r, struct resolver_query *q, int status,
                         const unsigned char *p, int n)
{
    struct resolver_answer answer;
    read_answer(q->family, status, p, n, &answer);
    if (answer.status < RESOLVER_ERROR) {
        query_end(r, q, &answer);
        return;
    }
    q->is_lost |= status == ARES_ECONNREFUSED;
    q->refused |= answer.status == RESOLVER_ERROR && status != ARES_ECONNREFUSED;
    if (!ask_next(r, q))
        query_round(r, q);
}

static void ask(struct ask *a);

/* Of a longer answer than was asked for c-ares gives what would have been right. */
static bool is_cut(const unsigned char *p, int n)
{
    return n >= NS_HFIXEDSZ && (p[2] & IS_CUT || n >= NS_PACKETSZ);
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *p, int n)
{
    struct ask *a = arg;
    struct resolver_query *q = a->query;
    struct resolver *r = a->server->resolver;
    r->ask_count--;
    if (p)
        server_heard(a->server);
    else if (status == ARES_ETIMEOUT || status == ARES_ECONNREFUSED)
        server_silent(a);
    if (q && p && !a->by_tcp && is_cut(p, n)) {
        a->by_tcp = true;
        ask(a);
        return;
    }
    list_del(&a->link);
    free(a);
    if (q && status != ARES_EDESTRUCTION)
        query_answer(r, q, status, p, n);
}

/* ---- questions ---- */

static void ask(struct ask *a)
{
    struct resolver_server *s = a->server;
    s->resolver->ask_count++;
    ares_query(a->by_tcp ? s->tcp.ares : s->udp.ares, a->query->name, ns_c_in,
               a->query->family == AF_INET ? ns_t_a : ns_t_aaaa, on_answer, a);
}

/* The first that is not shunned, else the first; NULL: all were asked in this round. */
static struct resolver_server *next_server(struct resolver *r, struct resolver_query *q)
{
    int64_t now_ns = r->clock_ns();
    int best = -1;
    for (unsigned i = 0; i < r->server_count; i++) {
        if (q->asked >> i & 1)
            continue;
        if (r->server[i]->shunned_ns <= now_ns) {
            best = (int)i;
            break;
        }
        if (best < 0)
            best = (int)i;
    }
    if (best < 0)
        return NULL;
    q->asked |= UINT64_C(1) << best;
    struct resolver_server *s = r->server[best];
    if (s->shunned_ns)
        s->shunned_ns = now_ns + RESOLVER_SHUN_NS;
    return s;
}

/* False: all were asked in this round. q may have ended when it is true. */
static bool ask_next(struct resolver *r, struct resolver_query *q)
{
    struct resolver_server *s = next_server(r, q);
    if (!s)
        return false;
    struct ask *a = xcalloc(1, sizeof *a);
    a->query = q;
    a->server = s;
    a->begin_ns = r->clock_ns();
    list_add_tail(&q->asks, &a->link);
    ask(a);
    return true;
}

void resolver_ask(struct resolver *r, struct resolver_query *q)
{
    list_init(&q->asks);
    q->asked = 0;
    q->rounds = 1;
    q->refused = q->is_lost = false;
    q->begin_ns = r->clock_ns();
    ask_next(r, q);
}

void resolver_more(struct resolver *r, struct resolver_query *q)
{
    list_each(it, &q->asks)
    {
        server_silent(list_of(it, struct ask, link));
    }
    if (!ask_next(r, q) && q->refused)
        query_fail(r, q);
}

void resolver_drop(struct resolver *r, struct resolver_query *q)
{
    while (!list_empty(&q->asks)) {
        struct ask *a = list_of(q->asks.next, struct ask, link);
        a->query = NULL;
        list_del(&a->link);
    }
}

void resolver_tick(struct resolver *r)
{
    for (unsigned i = 0; i < r->server_count; i++) {
        ares_process_fd(r->server[i]->udp.ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        ares_process_fd(r->server[i]->tcp.ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
}

/* ---- c-ares on the loop ---- */

static void on_socket(struct ev_loop *loop, ev_io *io, int revents)
{
    struct channel_socket *s = list_of(io, struct channel_socket, io);
    ares_process_fd(s->channel->ares, revents & EV_READ ? io->fd : ARES_SOCKET_BAD,
                    revents & EV_WRITE ? io->fd : ARES_SOCKET_BAD);
}

static struct channel_socket *socket_of(struct channel *c, ares_socket_t fd)
{
    list_each(it, &c->sockets)
    {
        struct channel_socket *s = list_of(it, struct channel_socket, link);
        if (s->io.fd == fd)
            return s;
    }
    return NULL;
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct channel *c = arg;
    struct channel_socket *s = socket_of(c, fd);
    if (!s) {
        s = xcalloc(1, sizeof *s);
        s->channel = c;
        ev_io_init(&s->io, on_socket, fd, 0);
        list_add_tail(&c->sockets, &s->link);
    }
    ev_io_stop(c->loop, &s->io);
    if (!readable && !writable) {
        list_del(&s->link);
        free(s);
        return;
    }
    ev_io_set(&s->io, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    ev_io_start(c->loop, &s->io);
}

/* flags: how it is sent. 0, -EINVAL for a bad address, -EIO. */
static int channel_open(struct channel *c, struct ev_loop *loop, const char *address, int flags)
{
    char lookups[] = "b";
    struct ares_options o = {.flags = flags | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP,
                             .timeout = WAIT_MS,
                             .tries = 3,
                             .socket_receive_buffer_size = SOCKET_BUFFER,
                             .lookups = lookups,
                             .sock_state_cb = on_socket_state,
                             .sock_state_cb_data = c};
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_RCVBUF |
               ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_MAXTIMEOUTMS /* it learns to repeat sooner, so it must repeat more often */
    mask |= ARES_OPT_MAXTIMEOUTMS;
    o.maxtimeout = 2 * WAIT_MS;
    o.tries = 6;
#endif
#ifdef ARES_OPT_UDP_MAX_QUERIES /* a broken answer closes the socket it came by */
    mask |= ARES_OPT_UDP_MAX_QUERIES;
    o.udp_max_queries = 1;
#endif
#ifdef ARES_OPT_QUERY_CACHE
    mask |= ARES_OPT_QUERY_CACHE; /* qcache_max_ttl 0: the only cache is ours */
#endif
    c->loop = loop;
    list_init(&c->sockets);
    int status = ares_init_options(&c->ares, &o, mask);
    if (status != ARES_SUCCESS) {
        c->ares = NULL;
        log_err("dns: %s", ares_strerror(status));
        return -EIO;
    }
    status = ares_set_servers_ports_csv(c->ares, address);
    if (status == ARES_SUCCESS)
        return 0;
    log_err("name server %s: %s", address, ares_strerror(status));
    return -EINVAL;
}

static void channel_close(struct channel *c)
{
    if (c->ares)
        ares_destroy(c->ares);
}

/* address: "host:port", the port may be missing. */
static int server_add(struct resolver *r, const char *address)
{
    struct resolver_server *s = r->server[r->server_count++] = xcalloc(1, sizeof *s);
    s->resolver = r;
    int err = channel_open(&s->udp, r->loop, address, ARES_FLAG_STAYOPEN | ARES_FLAG_IGNTC);
    return err ? err : channel_open(&s->tcp, r->loop, address, ARES_FLAG_USEVC);
}

static int servers_given(struct resolver *r, const char *servers)
{
    char *text = xmemdup0(servers, strlen(servers)), *rest;
    int err = 0;
    for (char *word = strtok_r(text, ",", &rest);
         word && !err && r->server_count < RESOLVER_SERVERS_MAX; word = strtok_r(NULL, ",", &rest))
        err = server_add(r, word);
    free(text);
    return err;
}

/* resolv.conf(5); nothing but its name servers concerns us. */
static int servers_of_system(struct resolver *r)
{
    char line[512], address[64];
    struct addr a;
    FILE *f = fopen("/etc/resolv.conf", "re");
    int err = 0;
    while (f && !err && r->server_count < RESOLVER_SERVERS_MAX && fgets(line, sizeof line, f)) {
        if (sscanf(line, "nameserver %63s", address) != 1)
            continue;
        if (addr_parse(address, &a))
            log_warning("/etc/resolv.conf: a name server that is no address is not asked server=%s",
                        address);
        else
            err = server_add(r, address);
    }
    if (f)
        fclose(f);
    return err || r->server_count ? err : server_add(r, "127.0.0.1");
}

int resolver_init(struct resolver *r, struct ev_loop *loop, const char *servers)
{
    *r = (struct resolver){.loop = loop, .clock_ns = clock_mono_ns};
    return servers ? servers_given(r, servers) : servers_of_system(r);
}

/* What is under way is told as destroyed, while all servers are still there. */
void resolver_done(struct resolver *r)
{
    for (unsigned i = 0; i < r->server_count; i++) {
        channel_close(&r->server[i]->udp);
        channel_close(&r->server[i]->tcp);
        free(r->server[i]);
    }
    r->server_count = 0;
}
