/* SPDX-License-Identifier: MIT */
/* Objects of one size, taken from chunks and given back to a free list. Chunks are returned to
 * the system only by slab_done(). Not thread safe. */
#ifndef COMMON_SLAB_H
#define COMMON_SLAB_H

#include <stddef.h>

struct slab {
    size_t size;       /* bytes of one object, rounded up to 16 */
    size_t per_chunk;  /* objects in a chunk */
    void *free;        /* list of free objects */
    void *chunks;      /* owned list of chunks */
    size_t used_count; /* objects handed out */
    size_t bytes;      /* memory of all chunks */
};

void slab_init(struct slab *s, size_t object_size);
void slab_done(struct slab *s);

/* A zeroed object. */
void *slab_get(struct slab *s) __attribute__((returns_nonnull));

/* NULL is accepted. */
void slab_put(struct slab *s, void *object);

#endif
