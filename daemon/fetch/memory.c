/* SPDX-License-Identifier: MIT */
/* What an answer holds beyond FETCH_FREE_BYTES is on credit. Any body may borrow while less than a
 * quarter of the memory is lent:
 *
 *     [ leases: slots x (FETCH_FREE_BYTES + what a lease costs) | lent to any | the oldest's ]
 *
 * The one longest in BODY may go on while there is any memory at all, or when none is to come back
 * from the store, so that one always ends, and the next is the oldest. A body is cut only when it
 * alone is more than half of the memory and the rest is taken. Small answers need no credit:
 * however many large ones wait, they pass. */
#include "daemon/fetch/memory.h"

#include "common/clock.h"

#define LEASE_BYTES   (FETCH_FREE_BYTES + (8 << 10)) /* with its fetch, connection and socket */
#define STORE_MAX     (64ull << 20)
#define REOPEN(limit) ((limit) - (limit) / 4) /* shut at the limit, open again here */

unsigned memory_slots(uint64_t memory_max)
{
    uint64_t slots = memory_max / 2 / LEASE_BYTES;
    return slots < 1 ? 1 : slots > UINT32_MAX ? UINT32_MAX : (unsigned)slots;
}

uint64_t memory_store_max(const struct machine *m)
{
    uint64_t part = m->conf.memory_max / 4;
    return part < STORE_MAX ? part : STORE_MAX;
}

uint64_t machine_memory(const struct machine *m)
{
    return m->memory_bytes + (uint64_t)tls_count(m->secures.tls) * TLS_CONN_BYTES;
}

static size_t beyond(size_t bytes)
{
    return bytes > FETCH_FREE_BYTES ? bytes - FETCH_FREE_BYTES : 0;
}

void answer_charge(struct machine *m, struct answer *a)
{
    size_t now = buf_len(&a->capture.response);
    m->memory_bytes += now - a->charged_bytes;
    m->beyond_bytes += beyond(now) - beyond(a->charged_bytes);
    a->charged_bytes = now;
}

void fetch_charge(struct fetch *f)
{
    answer_charge(f->machine, f->answer);
}

static bool is_oldest(const struct fetch *f)
{
    return f->machine->row[FETCH_BODY].next == &f->link;
}

static uint64_t lent_max(const struct machine *m)
{
    return m->conf.memory_max / 4;
}

/* Is some held by answers that need no more to end? */
static bool comes_back(const struct machine *m)
{
    return !list_empty(&m->row[FETCH_DECODE]) || !list_empty(&m->row[FETCH_STORE]);
}

size_t fetch_credit(const struct fetch *f)
{
    const struct machine *m = f->machine;
    size_t held = buf_len(&f->answer->capture.response);
    bool oldest = is_oldest(f), some = machine_memory(m) < m->conf.memory_max;
    if (!f->answer->holds || (some && (oldest || m->beyond_bytes < lent_max(m))))
        return sizeof m->in;
    if (oldest && !comes_back(m) && held < m->conf.memory_max / 2)
        return sizeof m->in;
    return (some || oldest) && held < FETCH_FREE_BYTES ? FETCH_FREE_BYTES - held : 0;
}

bool fetch_is_too_large(const struct fetch *f)
{
    return is_oldest(f) && !comes_back(f->machine) && !fetch_credit(f);
}

static void let_on(struct fetch *f)
{
    fetch_go_on(f);
    machine_drive(f);
}

/* The oldest goes first, wherever it stands in `poor`; then as many as what is left is enough for.
 * Idle TLS connections give up theirs before. */
static void let_poor_on(struct machine *m)
{
    while (machine_memory(m) >= m->conf.memory_max && pool_evict_secure(&m->pool))
        ;
    struct fetch *f = list_empty(&m->row[FETCH_BODY])
                          ? NULL
                          : list_of(m->row[FETCH_BODY].next, struct fetch, link);
    if (f && !list_empty(&f->answer->room) && (fetch_credit(f) || fetch_is_too_large(f)))
        let_on(f);
    uint64_t out = m->beyond_bytes;
    for (; !list_empty(&m->poor) && out < lent_max(m); out += sizeof m->in) {
        struct answer *a = list_of(m->poor.next, struct answer, room);
        if (!fetch_credit(a->fetch))
            break;
        let_on(a->fetch);
    }
}

/* Leases on top of a full store or memory would only wait here. */
static void tell_slots(struct machine *m)
{
    uint64_t queued = store_queued_bytes(m->store), most = memory_store_max(m);
    uint64_t held = machine_memory(m), max = m->conf.memory_max;
    bool shut =
        m->shut ? queued > REOPEN(most) || held > REOPEN(max) : queued >= most || held >= max;
    if (shut == m->shut)
        return;
    m->shut = shut;
    ipc_add_number(m->uplink, IPC_SLOTS, shut ? 0 : m->conf.slots);
}

void memory_turn(struct machine *m)
{
    if (!list_empty(&m->poor))
        let_poor_on(m);
    tell_slots(m);
}

void memory_beat(struct machine *m)
{
    uint64_t objects = m->fetches.used_count * m->fetches.size +
                       m->answers.used_count * m->answers.size +
                       m->pool.conns.used_count * m->pool.conns.size;
    m->stats->value[STAT_MEMORY_BYTES] = machine_memory(m) + objects;
    m->stats->value[STAT_MEMORY_MAX] = m->conf.memory_max;
}
