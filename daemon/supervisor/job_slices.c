/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/job_slices.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/jsonw.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/supervisor/row.h"
#include "daemon/supervisor/supervisor.h"

#define EXCLUDE_SLICE   2000
#define GENERATE_SLICE  1000
#define FORGET_SLICE    5000
#define GENERATE_AHEAD  20000 /* URLs kept queued by the generator */
#define IDLE_WAIT_NS    (3600 * NS_PER_S)

void job_row_excluded(struct job *j, uint64_t seq, const char *url, size_t len, enum reason reason,
                      const char *detail)
{
    struct buf row = {0};
    char *text = xmemdup0(url, len);
    row_head(&row, seq, text, reason_outcome(reason));
    if (detail)
        jsonw_key_string(&row, "detail", detail);
    row_tail(&row, reason, "", 0);
    j->s->totals.ended[OUTCOME_EXCLUDED]++;
    j->s->totals.by_reason[reason]++;
    ledger_row(j->ledger, seq, OUTCOME_EXCLUDED, buf_data(&row), buf_len(&row), 0, 0);
    free(text);
    buf_done(&row);
}

/* ---- the generator ---- */

enum reason job_generated_url(struct job *j, uint64_t index, struct url_slice *ret_url)
{
    struct supervisor *s = j->s;
    buf_clear(&s->text);
    generator_url(j->generator, index, &s->text);
    size_t n = buf_len(&s->text);
    if (n > URL_MAX_GIVEN || url_parse(buf_data(&s->text), n, NULL, &s->url))
        return REASON_BAD_URL;
    if (!url_is_http(&s->url))
        return REASON_SCHEME;
    return url_canon(&s->url, ret_url) || ret_url->n > URL_MAX_GIVEN ? REASON_BAD_URL : REASON_NONE;
}

bool job_generating(const struct job *j)
{
    return j->generator && !j->cancelled && j->exclude == REASON_NONE && j->ledger &&
           ledger_cursor_now(j->ledger) < generator_count(j->generator);
}

/* Queues the URL of the index, or gives it its row if it is none. new: not taken up by recovery. */
static void take_generated(struct job *j, uint64_t index, bool new)
{
    struct supervisor *s = j->s;
    struct url_slice canon;
    uint64_t seq = j->generated_seq + index;
    enum reason reason = job_generated_url(j, index, &canon);
    if (reason == REASON_NONE) {
        struct hostq *q = job_queue(j, &s->url);
        if (new)
            hosts_push_new(&s->hosts, q, ENTRY(seq, 0, 0), clock_mono_ns());
        else
            hosts_push(&s->hosts, q, ENTRY(seq, 0, 0));
        return;
    }
    j->waiting_count++;
    job_row_excluded(j, seq, buf_data(&s->text), buf_len(&s->text), reason, NULL);
}

static void generate_one(struct job *j, uint64_t index)
{
    ledger_cursor(j->ledger, index + 1);
    j->accepted_count++;
    take_generated(j, index, true);
}

/* True: more is to be made at once. */
static bool generate(struct job *j)
{
    if (j->hold)
        return false;
    for (unsigned n = 0; job_generating(j); n++) {
        if (j->source.queued_count >= GENERATE_AHEAD)
            return false;
        if (n == GENERATE_SLICE)
            return true;
        generate_one(j, ledger_cursor_now(j->ledger));
    }
    return false;
}

void job_generator_recover(struct job *j)
{
    if (!j->generator)
        return;
    j->generated_seq = ledger_generated(j->ledger, generator_count(j->generator));
    j->requeue_from = 0;
    j->requeueing = true;
}

/* What the cursor had passed and was still open, before the generator goes on: it would be among it
 * else. True: there is more. */
static bool requeue(struct job *j)
{
    if (!j->requeueing)
        return false;
    uint64_t open[GENERATE_SLICE];
    size_t n = ledger_generated_open(j->ledger, open, GENERATE_SLICE, j->requeue_from);
    for (size_t i = 0; i < n; i++)
        take_generated(j, open[i], false);
    j->feeding_count -= n;
    j->requeueing = n > 0;
    if (n)
        j->requeue_from = open[n - 1] + 1;
    return n > 0;
}

/* ---- next attempts ---- */

static int64_t take_due(struct job *j, int64_t now_ns)
{
    const struct retry *r;
    unsigned n = 0;
    while ((r = retries_first(&j->retries)) && r->due_ns <= now_ns && n++ < GENERATE_SLICE) {
        struct retry due = *r;
        retries_pop(&j->retries);
        hosts_push(&j->s->hosts, due.queue, due.entry);
    }
    if (n)
        supervisor_kick(j->s);
    return r ? r->due_ns - now_ns : IDLE_WAIT_NS;
}

/* ---- hosts that are given up ---- */

/* How long until the next slice. */
static int64_t give_up(struct job *j)
{
    uint64_t ending = j->leases_count - j->leases_fetch_count, left = job_pages_left(j);
    uint64_t room = ending < EXCLUDE_SLICE ? EXCLUDE_SLICE - ending : 0;
    if (left < UINT64_MAX && left < ending + room)
        room = left > ending ? left - ending : 0;
    if (leases_give_up(j, (unsigned)room))
        return IDLE_WAIT_NS;
    return room ? 0 : 5 * NS_PER_MS;
}

/* ---- the timer ---- */

void job_exclude(struct job *j, enum reason reason)
{
    j->exclude = reason;
    job_slices_run(j);
}

/* The last of a job: its queues, then job.json. */
static int64_t end_slice(struct job *j)
{
    if (j->ledger || !j->ledger_closing)
        return IDLE_WAIT_NS;
    if (!hosts_forget(&j->s->hosts, &j->source, FORGET_SLICE))
        return 0;
    j->ledger_closing = false;
    spec_words_forget(&j->spec);
    const char *why;
    log_notice("job ended job=%s state=%s", j->spec.name, job_state(j, &why));
    job_save(j, NULL);
    return IDLE_WAIT_NS;
}

/* How long until the next slice. */
static int64_t slice(struct job *j)
{
    if (j->phase == JOB_FAILING)
        return job_failure_slice(j);
    if (job_unread(j)) {
        ledger_recover(j->ledger);
        return 10 * NS_PER_S;
    }
    if (j->phase == JOB_CLOSED)
        return end_slice(j);
    if (j->phase != JOB_OPEN)
        return IDLE_WAIT_NS;
    int64_t wait_ns = IDLE_WAIT_NS;
    if (j->hold & HOLD_DISK) {
        wait_ns = j->disk_retry_ns - clock_mono_ns();
        if (wait_ns <= 0) {
            j->hold &= ~(unsigned)HOLD_DISK;
            wait_ns = IDLE_WAIT_NS;
        }
    }
    if (requeue(j)) {
        wait_ns = 0;
    } else if (j->exclude != REASON_NONE) {
        bool room = j->leases_count - j->leases_fetch_count < EXCLUDE_SLICE;
        if (room && !leases_exclude(j, EXCLUDE_SLICE))
            wait_ns = 0;
        else if (j->source.queued_count || j->retries.count)
            wait_ns = 5 * NS_PER_MS;
    } else {
        if (generate(j))
            wait_ns = 0;
        else if (job_generating(j))
            wait_ns = 20 * NS_PER_MS;
        int64_t due_ns = take_due(j, clock_mono_ns()), given_up_ns = give_up(j);
        wait_ns = due_ns < wait_ns ? due_ns : wait_ns;
        wait_ns = given_up_ns < wait_ns ? given_up_ns : wait_ns;
        if (j->spec.limits.seconds && wait_ns > NS_PER_S)
            wait_ns = NS_PER_S;
    }
    job_update(j);
    supervisor_kick(j->s);
    return wait_ns;
}

static void on_timer(EV_P_ ev_timer *t, int revents)
{
    struct job *j = t->data;
    ev_timer_stop(EV_A_ t);
    job_slices_later(j, slice(j));
}

void job_slices_init(struct job *j)
{
    ev_init(&j->timer, on_timer);
    j->timer.data = j;
}

void job_slices_later(struct job *j, int64_t wait_ns)
{
    double wait_s = wait_ns > 0 ? (double)wait_ns / 1e9 : 0;
    struct ev_loop *loop = j->s->loop;
    if (ev_is_active(&j->timer) && ev_timer_remaining(loop, &j->timer) <= wait_s)
        return;
    ev_timer_stop(loop, &j->timer);
    ev_timer_set(&j->timer, wait_s, 0);
    ev_timer_start(loop, &j->timer);
}

void job_slices_run(struct job *j)
{
    job_slices_later(j, 0);
}
