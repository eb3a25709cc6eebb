/* SPDX-License-Identifier: MIT */
#include "daemon/net/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

void sessions_init(struct sessions *s)
{
    *s = (struct sessions){0};
    list_init(&s->used);
    for (int i = 0; i < SESSIONS_BUCKETS; i++)
        list_init(&s->bucket[i]);
}

static void drop(struct sessions *s, struct session *e)
{
    list_del(&e->bucket);
    list_del(&e->link);
    s->bytes -= sizeof *e + e->len;
    s->count--;
    free(e);
}

void sessions_done(struct sessions *s)
{
    while (!list_empty(&s->used))
        drop(s, list_of(s->used.next, struct session, link));
}

static struct session *find(struct sessions *s, uint64_t origin)
{
    list_each(it, &s->bucket[origin % SESSIONS_BUCKETS])
    {
        struct session *e = list_of(it, struct session, bucket);
        if (e->origin == origin)
            return e;
    }
    return NULL;
}

const struct session *sessions_find(struct sessions *s, uint64_t origin, int64_t now_ns)
{
    struct session *e = find(s, origin);
    if (!e)
        return NULL;
    if (now_ns - e->verified_ns > SESSION_LIFE_NS) {
        drop(s, e);
        return NULL;
    }
    list_del(&e->link);
    list_add_tail(&s->used, &e->link);
    return e;
}

void sessions_put(struct sessions *s, const struct session *about, const unsigned char *p,
                  size_t len)
{
    struct session *e = find(s, about->origin);
    if (e)
        drop(s, e);
    if (len > SESSION_BYTES_MAX)
        len = 0;
    e = xmalloc(sizeof *e + len);
    *e = *about;
    e->len = (uint32_t)len;
    if (len)
        memcpy(e->bytes, p, len);
    list_add_head(&s->bucket[e->origin % SESSIONS_BUCKETS], &e->bucket);
    list_add_tail(&s->used, &e->link);
    s->bytes += sizeof *e + len;
    s->count++;
    while (s->bytes > SESSIONS_BYTES_MAX)
        drop(s, list_of(s->used.next, struct session, link));
}
