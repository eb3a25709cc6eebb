/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/retry.h"

#include <stdlib.h>

#include "common/xalloc.h"

void retries_add(struct retries *r, int64_t due_ns, uint64_t entry, struct hostq *queue)
{
    if (r->count == r->size) {
        r->size = r->size ? r->size * 2 : 16;
        r->v = xrealloc(r->v, r->size * sizeof *r->v);
    }
    uint32_t i = r->count++;
    for (; i && r->v[(i - 1) / 2].due_ns > due_ns; i = (i - 1) / 2)
        r->v[i] = r->v[(i - 1) / 2];
    r->v[i] = (struct retry){.due_ns = due_ns, .entry = entry, .queue = queue};
}

const struct retry *retries_first(const struct retries *r)
{
    return r->count ? r->v : NULL;
}

void retries_pop(struct retries *r)
{
    struct retry last = r->v[--r->count];
    uint32_t i = 0;
    for (uint32_t child; (child = 2 * i + 1) < r->count; i = child) {
        if (child + 1 < r->count && r->v[child + 1].due_ns < r->v[child].due_ns)
            child++;
        if (r->v[child].due_ns >= last.due_ns)
            break;
        r->v[i] = r->v[child];
    }
    r->v[i] = last;
}

void retries_done(struct retries *r)
{
    free(r->v);
    *r = (struct retries){0};
}
