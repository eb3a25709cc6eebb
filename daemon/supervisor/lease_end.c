/* SPDX-License-Identifier: MIT */
/* How leases end. Every way is: a row, or back into a queue; then the host's clock; then free. */
#include "daemon/supervisor/lease_end.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/url.h"
#include "common/xalloc.h"
#include "daemon/supervisor/blocks.h"
#include "daemon/supervisor/job.h"
#include "daemon/supervisor/job_slices.h"
#include "daemon/supervisor/row.h"
#include "daemon/supervisor/supervisor.h"

#define CHAIN_MAX_BYTES (256u << 10) /* of a row's redirects, whatever redirects.max says */
#define CHARGES_MAX     3

static const char *given_url(const struct lease *l)
{
    return l->hop ? l->hop->chain[0] : l->url;
}

static void put_row(struct lease *l, enum outcome outcome, enum reason reason, const char *tail,
                    size_t tail_len, uint32_t file, uint64_t end_bytes)
{
    struct job *j = l->job;
    struct buf row = {0};
    l->counts = outcome != OUTCOME_EXCLUDED;
    row_head(&row, ENTRY_SEQ(l->entry), given_url(l), outcome);
    if (l->hop && l->hop->count > 1)
        row_redirects(&row, l->hop->chain + 1, l->hop->count - 1);
    row_tail(&row, reason, tail, tail_len);
    job_row(j, ENTRY_SEQ(l->entry), outcome, buf_data(&row), buf_len(&row), file, end_bytes);
    if (reason != REASON_NONE)
        j->s->totals.by_reason[reason]++;
    buf_done(&row);
}

/* The host's part of the end. */
static void release_host(struct lease *l, const struct ipc_end *end, bool unsent)
{
    struct supervisor *s = l->job->s;
    struct host_end how = {.grant = l->grant,
                           .told_sent = l->told_sent,
                           .unsent = unsent,
                           .kept = end->kept,
                           .reached = !unsent && !l->busy && (end->kept || end->status)};
    if (host_end(&s->hosts, l->host, &how, clock_mono_ns()))
        ipc_add_number(&l->worker->ipc, IPC_DROP, l->host->id);
}

/* A lease is over. A job that ends its URLs by a rule has that done to what went back into a queue.
 */
static void settled(struct job *j)
{
    job_update(j);
    if (j->exclude != REASON_NONE)
        job_slices_run(j);
    supervisor_kick(j->s);
}

/* What the end of a fetch says of its host. */
static void judge_host(struct lease *l, const struct ipc_end *end)
{
    struct hosts *h = &l->job->s->hosts;
    if (end->status)
        block_answered(h, l->host, clock_mono_ns());
    else
        block_failed(h, l->host, (enum reason)end->reason, clock_mono_ns());
}

static void count_end(struct lease *l, const struct ipc_end *end)
{
    struct supervisor *s = l->job->s;
    l->worker->finished_count++;
    s->totals.bytes_in += end->wire_bytes;
    if (end->status / 100 < 6)
        s->totals.by_status[end->status / 100]++;
}

static void finish(struct lease *l, const struct ipc_end *end)
{
    struct job *j = l->job;
    count_end(l, end);
    release_host(l, end, false);
    judge_host(l, end);
    lease_free(l);
    settled(j);
}

void lease_sent(struct lease *l)
{
    if (l->told_sent || l->grant == GRANT_FREE)
        return;
    l->told_sent = true;
    host_sent(&l->job->s->hosts, l->host, clock_mono_ns());
    supervisor_kick(l->job->s);
}

void lease_done(struct lease *l, const struct ipc_end *end)
{
    put_row(l, end->outcome, end->reason, end->data, end->tail_len, end->file, end->end);
    l->job->bytes_in += end->wire_bytes;
    job_file_grew(l->job, l->worker->slot, end->file, end->end);
    finish(l, end);
}

/* REASON_NONE: the redirect may be followed to `u`. */
static enum reason judge_redirect(const struct lease *l, const struct ipc_end *end, struct url *u)
{
    const struct job_spec *spec = &l->job->spec;
    struct url_slice canon;
    if (url_parse(end->data + end->tail_len, end->next_len, NULL, u))
        return REASON_BAD_REDIRECT;
    if (url_canon(u, &canon))
        return REASON_SCHEME;
    if (canon.n > URL_MAX_GIVEN)
        return REASON_BAD_REDIRECT;
    unsigned hops = l->hop ? l->hop->count - 1 : 0;
    if (spec->redirects.max && hops >= spec->redirects.max)
        return REASON_REDIRECT_LIMIT;
    size_t chain_bytes = canon.n;
    for (unsigned i = 0; l->hop && i < l->hop->count; i++) {
        size_t n = strlen(l->hop->chain[i]);
        if (n == canon.n && !memcmp(l->hop->chain[i], canon.p, n))
            return REASON_REDIRECT_LOOP;
        chain_bytes += n;
    }
    if (!l->hop && l->url_len == canon.n && !memcmp(l->url, canon.p, canon.n))
        return REASON_REDIRECT_LOOP;
    return hops >= UINT8_MAX || chain_bytes > CHAIN_MAX_BYTES ? REASON_REDIRECT_LIMIT : REASON_NONE;
}

/* The chain so far and its next URL. */
static struct hop *next_hop(struct lease *l, const char *url, size_t len)
{
    struct hop *hop = l->hop;
    if (!hop) {
        hop = slab_get(&l->job->s->hosts.hop_slab);
        list_init(&hop->link);
        hop->chain = xmalloc(sizeof *hop->chain);
        hop->chain[hop->count++] = xmemdup0(l->url, l->url_len);
    }
    l->hop = NULL;
    hop->entry = l->entry;
    hop->chain = xrealloc(hop->chain, (hop->count + 1) * sizeof *hop->chain);
    hop->chain[hop->count++] = xmemdup0(url, len);
    return hop;
}

static bool is_foreign(const char *first_url, const struct url *u)
{
    struct url first = {0};
    bool foreign = true;
    if (!url_parse(first_url, strlen(first_url), NULL, &first)) {
        struct url_slice a = url_host(&first), b = url_host(u);
        foreign = first.scheme != u->scheme || a.n != b.n || memcmp(a.p, b.p, a.n);
    }
    url_done(&first);
    return foreign;
}

/* RFC 9110, sections 15.4.2 to 15.4.4. */
static bool becomes_get(const struct job_spec *spec, unsigned status)
{
    if (status == 303)
        return strcmp(spec->request.method, "HEAD");
    return (status == 301 || status == 302) && !strcmp(spec->request.method, "POST");
}

void lease_again(struct lease *l, const struct ipc_end *end)
{
    struct job *j = l->job;
    struct url u = {0};
    struct url_slice canon;
    enum reason reason = judge_redirect(l, end, &u);
    job_file_grew(j, l->worker->slot, end->file, end->end);
    if (reason == REASON_NONE) {
        url_canon(&u, &canon);
        struct hop *hop = next_hop(l, canon.p, canon.n);
        hop->foreign = is_foreign(hop->chain[0], &u);
        hop->as_get |= becomes_get(&j->spec, end->status);
        hop->last = false;
        if (end->file)
            ledger_hop(j->ledger, end->file, end->end);
        j->s->totals.again++;
        hosts_push_hop(&j->s->hosts, job_queue(j, &u), hop);
    } else {
        struct hop *hop = next_hop(l, end->data + end->tail_len, end->next_len);
        l->hop = hop;
        put_row(l, reason_outcome(reason), reason, end->data, end->tail_len, end->file, end->end);
        j->bytes_in += end->wire_bytes;
    }
    url_done(&u);
    finish(l, end);
}

static int64_t backoff_ns(const struct job_spec *spec, unsigned attempts)
{
    double ms = (double)spec->retry.backoff_ms;
    for (unsigned i = 1; i < attempts; i++)
        ms *= (double)spec->retry.factor;
    double day_ms = 24 * 3600 * 1000.0;
    if (ms > day_ms)
        ms = day_ms;
    return (int64_t)(ms * (0.9 + 0.2 * drand48()) * 1e6);
}

void lease_retry(struct lease *l, const struct ipc_end *end)
{
    struct job *j = l->job;
    unsigned attempts = ENTRY_ATTEMPTS(l->entry) + 1;
    uint64_t entry = ENTRY(ENTRY_SEQ(l->entry), attempts, ENTRY_CHARGES(l->entry));
    if (end->file) {
        ledger_hop(j->ledger, end->file, end->end);
        job_file_grew(j, l->worker->slot, end->file, end->end);
    }
    struct hostq *q = l->hop ? job_queue_of(j, l->hop->chain[0]) : l->queue;
    int64_t wait_ns = backoff_ns(&j->spec, attempts);
    retries_add(&j->retries, clock_mono_ns() + wait_ns, entry, q);
    job_slices_later(j, wait_ns);
    j->s->totals.retried++;
    finish(l, end);
}

void lease_back(struct lease *l, bool charged)
{
    struct job *j = l->job;
    unsigned charges = ENTRY_CHARGES(l->entry) + charged;
    if (charges >= CHARGES_MAX) {
        put_row(l, OUTCOME_FAILED, REASON_WORKER_CRASH, "", 0, 0, 0);
    } else {
        l->entry = ENTRY(ENTRY_SEQ(l->entry), ENTRY_ATTEMPTS(l->entry), charges);
        if (l->hop) {
            l->hop->entry = l->entry;
            hosts_push_hop(&j->s->hosts, l->queue, l->hop);
            l->hop = NULL;
        } else {
            hosts_push_front(&j->s->hosts, l->queue, l->entry);
        }
    }
    lease_free(l);
    settled(j);
}

void lease_busy(struct lease *l, unsigned status, uint32_t retry_after_s)
{
    struct supervisor *s = l->job->s;
    int64_t now_ns = clock_mono_ns(), until_ns;
    bool new = block_now(l->host, now_ns, &until_ns) == BLOCK_NONE;
    l->busy = true;
    block_busy(&s->hosts, l->host, status, retry_after_s, now_ns);
    if (new)
        blocks_stop(s, l->host, l->worker);
}

/* No attempt was made: whatever the answer was, it was about the host. If it was about this URL all
 * the same, the others have their turn before it is asked for again. */
void lease_stopped(struct lease *l, const struct ipc_end *end)
{
    struct job *j = l->job;
    struct hosts *hosts = &j->s->hosts;
    j->s->totals.busy++;
    count_end(l, end);
    release_host(l, end, false);
    if (l->hop) {
        l->hop->last = true;
        hosts_push_hop(hosts, l->queue, l->hop);
        l->hop = NULL;
    } else {
        hosts_push(hosts, l->queue, l->entry);
    }
    lease_free(l);
    settled(j);
}

void lease_noconn(struct lease *l, const struct ipc_end *end)
{
    l->job->s->totals.noconn++;
    release_host(l, end, true);
    lease_back(l, false);
}

void lease_wfail(struct lease *l, const struct ipc_end *end)
{
    struct job *j = l->job;
    int slot = l->worker->slot;
    release_host(l, end, false);
    lease_back(l, false);
    job_file_failed(j, slot, end->file, end->err);
}

void lease_excluded(struct lease *l)
{
    char detail[64] = "";
    int n = 0;
    const struct host_block *b = l->host->block;
    if (l->exclude == REASON_HOST_UNAVAILABLE && b && b->cause)
        n = snprintf(detail, sizeof detail, "\"detail\":\"%s\"",
                     block_why(b, (enum block_cause)b->cause));
    put_row(l, reason_outcome(l->exclude), l->exclude, detail, (size_t)n, 0, 0);
    lease_free(l);
}

/* ---- deaths ---- */

static void end_of_dead(struct lease *l, bool charged)
{
    struct supervisor *s = l->job->s;
    if (l->grant == GRANT_FREE) {
        struct host_end how = {.grant = GRANT_FREE};
        host_end(&s->hosts, l->host, &how, clock_mono_ns());
    }
    l->worker->held_count--;
    l->worker = NULL;
    list_del(&l->at_worker);
    if (l->state == LEASE_READING || l->job->phase == JOB_FAILING)
        l->state = LEASE_LOST;
    else
        lease_back(l, charged);
}

void leases_of_dead(struct worker *w, uint64_t guilty)
{
    struct supervisor *s = w->s;
    int64_t now_ns = clock_mono_ns();
    s->totals.worker_deaths++;
    while (!list_empty(&w->leases)) {
        struct lease *l = list_of(w->leases.prev, struct lease, at_worker);
        end_of_dead(l, guilty && l->id == guilty);
    }
    bound_died(&s->hosts, &w->bound, w->slot, now_ns);
}

bool leases_forget(struct job *j, size_t most)
{
    struct supervisor *s = j->s;
    int64_t now_ns = clock_mono_ns();
    for (; most && !list_empty(&j->leases); most--) {
        struct lease *l = list_of(j->leases.next, struct lease, of_job);
        struct host_end how = {.grant = l->grant, .told_sent = l->told_sent};
        if (l->worker && l->state == LEASE_READING)
            host_ungrant(&s->hosts, l->host, l->grant);
        else if (l->worker)
            host_end(&s->hosts, l->host, &how, now_ns);
        lease_free(l);
    }
    return list_empty(&j->leases);
}
