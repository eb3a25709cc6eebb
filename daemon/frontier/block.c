/* SPDX-License-Identifier: MIT */
/* settle() is the one function through which a block begins, ends or is forgotten: it counts, sets
 * when to look again, wakes the host and marks it as changed. */
#include "daemon/frontier/block.h"

#include <stdlib.h>

#include "common/xalloc.h"
#include "daemon/frontier/hosts_impl.h"

#define TICK_MOST 1024

static const char *const cause_names[BLOCK_CAUSE_COUNT] = {"", "answer", "failures", "operator"};

const char *block_cause_name(enum block_cause cause)
{
    return cause_names[cause];
}

const char *block_why(const struct host_block *b, enum block_cause cause)
{
    if (cause == BLOCK_ANSWER)
        return b->status == 429 ? "429" : "503";
    return cause == BLOCK_FAILURE ? reason_name((enum reason)b->reason) : "";
}

enum block_cause block_now(const struct host *host, int64_t now_ns, int64_t *ret_until_ns)
{
    const struct host_block *b = host->block;
    *ret_until_ns = 0;
    if (!b)
        return BLOCK_NONE;
    bool own = b->until_ns > now_ns, ordered = b->operator_until_ns > now_ns;
    if (!own && !ordered)
        return BLOCK_NONE;
    bool longer = ordered && (!own || b->operator_until_ns >= b->until_ns);
    *ret_until_ns = longer ? b->operator_until_ns : b->until_ns;
    return longer ? BLOCK_OPERATOR : (enum block_cause)b->cause;
}

int64_t block_since(const struct host *host, int64_t now_ns)
{
    const struct host_block *b = host->block;
    int64_t since_ns = INT64_MAX;
    if (b && b->until_ns > now_ns)
        since_ns = b->since_ns;
    if (b && b->operator_until_ns > now_ns && b->operator_ns < since_ns)
        since_ns = b->operator_ns;
    return since_ns;
}

/* ---- the one function ---- */

static void count(struct hosts *h, struct host_block *b, enum block_cause cause)
{
    int before = b->counted != BLOCK_NONE, after = cause != BLOCK_NONE;
    if (before)
        h->blocked_count[b->counted]--;
    if (after)
        h->blocked_count[cause]++;
    b->counted = (uint8_t)cause;
    for (struct hostq *q = b->host->queues; before != after && q; q = q->next)
        q->source->blocked_count += (uint32_t)(after - before);
}

static void forget(struct hosts *h, struct host_block *b)
{
    heap_remove(&h->block_times, &b->heap_index);
    list_del(&b->changed);
    b->host->block = NULL;
    b->host->failures = 0;
    free(b);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* When something of the block will change without being told. */
static int64_t next_change(const struct host_block *b, int64_t now_ns)
{
    bool own = b->until_ns > now_ns, ordered = b->operator_until_ns > now_ns;
    if (own && ordered)
        return b->until_ns < b->operator_until_ns ? b->until_ns : b->operator_until_ns;
    return own       ? b->until_ns
           : ordered ? b->operator_until_ns
                     : later(b->until_ns, b->operator_until_ns) + BLOCK_QUIET_NS;
}

static void settle(struct hosts *h, struct host_block *b, int64_t now_ns)
{
    int64_t until_ns;
    struct host *host = b->host;
    enum block_cause cause = block_now(host, now_ns, &until_ns);
    if (cause != (enum block_cause)b->counted) {
        count(h, b, cause);
        hosts_wake(h, host);
    }
    int64_t due_ns = next_change(b, now_ns);
    if (cause == BLOCK_NONE && due_ns <= now_ns)
        forget(h, b);
    else
        heap_set(&h->block_times, &b->heap_index, due_ns);
}

/* To be written to hosts.log. */
static void changed(struct hosts *h, struct host_block *b)
{
    list_del(&b->changed);
    list_add_tail(&h->changed, &b->changed);
}

int64_t blocks_tick(struct hosts *h, int64_t now_ns)
{
    for (unsigned n = 0; n < TICK_MOST && heap_due(&h->block_times) <= now_ns; n++)
        settle(h, list_of(heap_first(&h->block_times), struct host_block, heap_index), now_ns);
    return heap_due(&h->block_times);
}

/* ---- beginnings ---- */

static struct host_block *block_of(struct hosts *h, struct host *host)
{
    if (host->block)
        return host->block;
    struct host_block *b = xcalloc(1, sizeof *b);
    b->host = host;
    list_init(&b->changed);
    host->block = b;
    return b;
}

/* first_ns doubled for each block of the kind in a row, a tenth more or less. */
static int64_t doubled(struct hosts *h, int64_t first_ns, uint8_t *in_a_row)
{
    int64_t ns = first_ns;
    for (unsigned i = 0; i < *in_a_row && ns < BLOCK_MOST_NS; i++)
        ns *= 2;
    *in_a_row += *in_a_row < UINT8_MAX;
    h->chance = h->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    ns += (int64_t)((double)ns * ((double)(h->chance >> 11) / 9007199254740992.0 * .2 - .1));
    return ns < BLOCK_MOST_NS ? ns : BLOCK_MOST_NS;
}

/* A new block after others: does it go on with what they were? */
static void begin(struct host_block *b, enum block_cause cause, int64_t now_ns)
{
    if (!b->begin_ns || now_ns - b->until_ns >= BLOCK_QUIET_NS) {
        b->answers = b->failures = 0;
        b->said = true;
    }
    if (b->said)
        b->since_ns = now_ns;
    b->said = false;
    b->cause = (uint8_t)cause;
    b->begin_ns = now_ns;
    b->host->alive = false;
}

void block_busy(struct hosts *h, struct host *host, unsigned status, uint32_t retry_after_s,
                int64_t now_ns)
{
    struct host_block *b = block_of(h, host);
    int64_t asked_ns = (int64_t)retry_after_s * NS_PER_S;
    bool begins = b->until_ns <= now_ns;
    if (asked_ns > BLOCK_MOST_NS)
        asked_ns = BLOCK_MOST_NS;
    host->alive = false;
    if (!begins && now_ns + asked_ns <= b->until_ns)
        return; /* of a request that was under way when it began */
    if (begins)
        begin(b, BLOCK_ANSWER, now_ns);
    b->cause = BLOCK_ANSWER;
    b->status = (uint16_t)status;
    b->asked = retry_after_s > 0;
    b->until_ns = now_ns + (asked_ns ? asked_ns : doubled(h, BLOCK_FIRST_NS, &b->answers));
    changed(h, b);
    settle(h, b, now_ns);
}

void block_failed(struct hosts *h, struct host *host, enum reason reason, int64_t now_ns)
{
    if (!reason_blames_host(reason))
        return;
    host->failures += host->failures < UINT8_MAX;
    if (host->failures < BLOCK_FAILURES || (host->block && host->block->until_ns > now_ns))
        return;
    struct host_block *b = block_of(h, host);
    begin(b, BLOCK_FAILURE, now_ns);
    b->reason = (uint8_t)reason;
    b->until_ns = now_ns + doubled(h, BLOCK_FAILURES_NS, &b->failures);
    changed(h, b);
    settle(h, b, now_ns);
}

void block_answered(struct hosts *h, struct host *host, int64_t now_ns)
{
    struct host_block *b = host->block;
    host->failures = 0;
    if (!b || b->said)
        return;
    b->said = true;
    if (b->until_ns > now_ns)
        b->since_ns = now_ns;
}

void block_by_operator(struct hosts *h, struct host *host, int64_t until_ns, int64_t now_ns)
{
    struct host_block *b = block_of(h, host);
    if (b->operator_until_ns <= now_ns)
        b->operator_ns = now_ns;
    b->operator_until_ns = until_ns;
    changed(h, b);
    settle(h, b, now_ns);
}

bool block_lift(struct hosts *h, struct host *host, int64_t now_ns)
{
    int64_t until_ns;
    struct host_block *b = host->block;
    if (block_now(host, now_ns, &until_ns) == BLOCK_NONE)
        return false;
    if (b->until_ns > now_ns)
        b->until_ns = now_ns;
    if (b->operator_until_ns > now_ns)
        b->operator_until_ns = now_ns;
    b->answers = b->failures = host->failures = 0;
    b->said = true;
    changed(h, b);
    settle(h, b, now_ns);
    return true;
}

void block_restore(struct hosts *h, struct host *host, const struct host_block *known,
                   int64_t now_ns)
{
    if (host->block)
        return;
    struct host_block *b = block_of(h, host);
    *b = *known;
    b->host = host;
    b->heap_index = 0;
    b->counted = BLOCK_NONE;
    list_init(&b->changed);
    host->failures = b->failures ? BLOCK_FAILURES : 0;
    b->said |= b->until_ns <= now_ns;
    settle(h, b, now_ns);
}
