/* SPDX-License-Identifier: MIT */
#include "common/slab.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

#define CHUNK_BYTES 65536

struct link {
    struct link *next;
};

void slab_init(struct slab *s, size_t object_size)
{
    *s = (struct slab){.size = (object_size + 15) & ~(size_t)15};
    s->per_chunk = CHUNK_BYTES / s->size ? CHUNK_BYTES / s->size : 1;
}

void slab_done(struct slab *s)
{
    for (struct link *c = s->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    slab_init(s, s->size);
}

static void slab_grow(struct slab *s)
{
    size_t bytes = 16 + s->size * s->per_chunk;
    struct link *chunk = xmalloc(bytes);
    chunk->next = s->chunks;
    s->chunks = chunk;
    s->bytes += bytes;
    char *first = (char *)chunk + 16;
    for (size_t i = s->per_chunk; i-- > 0;) {
        struct link *o = (struct link *)(first + i * s->size);
        o->next = s->free;
        s->free = o;
    }
}

void *slab_get(struct slab *s)
{
    if (!s->free)
        slab_grow(s);
    struct link *o = s->free;
    s->free = o->next;
    s->used_count++;
    return memset(o, 0, s->size);
}

void slab_put(struct slab *s, void *object)
{
    if (!object)
        return;
    struct link *o = object;
    o->next = s->free;
    s->free = o;
    s->used_count--;
}
