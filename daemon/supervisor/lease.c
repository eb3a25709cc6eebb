/* SPDX-License-Identifier: MIT */
/* Granting: from the hosts' queues to the workers.
 *
 * The pump takes hosts that may be asked now until no worker has room or nothing is ready. The URL
 * of an entry lies in the journal; entries of one pump are read together by the disk thread, so a
 * lease waits in READING for some hundred microseconds. A hop and a generated URL need no reading.
 */
#include "daemon/supervisor/lease.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/url.h"
#include "common/xalloc.h"
#include "daemon/supervisor/job.h"
#include "daemon/supervisor/job_slices.h"
#include "daemon/supervisor/lease_end.h"
#include "daemon/supervisor/supervisor.h"

#define PUMP_MAX_NS (5 * NS_PER_MS)

/* ---- the table of ids ---- */

static void table_grow(struct leases *t)
{
    uint32_t size = t->size ? t->size * 2 : 1024;
    t->table = xrealloc(t->table, size * sizeof *t->table);
    t->generation = xrealloc(t->generation, size * sizeof *t->generation);
    t->free = xrealloc(t->free, size * sizeof *t->free);
    for (uint32_t i = size; i-- > t->size;) {
        t->table[i] = NULL;
        t->generation[i] = 1;
        t->free[t->free_count++] = i;
    }
    t->size = size;
}

void leases_done(struct leases *t)
{
    free(t->table);
    free(t->generation);
    free(t->free);
    *t = (struct leases){0};
}

static struct lease *lease_new(struct job *j, struct hostq *q, uint64_t entry, struct hop *hop)
{
    struct supervisor *s = j->s;
    struct leases *t = &s->leases;
    if (!t->free_count)
        table_grow(t);
    uint32_t i = t->free[--t->free_count];
    struct lease *l = slab_get(&s->lease_slab);
    t->table[i] = l;
    l->id = (uint64_t)t->generation[i] << 32 | i;
    l->entry = entry;
    l->job = j;
    l->host = q->host;
    l->queue = q;
    l->hop = hop;
    list_init(&l->at_worker);
    list_init(&l->reading);
    list_add_tail(&j->leases, &l->of_job);
    j->leases_count++;
    return l;
}

void lease_free(struct lease *l)
{
    struct job *j = l->job;
    struct leases *t = &j->s->leases;
    uint32_t i = (uint32_t)l->id;
    t->table[i] = NULL;
    t->generation[i]++;
    t->free[t->free_count++] = i;
    if (l->worker)
        l->worker->held_count--;
    j->leases_count--;
    j->leases_fetch_count -= l->exclude == REASON_NONE;
    l->queue->pages_count -= l->exclude == REASON_NONE && !l->counts;
    list_del(&l->at_worker);
    list_del(&l->of_job);
    list_del(&l->reading);
    hop_free(&j->s->hosts, l->hop);
    free(l->url);
    slab_put(&j->s->lease_slab, l);
}

struct lease *lease_find(struct supervisor *s, const struct worker *w, uint64_t id)
{
    uint32_t i = (uint32_t)id;
    struct lease *l = i < s->leases.size ? s->leases.table[i] : NULL;
    bool known = l && l->id == id && l->worker == w && l->state == LEASE_OUT;
    return known && l->job->phase != JOB_FAILING ? l : NULL;
}

/* ---- sending ---- */

static void asked_url(const struct lease *l, const char **ret_url, size_t *ret_len)
{
    *ret_url = l->hop ? l->hop->chain[l->hop->count - 1] : l->url;
    *ret_len = strlen(*ret_url);
}

bool lease_is_last(const struct lease *l)
{
    return ENTRY_ATTEMPTS(l->entry) + 1 >= l->job->spec.retry.attempts;
}

static void send_lease(struct lease *l)
{
    struct job *j = l->job;
    const char *url;
    size_t len;
    asked_url(l, &url, &len);
    job_tell(j, l->worker->slot);
    struct ipc_lease *m = ipc_add(&l->worker->ipc, IPC_LEASE, len);
    m->lease = l->id;
    m->seq = ENTRY_SEQ(l->entry);
    m->job = j->id;
    m->host = l->host->id;
    m->url_len = (uint16_t)len;
    m->grant = l->grant;
    m->hop = (uint8_t)(l->hop ? l->hop->count - 1 : 0);
    m->attempt = (uint8_t)(ENTRY_ATTEMPTS(l->entry) + 1);
    m->last = lease_is_last(l);
    m->limited = l->grant != GRANT_FREE;
    m->foreign = l->hop && l->hop->foreign;
    m->as_get = l->hop && l->hop->as_get;
    m->bound = l->grant == GRANT_OPEN && host_pace(l->host).per_address && l->host->group;
    if (m->bound)
        memcpy(m->address, l->host->group->address, sizeof m->address);
    m->tell_sent = m->limited && host_pace(l->host).delay_ns > 0;
    memcpy(m->url, url, len);
    l->state = LEASE_OUT;
    j->s->totals.started++;
}

static bool host_is_blocked(const struct host *host)
{
    int64_t until_ns;
    return block_now(host, clock_mono_ns(), &until_ns) != BLOCK_NONE;
}

/* Its host was blocked while its text was being read. */
static void lease_unsend(struct lease *l)
{
    host_ungrant(&l->job->s->hosts, l->host, l->grant);
    lease_back(l, false);
}

/* The text of a lease has come; or it needs none. */
static void have_text(struct lease *l, const char *url, size_t len)
{
    if (!l->hop) {
        l->url = xmemdup0(url, len);
        l->url_len = (uint32_t)len;
    }
    if (l->state == LEASE_LOST)
        lease_back(l, false);
    else if (l->exclude == REASON_NONE && host_is_blocked(l->host))
        lease_unsend(l);
    else if (l->exclude != REASON_NONE)
        lease_excluded(l);
    else
        send_lease(l);
}

static bool is_generated(const struct job *j, uint64_t seq)
{
    return j->generator && seq >= j->generated_seq &&
           seq - j->generated_seq < generator_count(j->generator);
}

static void need_text(struct lease *l)
{
    struct job *j = l->job;
    uint64_t seq = ENTRY_SEQ(l->entry);
    if (l->hop) {
        have_text(l, NULL, 0);
    } else if (is_generated(j, seq)) {
        struct url_slice canon;
        if (job_generated_url(j, seq - j->generated_seq, &canon) == REASON_NONE)
            have_text(l, canon.p, canon.n);
    } else {
        if (!j->unread)
            j->unread = xmalloc(LEDGER_READ_MAX * sizeof *j->unread);
        list_add_tail(&j->reading, &l->reading);
        j->unread[j->unread_count++] = seq;
        if (j->unread_count == LEDGER_READ_MAX)
            leases_read(j);
    }
}

void leases_read(struct job *j)
{
    if (j->unread_count && j->ledger)
        ledger_read(j->ledger, j->unread, j->unread_count);
    j->unread_count = 0;
}

void leases_texts(struct job *j, const struct ledger_url *urls, size_t count)
{
    for (size_t i = 0; i < count && !list_empty(&j->reading); i++) {
        struct lease *l = list_of(j->reading.next, struct lease, reading);
        assert(ENTRY_SEQ(l->entry) == urls[i].seq && urls[i].url); /* else it would wait for ever */
        list_del(&l->reading);
        have_text(l, urls[i].url, urls[i].len);
    }
    job_update(j);
    supervisor_kick(j->s);
}

/* ---- the pump ---- */

/* The worker for the host's next lease; NULL after parking the host. */
static struct worker *find_worker(struct supervisor *s, struct host *host, bool limited)
{
    struct worker *w = limited && host->worker >= 0 ? &s->crew.workers[host->worker] : NULL;
    if (w && worker_has_room(w))
        return w;
    if (!w || !host_bound(host))
        return crew_roomiest(s);
    host_park(&s->hosts, host, &w->waiting, HOST_AT_WORKER);
    return NULL;
}

/* limits.pages_per_host: what the host has beyond it ends by the rule. */
static bool host_is_done(const struct hostq *q)
{
    uint64_t most = job_of(q->source)->spec.limits.pages_per_host;
    return most && q->pages_count >= most;
}

static void exclude_one(struct supervisor *s, struct hostq *q)
{
    struct job *j = job_of(q->source);
    uint64_t entry;
    struct hop *hop = hostq_take(q, &entry);
    struct lease *l = lease_new(j, q, entry, hop);
    l->exclude = REASON_LIMIT;
    hosts_wake(&s->hosts, q->host);
    need_text(l);
}

/* False: no worker has room for anybody. */
static bool grant(struct supervisor *s, struct host *host, struct hostq *q)
{
    if (host_is_done(q)) {
        exclude_one(s, q);
        return true;
    }
    struct pace pace = host_pace(host);
    bool limited = !pace_free(&pace);
    struct worker *w = find_worker(s, host, limited);
    if (!w) {
        if (host->place == HOST_AT_WORKER)
            return true;
        hosts_wake(&s->hosts, host);
        return false;
    }
    struct job *j = job_of(q->source);
    uint64_t entry;
    struct hop *hop = hostq_take(q, &entry);
    struct lease *l = lease_new(j, q, entry, hop);
    j->leases_fetch_count++;
    q->pages_count++;
    if (limited)
        host_bind(&s->hosts, host, w->slot, &w->bound);
    l->worker = w;
    l->begun_ns = clock_mono_ns();
    l->grant = (uint8_t)host_grant(&s->hosts, host);
    w->held_count++;
    list_add_tail(&w->leases, &l->at_worker);
    hosts_wake(&s->hosts, host);
    need_text(l);
    job_update(j);
    return true;
}

static void resolve(struct supervisor *s, struct host *host)
{
    struct worker *w = find_worker(s, host, true);
    if (!w) {
        if (host->place != HOST_AT_WORKER)
            hosts_wake(&s->hosts, host);
        return;
    }
    host_bind(&s->hosts, host, w->slot, &w->bound);
    host->asked = true;
    ipc_add_text(&w->ipc, IPC_RESOLVE, host->id, host->name, host->name_len);
}

static void drop_everywhere(struct supervisor *s, struct host *host, int64_t now_ns)
{
    for (int i = 0; i < s->crew.count; i++)
        if (worker_alive(&s->crew.workers[i]))
            ipc_add_number(&s->crew.workers[i].ipc, IPC_DROP, host->id);
    host_unbound(&s->hosts, host, now_ns);
}

/* The job ends the queue's URLs in slices of its own. */
static void give_up(struct supervisor *s, struct hostq *q)
{
    struct job *j = job_of(q->source);
    int64_t now_ns = clock_mono_ns(), until_ns;
    enum block_cause cause = block_now(q->host, now_ns, &until_ns);
    log_warning("host given up job=%s host=%.*s blocked_by=%s %s", j->spec.name, q->host->name_len,
                q->host->name, block_cause_name(cause), block_why(q->host->block, cause));
    hostq_give_up(&s->hosts, q);
    job_slices_run(j);
}

/* False: nothing more can be granted now. */
static bool pump_one(struct supervisor *s, int64_t now_ns)
{
    struct hostq *q = NULL;
    enum host_verdict what;
    if (!crew_roomiest(s))
        return false;
    struct host *host = hosts_pick(&s->hosts, now_ns, &q, &what);
    if (!host)
        return what == HOST_BUSY;
    if (what == HOST_NOW)
        return grant(s, host, q);
    if (what == HOST_RESOLVE)
        resolve(s, host);
    else if (what == HOST_GIVE_UP)
        give_up(s, q);
    else if (what == HOST_UNBIND)
        drop_everywhere(s, host, now_ns);
    else
        ipc_add_number(&s->crew.workers[host->worker].ipc, IPC_DROP, host->id);
    return true;
}

/* Wakes hosts parked at workers that have room now. False: there are none. */
static bool wake_parked(struct supervisor *s)
{
    bool woken = false;
    for (int i = 0; i < s->crew.count; i++) {
        struct worker *w = &s->crew.workers[i];
        if (!worker_has_room(w) || list_empty(&w->waiting))
            continue;
        hosts_wake_some(&s->hosts, &w->waiting, w->slots - w->held_count);
        woken = true;
    }
    return woken;
}

int64_t leases_pump(struct supervisor *s)
{
    int64_t now_ns = clock_mono_ns(), until_ns = now_ns + PUMP_MAX_NS;
    bool more = false;
    unsigned n = 0;
    hosts_tick(&s->hosts, now_ns);
    while (!more && (pump_one(s, now_ns) || wake_parked(s)))
        more = (++n & 63) == 0 && clock_mono_ns() > until_ns;
    list_each(it, &s->jobs) leases_read(list_of(it, struct job, link));
    return more ? 0 : hosts_tick(&s->hosts, now_ns);
}

/* The head of the queue ends with the rule. */
static void end_first(struct job *j, struct hostq *q, enum reason reason)
{
    uint64_t entry;
    struct hop *hop = hostq_take(q, &entry);
    struct lease *l = lease_new(j, q, entry, hop);
    l->exclude = (uint8_t)reason;
    need_text(l);
}

bool leases_give_up(struct job *j, unsigned most)
{
    struct hosts *h = &j->s->hosts;
    for (struct hostq *q; most && (q = source_given_up(h, &j->source)); most--)
        end_first(j, q, REASON_HOST_UNAVAILABLE);
    leases_read(j);
    return !source_given_up(h, &j->source);
}

bool leases_exclude(struct job *j, unsigned most)
{
    for (struct hostq *q; most && (q = source_busy(&j->source)); most--)
        end_first(j, q, j->exclude);
    for (const struct retry *r; most && (r = retries_first(&j->retries)); most--) {
        struct lease *l = lease_new(j, r->queue, r->entry, NULL);
        retries_pop(&j->retries);
        l->exclude = (uint8_t)j->exclude;
        need_text(l);
    }
    leases_read(j);
    return !j->source.queued_count && !j->retries.count;
}
