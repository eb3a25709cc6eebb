/* SPDX-License-Identifier: MIT */
/* A name is asked once however many wait for it:
 *
 *      QUEUED ──(fewer than asked_max under way)──▶ ASKED ──dns_answer──▶ KNOWN
 *
 * Known names stand in `known` in the order of their last use; beyond DNS_NAMES_MAX the ones at
 * its head that nobody uses are freed. A name past its time is forgotten: taken out of its bucket
 * so that the next lookup makes a new one, and freed by its last user. */
#include "daemon/net/dns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <xxhash.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"

#define TICK_S          0.1
#define SERVER_WAIT_MS  2000
#define SERVER_TRIES    3
#define GROW_ANSWERS    16 /* per question more that may be under way */
#define SERVER_BUFFER   (1 << 20)
#define HOSTS_LINES_MAX 10000

enum { QUEUED, ASKED, KNOWN };

struct dns_socket {
    struct list link;
    ev_io io;
    struct dns *dns;
};

/* ---- names ---- */

static struct dns_name *name_new(struct dns *d, const char *host, size_t n, uint64_t hash)
{
    struct dns_name *name = xcalloc(1, sizeof *name + n + 1);
    memcpy(name->name, host, n);
    name->len = (uint8_t)n;
    name->hash = hash;
    name->dns = d;
    list_init(&name->link);
    list_init(&name->waiters);
    list_add_head(&d->bucket[hash % DNS_BUCKETS], &name->bucket);
    return name;
}

static void name_free(struct dns_name *name)
{
    list_del(&name->bucket);
    list_del(&name->link);
    free(name->addr);
    free(name);
}

static void name_forget(struct dns_name *name)
{
    if (!list_empty(&name->link))
        name->dns->known_count--;
    list_del(&name->link);
    list_del(&name->bucket);
    if (!name->users)
        name_free(name);
}

static struct dns_name *name_find(struct dns *d, const char *host, size_t n, uint64_t hash)
{
    list_each(it, &d->bucket[hash % DNS_BUCKETS])
    {
        struct dns_name *name = list_of(it, struct dns_name, bucket);
        if (name->hash == hash && name->len == n && !memcmp(name->name, host, n))
            return name;
    }
    return NULL;
}

static void names_trim(struct dns *d)
{
    list_each_safe(it, tmp, &d->known)
    {
        struct dns_name *name = list_of(it, struct dns_name, link);
        if (d->known_count <= DNS_NAMES_MAX)
            break;
        if (!name->users)
            name_forget(name);
    }
}

/* ---- answers ---- */

static enum reason reason_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME:
        return REASON_DNS_NOT_FOUND;
    case ARES_ETIMEOUT:
        return REASON_DNS_TIMEOUT;
    default:
        return REASON_DNS_ERROR;
    }
}

/* Copies the usable addresses and returns the smallest time to live in seconds. */
static int take_addrs(struct dns_name *name, const struct ares_addrinfo *info)
{
    struct addr found[DNS_ADDRS_MAX], a;
    int ttl_s = INT32_MAX;
    unsigned n = 0;
    for (const struct ares_addrinfo_node *it = info->nodes; it && n < DNS_ADDRS_MAX;
         it = it->ai_next) {
        if (addr_from_sockaddr(it->ai_addr, &a) || addr_is_unspecified(&a))
            continue;
        found[n++] = a;
        if (it->ai_ttl < ttl_s)
            ttl_s = it->ai_ttl;
    }
    name->count = (uint8_t)n;
    if (n)
        name->addr = memcpy(xmalloc(n * sizeof a), found, n * sizeof a);
    return ttl_s;
}

static int64_t lifetime_ns(const struct dns_name *name, int ttl_s)
{
    int64_t ns = ttl_s * NS_PER_S;
    if (name->reason)
        return DNS_TTL_NEGATIVE_NS;
    return ns < DNS_TTL_MIN_NS ? DNS_TTL_MIN_NS : ns > DNS_TTL_MAX_NS ? DNS_TTL_MAX_NS : ns;
}

static void wake_waiters(struct dns_name *name)
{
    name->users++;
    while (!list_empty(&name->waiters)) {
        struct dns_wait *w = list_of(name->waiters.next, struct dns_wait, link);
        list_del(&w->link);
        w->done(w);
    }
    name->users--;
}

void dns_answer(struct dns_name *name, int status, const struct ares_addrinfo *info)
{
    struct dns *d = name->dns;
    int ttl_s = 0;
    if (status == ARES_SUCCESS && info)
        ttl_s = take_addrs(name, info);
    name->reason = name->count ? REASON_NONE : (uint8_t)reason_of(status);
    name->state = KNOWN;
    name->expires_ns = d->clock_ns() + lifetime_ns(name, ttl_s);
    list_add_tail(&d->known, &name->link);
    d->known_count++;
    wake_waiters(name);
    names_trim(d);
}

/* Resolvers drop what they have no room for, all of it at once: ask fewer then. */
static void dns_adapt(struct dns *d, bool timed_out)
{
    int64_t now_ns = d->clock_ns();
    if (timed_out && now_ns - d->shrunk_ns > SERVER_WAIT_MS * NS_PER_MS) {
        d->shrunk_ns = now_ns;
        d->asked_max = d->asked_max / 2 > DNS_ASKED_MIN ? d->asked_max / 2 : DNS_ASKED_MIN;
    } else if (!timed_out && ++d->grown_count >= GROW_ANSWERS && d->asked_max < DNS_ASKED_MAX) {
        d->grown_count = 0;
        d->asked_max++;
    }
}

static void dns_pump(struct dns *d);

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct dns_name *name = arg;
    struct dns *d = name->dns;
    d->asked_count--;
    dns_adapt(d, timeouts > 0);
    if (status != ARES_EDESTRUCTION)
        dns_answer(name, status, info);
    if (info)
        ares_freeaddrinfo(info);
    if (status != ARES_EDESTRUCTION)
        dns_pump(d);
}

/* ---- questions ---- */

static void dns_ask(struct dns *d, struct dns_name *name)
{
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    list_del(&name->link);
    name->state = ASKED;
    d->asked_count++;
    ++*d->queries;
    ares_getaddrinfo(d->channel, name->name, NULL, &hints, on_answer, name);
    if (d->asked_count && !ev_is_active(&d->tick))
        ev_timer_again(d->loop, &d->tick);
}

/* An answer may come while its question is asked, so this must not call itself. */
static void dns_pump(struct dns *d)
{
    if (d->pumping)
        return;
    d->pumping = true;
    while (d->asked_count < d->asked_max && !list_empty(&d->queue))
        dns_ask(d, list_of(d->queue.next, struct dns_name, link));
    d->pumping = false;
}

static bool ends_with(const char *s, size_t n, const char *end)
{
    size_t m = strlen(end);
    return n >= m && !strncasecmp(s + n - m, end, m);
}

/* RFC 6761, section 6.3. */
static bool is_localhost(const char *host, size_t n)
{
    if (n && host[n - 1] == '.')
        n--;
    return (n == 9 && ends_with(host, n, "localhost")) || ends_with(host, n, ".localhost");
}

/* A name that needs no question is known for ever; it stands in no list but its bucket. */
static void name_settle(struct dns_name *name, const struct addr *addr, uint8_t count)
{
    size_t all = (name->count + count) * sizeof *addr;
    if (name->count + count > DNS_ADDRS_MAX)
        return;
    name->addr = xrealloc(name->addr, all);
    memcpy(name->addr + name->count, addr, count * sizeof *addr);
    name->count = (uint8_t)(name->count + count);
    name->state = KNOWN;
    name->settled = true;
    name->expires_ns = INT64_MAX;
}

static void name_begin(struct dns *d, struct dns_name *name)
{
    static const struct addr loopback[2] = {{.family = 4, .ip = {127, 0, 0, 1}},
                                            {.family = 6, .ip = {[15] = 1}}};
    if (is_localhost(name->name, name->len)) {
        name_settle(name, loopback, 2);
        name->expires_ns = d->clock_ns() + DNS_TTL_MAX_NS;
        list_add_tail(&d->known, &name->link);
        d->known_count++;
    } else if (!name->len || name->len > DNS_NAME_BYTES) {
        dns_answer(name, ARES_EBADNAME, NULL);
    } else {
        list_add_tail(&d->queue, &name->link);
        dns_pump(d);
    }
}

static struct dns_name *name_get(struct dns *d, const char *host, size_t n)
{
    uint64_t hash = XXH3_64bits_withSeed(host, n, d->seed);
    struct dns_name *name = name_find(d, host, n, hash);
    if (name && name->state == KNOWN && name->expires_ns <= d->clock_ns()) {
        name_forget(name);
        name = NULL;
    }
    if (name) {
        *d->cached += name->state == KNOWN;
        return name;
    }
    name = name_new(d, host, n, hash);
    name->users++;
    name_begin(d, name);
    name->users--;
    return name;
}

bool dns_lookup(struct dns *d, const char *host, size_t n, struct dns_wait *w)
{
    struct dns_name *name = name_get(d, host, n > DNS_NAME_BYTES ? DNS_NAME_BYTES + 1 : n);
    name->users++;
    w->name = name;
    list_init(&w->link);
    if (name->state != KNOWN) {
        list_add_tail(&name->waiters, &w->link);
        return false;
    }
    if (!list_empty(&name->link)) {
        list_del(&name->link);
        list_add_tail(&d->known, &name->link);
    }
    return true;
}

bool dns_is_answered(const struct dns_wait *w)
{
    return w->name->state == KNOWN;
}

void dns_release(struct dns *d, struct dns_wait *w)
{
    struct dns_name *name = w->name;
    if (!name)
        return;
    w->name = NULL;
    list_del(&w->link);
    if (!--name->users && name->state == KNOWN && list_empty(&name->bucket))
        name_free(name);
}

/* ---- c-ares on the loop ---- */

static void on_socket(struct ev_loop *loop, ev_io *io, int revents)
{
    struct dns_socket *s = list_of(io, struct dns_socket, io);
    ares_process_fd(s->dns->channel, revents & EV_READ ? io->fd : ARES_SOCKET_BAD,
                    revents & EV_WRITE ? io->fd : ARES_SOCKET_BAD);
}

static void on_tick(struct ev_loop *loop, ev_timer *t, int revents)
{
    struct dns *d = list_of(t, struct dns, tick);
    ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    if (!d->asked_count)
        ev_timer_stop(loop, t);
}

static struct dns_socket *socket_of(struct dns *d, ares_socket_t fd)
{
    list_each(it, &d->sockets)
    {
        struct dns_socket *s = list_of(it, struct dns_socket, link);
        if (s->io.fd == fd)
            return s;
    }
    return NULL;
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct dns *d = arg;
    struct dns_socket *s = socket_of(d, fd);
    if (!s) {
        s = xcalloc(1, sizeof *s);
        s->dns = d;
        ev_io_init(&s->io, on_socket, fd, 0);
        list_add_tail(&d->sockets, &s->link);
    }
    ev_io_stop(d->loop, &s->io);
    if (!readable && !writable) {
        list_del(&s->link);
        free(s);
        return;
    }
    ev_io_set(&s->io, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    ev_io_start(d->loop, &s->io);
}

static int channel_open(struct dns *d, const char *servers)
{
    char lookups[] = "b";
    struct ares_options o = {.flags = ARES_FLAG_STAYOPEN | ARES_FLAG_NOSEARCH,
                             .timeout = SERVER_WAIT_MS,
                             .tries = SERVER_TRIES,
                             .socket_receive_buffer_size = SERVER_BUFFER,
                             .lookups = lookups,
                             .sock_state_cb = on_socket_state,
                             .sock_state_cb_data = d};
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_RCVBUF |
               ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_QUERY_CACHE
    mask |= ARES_OPT_QUERY_CACHE; /* qcache_max_ttl 0: the only cache is ours */
#endif
    int status = ares_init_options(&d->channel, &o, mask);
    if (status != ARES_SUCCESS) {
        d->channel = NULL;
        log_err("dns: %s", ares_strerror(status));
        return -EIO;
    }
    status = servers ? ares_set_servers_ports_csv(d->channel, servers) : ARES_SUCCESS;
    if (status != ARES_SUCCESS) {
        log_err("dns_servers: %s", ares_strerror(status));
        return -EINVAL;
    }
    return 0;
}

/* hosts(5). */
static void hosts_line(struct dns *d, char *line)
{
    struct addr a;
    line[strcspn(line, "#\r\n")] = '\0';
    char *rest, *word = strtok_r(line, " \t", &rest);
    if (!word || addr_parse(word, &a) || addr_is_unspecified(&a))
        return;
    while ((word = strtok_r(NULL, " \t", &rest))) {
        size_t n = strlen(word);
        for (size_t i = 0; i < n; i++)
            if (word[i] >= 'A' && word[i] <= 'Z')
                word[i] = (char)(word[i] + 32);
        if (n > DNS_NAME_BYTES || is_localhost(word, n))
            continue;
        uint64_t hash = XXH3_64bits_withSeed(word, n, d->seed);
        struct dns_name *name = name_find(d, word, n, hash);
        name_settle(name ? name : name_new(d, word, n, hash), &a, 1);
    }
}

static void hosts_load(struct dns *d, const char *path)
{
    char line[1024];
    FILE *f = fopen(path, "re");
    for (int i = 0; f && i < HOSTS_LINES_MAX && fgets(line, sizeof line, f); i++)
        hosts_line(d, line);
    if (f)
        fclose(f);
}

int dns_init(struct dns *d, struct ev_loop *loop, const char *servers, uint64_t *queries,
             uint64_t *cached)
{
    *d = (struct dns){.loop = loop, .queries = queries, .cached = cached};
    d->clock_ns = clock_mono_ns;
    d->asked_max = DNS_ASKED_BEGIN;
    for (int i = 0; i < DNS_BUCKETS; i++)
        list_init(&d->bucket[i]);
    list_init(&d->queue);
    list_init(&d->known);
    list_init(&d->sockets);
    ev_timer_init(&d->tick, on_tick, TICK_S, TICK_S);
    if (getrandom(&d->seed, sizeof d->seed, 0) != sizeof d->seed)
        return -EIO;
    if (!servers)
        hosts_load(d, "/etc/hosts");
    return channel_open(d, servers);
}

void dns_done(struct dns *d)
{
    if (d->channel)
        ares_destroy(d->channel);
    ev_timer_stop(d->loop, &d->tick);
    for (int i = 0; i < DNS_BUCKETS; i++)
        while (!list_empty(&d->bucket[i]))
            name_free(list_of(d->bucket[i].next, struct dns_name, bucket));
}
