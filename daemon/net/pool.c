/* SPDX-License-Identifier: MIT */
/* Every idle connection stands in two lists: its bucket, newest first, and that of its kind,
 * oldest first. Its watcher stays on: whatever becomes readable while nothing was asked means
 * that the connection is no good any more, be it the peer's end or bytes. */
#include "daemon/net/pool.h"

#include <errno.h>
#include <limits.h>

#include "common/clock.h"

static const struct {
    int64_t life_ns;
    unsigned most;
} kinds[POOL_KINDS] = {
    [POOL_LONE] = {POOL_LONE_NS, POOL_LONE_MAX},
    [POOL_SECURE] = {POOL_SECURE_NS, POOL_SECURE_MAX},
    [POOL_PLAIN] = {POOL_IDLE_NS, UINT_MAX},
};

static struct list *pool_bucket(struct pool *p, uint64_t origin)
{
    return &p->bucket[origin % POOL_BUCKETS];
}

void pool_init(struct pool *p, struct ev_loop *loop, const struct pool_ops *ops, void *owner)
{
    *p = (struct pool){.loop = loop, .ops = ops, .owner = owner, .open_max = UINT32_MAX};
    slab_init(&p->conns, sizeof(struct conn));
    for (int i = 0; i < POOL_BUCKETS; i++)
        list_init(&p->bucket[i]);
    for (int i = 0; i < POOL_KINDS; i++)
        list_init(&p->idle[i]);
    list_init(&p->lingering);
}

static void pool_close(struct pool *p, struct conn *c)
{
    list_del(&c->link);
    conn_close(c, p->loop);
    p->open_count--;
    if (c->limited)
        p->ops->closed(p->owner, c->host);
    slab_put(&p->conns, c);
}

void pool_abort(struct pool *p, struct conn *c)
{
    c->limited = false;
    pool_close(p, c);
}

static void on_lingering_ready(struct conn *c)
{
    char waste[4096];
    ssize_t got = conn_read(c, waste, sizeof waste);
    if (got <= 0 && got != -EAGAIN)
        pool_close(c->owner, c);
}

void pool_drop(struct pool *p, struct conn *c, int64_t now_ns)
{
    if (!c->limited || c->peer_closed) {
        pool_close(p, c);
        return;
    }
    conn_shutdown(c);
    c->owner = p;
    c->ready = on_lingering_ready;
    c->since_ns = now_ns;
    list_add_tail(&p->lingering, &c->link);
}

/* The last one used, NULL if none is idle. */
static struct conn *idle_of(struct pool *p, uint64_t origin)
{
    list_each(it, pool_bucket(p, origin))
    {
        struct conn *c = list_of(it, struct conn, bucket);
        if (c->origin == origin)
            return c;
    }
    return NULL;
}

static void pool_unkeep(struct pool *p, struct conn *c)
{
    list_del(&c->link);
    list_del(&c->bucket);
    p->idle_count--;
    p->kind_count[c->kind]--;
}

static void pool_drop_kept(struct pool *p, struct conn *c, int64_t now_ns)
{
    pool_unkeep(p, c);
    if (c->limited)
        p->ops->idle_gone(p->owner, c->host);
    pool_drop(p, c, now_ns);
}

static void on_idle_ready(struct conn *c)
{
    char waste[4096];
    if (conn_read(c, waste, sizeof waste) != -EAGAIN)
        pool_drop_kept(c->owner, c, clock_mono_ns());
}

static enum pool_kind kind_of(struct pool *p, const struct conn *c)
{
    if (!c->limited && !c->reused && !idle_of(p, c->origin))
        return POOL_LONE;
    return c->tls ? POOL_SECURE : POOL_PLAIN;
}

void pool_keep(struct pool *p, struct conn *c, int64_t now_ns)
{
    enum pool_kind kind = kind_of(p, c);
    struct list *idle = &p->idle[kind];
    c->owner = p;
    c->ready = on_idle_ready;
    c->since_ns = now_ns;
    c->kind = (uint8_t)kind;
    c->reused = true;
    list_add_tail(idle, &c->link);
    list_add_head(pool_bucket(p, c->origin), &c->bucket);
    p->idle_count++;
    if (++p->kind_count[kind] > kinds[kind].most)
        pool_drop_kept(p, list_of(idle->next, struct conn, link), now_ns);
}

struct conn *pool_take(struct pool *p, uint64_t origin)
{
    struct conn *c = idle_of(p, origin);
    if (c)
        pool_unkeep(p, c);
    return c;
}

/* A limited host's connection would linger and hold its descriptor: that is not waited for. */
static void pool_evict_idle(struct pool *p, struct conn *c)
{
    pool_unkeep(p, c);
    if (c->limited)
        p->ops->idle_gone(p->owner, c->host);
    pool_close(p, c);
}

static bool pool_evict(struct pool *p)
{
    for (int kind = 0; kind < POOL_KINDS; kind++)
        if (!list_empty(&p->idle[kind])) {
            pool_evict_idle(p, list_of(p->idle[kind].next, struct conn, link));
            return true;
        }
    if (list_empty(&p->lingering))
        return false;
    pool_close(p, list_of(p->lingering.next, struct conn, link));
    return true;
}

static struct conn *oldest_secure(const struct list *conns)
{
    list_each(it, conns)
    {
        struct conn *c = list_of(it, struct conn, link);
        if (c->tls)
            return c;
    }
    return NULL;
}

bool pool_evict_secure(struct pool *p)
{
    struct conn *c = oldest_secure(&p->idle[POOL_LONE]);
    if (!c)
        c = oldest_secure(&p->idle[POOL_SECURE]);
    if (c)
        pool_evict_idle(p, c);
    return c;
}

int pool_open(struct pool *p, const struct pool_origin *o, const struct addr *a,
              struct conn **ret_conn)
{
    if (p->open_count >= p->open_max && !pool_evict(p))
        return -EMFILE;
    struct conn *c = slab_get(&p->conns);
    c->origin = o->origin;
    c->host = o->host;
    c->port = o->port;
    c->limited = o->limited;
    int err = conn_open(c, p->loop, a, p->source);
    if ((err == -EMFILE || err == -ENFILE) && pool_evict(p))
        err = conn_open(c, p->loop, a, p->source);
    if (err) {
        slab_put(&p->conns, c);
        return err == -ENFILE ? -EMFILE : err;
    }
    if (p->receive_bytes)
        setsockopt(c->io.fd, SOL_SOCKET, SO_RCVBUF, &p->receive_bytes, sizeof p->receive_bytes);
    p->open_count++;
    *ret_conn = c;
    return 0;
}

static void drop_idle_of(struct pool *p, struct list *idle, uint32_t host, int64_t now_ns)
{
    list_each_safe(it, tmp, idle)
    {
        struct conn *c = list_of(it, struct conn, link);
        if (c->host == host)
            pool_drop_kept(p, c, now_ns);
    }
}

void pool_drop_idle(struct pool *p, uint32_t host, int64_t now_ns)
{
    for (int kind = 0; kind < POOL_KINDS; kind++)
        drop_idle_of(p, &p->idle[kind], host, now_ns);
}

static struct conn *oldest_since(struct list *head, int64_t before_ns)
{
    struct conn *c = list_of(head->next, struct conn, link);
    return !list_empty(head) && c->since_ns < before_ns ? c : NULL;
}

void pool_sweep(struct pool *p, int64_t now_ns)
{
    struct conn *c;
    for (int kind = 0; kind < POOL_KINDS; kind++)
        while ((c = oldest_since(&p->idle[kind], now_ns - kinds[kind].life_ns)))
            pool_drop_kept(p, c, now_ns);
    while ((c = oldest_since(&p->lingering, now_ns - POOL_LINGER_NS)))
        pool_close(p, c);
}

static void close_all(struct pool *p, struct list *conns)
{
    while (!list_empty(conns))
        pool_close(p, list_of(conns->next, struct conn, link));
}

void pool_done(struct pool *p)
{
    for (int kind = 0; kind < POOL_KINDS; kind++)
        close_all(p, &p->idle[kind]);
    close_all(p, &p->lingering);
    slab_done(&p->conns);
}
