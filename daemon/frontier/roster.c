/* SPDX-License-Identifier: MIT */
#include "daemon/frontier/roster.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

static struct roster_chunk *chunk_of(const struct roster *r, uint64_t ordinal)
{
    uint64_t i = ordinal / ROSTER_CHUNK;
    return i < r->chunk_count ? r->chunks[i] : NULL;
}

static struct roster_chunk *chunk_make(struct roster *r, uint64_t ordinal)
{
    size_t i = (size_t)(ordinal / ROSTER_CHUNK);
    if (i >= r->chunk_count) {
        size_t count = i + 1 + r->chunk_count / 2;
        r->chunks = xrealloc(r->chunks, count * sizeof(struct roster_chunk *));
        memset(r->chunks + r->chunk_count, 0,
               (count - r->chunk_count) * sizeof(struct roster_chunk *));
        r->chunk_count = count;
    }
    if (!r->chunks[i])
        r->chunks[i] = xcalloc(1, sizeof(struct roster_chunk));
    return r->chunks[i];
}

static uint64_t bit_of(uint64_t ordinal)
{
    return UINT64_C(1) << (ordinal % 64);
}

void roster_done(struct roster *r)
{
    for (size_t i = 0; i < r->chunk_count; i++)
        free(r->chunks[i]);
    free(r->chunks);
    *r = (struct roster){0};
}

bool roster_open(struct roster *r, uint64_t ordinal)
{
    if (ordinal < r->end)
        return false;
    struct roster_chunk *c = chunk_make(r, ordinal);
    c->open[ordinal % ROSTER_CHUNK / 64] |= bit_of(ordinal);
    c->open_count++;
    r->open_count++;
    r->end = ordinal + 1;
    return true;
}

bool roster_is_open(const struct roster *r, uint64_t ordinal)
{
    const struct roster_chunk *c = chunk_of(r, ordinal);
    return c && (c->open[ordinal % ROSTER_CHUNK / 64] & bit_of(ordinal));
}

bool roster_close(struct roster *r, uint64_t ordinal)
{
    if (!roster_is_open(r, ordinal))
        return false;
    struct roster_chunk *c = chunk_of(r, ordinal);
    c->open[ordinal % ROSTER_CHUNK / 64] &= ~bit_of(ordinal);
    r->open_count--;
    if (!--c->open_count && ordinal / ROSTER_CHUNK < r->end / ROSTER_CHUNK) {
        r->chunks[ordinal / ROSTER_CHUNK] = NULL;
        free(c);
    }
    return true;
}

void roster_place(struct roster *r, uint64_t ordinal, uint64_t offset)
{
    struct roster_chunk *c = chunk_of(r, ordinal);
    if (c && !c->offsets[ordinal % ROSTER_CHUNK / ROSTER_GROUP])
        c->offsets[ordinal % ROSTER_CHUNK / ROSTER_GROUP] = offset;
}

uint64_t roster_offset(const struct roster *r, uint64_t ordinal)
{
    const struct roster_chunk *c = chunk_of(r, ordinal);
    return c ? c->offsets[ordinal % ROSTER_CHUNK / ROSTER_GROUP] : 0;
}

static uint64_t chunk_next(const struct roster_chunk *c, uint64_t from)
{
    size_t word = from % ROSTER_CHUNK / 64;
    uint64_t bits = c->open[word] & ~(bit_of(from) - 1);
    while (!bits) {
        if (++word == ROSTER_CHUNK / 64)
            return UINT64_MAX;
        bits = c->open[word];
    }
    return from / ROSTER_CHUNK * ROSTER_CHUNK + word * 64 + (uint64_t)__builtin_ctzll(bits);
}

uint64_t roster_next(const struct roster *r, uint64_t from)
{
    for (; from < r->end; from = (from / ROSTER_CHUNK + 1) * ROSTER_CHUNK) {
        const struct roster_chunk *c = chunk_of(r, from);
        uint64_t next = c && c->open_count ? chunk_next(c, from) : UINT64_MAX;
        if (next != UINT64_MAX)
            return next;
    }
    return UINT64_MAX;
}

void roster_take_offsets(struct roster *r, const struct roster *from)
{
    for (size_t i = 0; i < r->chunk_count; i++) {
        if (!r->chunks[i])
            continue;
        const struct roster_chunk *c = i < from->chunk_count ? from->chunks[i] : NULL;
        if (c)
            memcpy(r->chunks[i]->offsets, c->offsets, sizeof c->offsets);
        else
            memset(r->chunks[i]->offsets, 0, sizeof r->chunks[i]->offsets);
    }
}

uint64_t roster_bytes(const struct roster *r)
{
    uint64_t bytes = r->chunk_count * sizeof *r->chunks;
    for (size_t i = 0; i < r->chunk_count; i++)
        bytes += r->chunks[i] ? sizeof **r->chunks : 0;
    return bytes;
}
