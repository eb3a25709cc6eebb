/* SPDX-License-Identifier: MIT */
/* The lifecycle:
 *
 *   OPENING ──opened──▶ OPEN ──idle and no more adds──▶ CLOSING ──files finished──▶ CLOSED
 *      ▲ ▲                │ write failed                       (done or cancelled)
 *      │ └── every 10 s ──┤
 *      └── all revoked ── FAILING            OPENING ──files contradict──▶ DAMAGED
 *
 * A hold (user, input_cut, disk) stops leasing and nothing else. What can be long (making URLs,
 * ending 2,000,000 of them) runs in slices from `timer`. */
#include "daemon/supervisor/job.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sha1.h"
#include "common/xalloc.h"
#include "daemon/supervisor/job_slices.h"
#include "daemon/supervisor/supervisor.h"

/* Of items and rows not durable: beyond it the disk does not keep up. */
#define PENDING_MAX_BYTES (64u << 20)

struct job *job_new(struct supervisor *s, struct job_spec *take_spec, const char *dir)
{
    struct job *j = xcalloc(1, sizeof *j);
    j->s = s;
    j->id = ++s->next_job_id;
    j->dir = xstrdup(dir);
    j->spec = *take_spec;
    *take_spec = (struct job_spec){0};
    j->spec_text = spec_json(&j->spec);
    j->created_wall_ns = clock_wall_ns();
    j->generator = generator_new(&j->spec);
    j->at = xcalloc((size_t)s->crew.count, sizeof *j->at);
    source_init(&j->source, &(struct pace){
                                .delay_ns = (int64_t)j->spec.pace.delay_ms * NS_PER_MS,
                                .connections = (uint32_t)j->spec.pace.connections_per_host,
                                .per_address = (uint32_t)j->spec.pace.connections_per_ip,
                            });
    j->source.give_up_ns = (int64_t)j->spec.retry.give_up_s * NS_PER_S;
    list_init(&j->leases);
    list_init(&j->reading);
    list_init(&j->save_waiting);
    list_init(&j->save_next);
    list_init(&j->opened_waiting);
    list_init(&j->gone_waiting);
    job_slices_init(j);
    list_add_tail(&s->jobs, &j->link);
    return j;
}

void job_dispose(struct job *j)
{
    if (!j)
        return;
    leases_forget(j, SIZE_MAX);
    hosts_forget(&j->s->hosts, &j->source, SIZE_MAX);
    ev_timer_stop(j->s->loop, &j->timer);
    ledger_free(j->ledger);
    generator_free(j->generator);
    retries_done(&j->retries);
    queue_done(&j->ends);
    json_decref(j->spec_text);
    spec_done(&j->spec);
    list_del(&j->link);
    free(j->unread);
    free(j->files);
    free(j->at);
    free(j->dir);
    free(j);
}

/* ---- the phase ---- */

#define TO(phase) (1u << JOB_##phase)

static const struct {
    const char *name;
    unsigned may_follow;
} phases[] = {
    [JOB_OPENING] = {"opening", TO(OPEN) | TO(DAMAGED) | TO(CLOSED) | TO(SHUT)},
    [JOB_OPEN] = {"open", TO(FAILING) | TO(CLOSING) | TO(CLOSED) | TO(SHUT)},
    [JOB_FAILING] = {"failing", TO(OPENING) | TO(CLOSED) | TO(SHUT)},
    [JOB_CLOSING] = {"closing", TO(FAILING) | TO(CLOSED) | TO(SHUT)},
    [JOB_CLOSED] = {"closed", TO(OPENING)},
    [JOB_DAMAGED] = {"damaged", TO(OPENING) | TO(CLOSED) | TO(SHUT)},
    [JOB_SHUT] = {"shut", 0},
};

void job_enter(struct job *j, enum job_phase to)
{
    assert(phases[j->phase].may_follow & 1u << to);
    log_debug("job job=%s from=%s to=%s", j->spec.name, phases[j->phase].name, phases[to].name);
    j->phase = to;
    if (to != JOB_OPEN)
        source_open(&j->s->hosts, &j->source, false);
}

void job_close(struct job *j)
{
    if (j->phase == JOB_CLOSED)
        return;
    job_enter(j, JOB_CLOSED);
    j->ledger_closing = true;
    ledger_close(j->ledger);
}

/* ---- counts and state ---- */

struct job_counts job_counts(const struct job *j)
{
    struct job_counts c = {
        .accepted = j->accepted_count,
        .queued = j->source.queued_count + j->retries.count + j->feeding_count,
        .in_flight = j->leases_count + j->waiting_count,
        .duplicates = j->duplicates_count,
    };
    memcpy(c.ended, j->ended_count, sizeof c.ended);
    if (j->phase == JOB_FAILING || j->phase == JOB_OPENING || j->phase == JOB_DAMAGED) {
        c.queued = c.accepted;
        for (int o = 0; o < OUTCOME_COUNT; o++)
            c.queued -= c.ended[o];
        c.in_flight = 0;
    }
    return c;
}

struct job_counts jobs_counts(const struct supervisor *s)
{
    struct job_counts sum = {0};
    list_each(it, &s->jobs)
    {
        struct job_counts c = job_counts(list_of(it, struct job, link));
        sum.accepted += c.accepted;
        sum.queued += c.queued;
        sum.in_flight += c.in_flight;
        sum.duplicates += c.duplicates;
        for (int o = 0; o < OUTCOME_COUNT; o++)
            sum.ended[o] += c.ended[o];
    }
    return sum;
}

json_t *job_counts_json(const struct job_counts *c)
{
    return json_pack(
        "{sI sI sI sI sI sI sI sI}", "accepted", (json_int_t)c->accepted, "queued",
        (json_int_t)c->queued, "in_flight", (json_int_t)c->in_flight, "stored",
        (json_int_t)c->ended[OUTCOME_STORED], "dropped", (json_int_t)c->ended[OUTCOME_DROPPED],
        "failed", (json_int_t)c->ended[OUTCOME_FAILED], "excluded",
        (json_int_t)c->ended[OUTCOME_EXCLUDED], "duplicates", (json_int_t)c->duplicates);
}

/* Nothing moves, and hosts of it are blocked. */
static bool all_blocked(const struct job *j)
{
    return j->source.blocked_count && j->source.queued_count && !j->leases_count &&
           !j->waiting_count;
}

static const char *hold_why(const struct job *j)
{
    return j->hold & HOLD_DISK        ? j->why
           : j->s->disk_low           ? "disk_reserve"
           : j->hold & HOLD_USER      ? "user"
           : j->hold & HOLD_INPUT_CUT ? "input_cut"
           : j->cancelled             ? "cancelled"
           : all_blocked(j)           ? "hosts_blocked"
                                      : "";
}

const char *job_state(const struct job *j, const char **ret_why)
{
    *ret_why = j->why;
    switch (j->phase) {
    case JOB_OPENING:
        return job_unread(j) ? "paused" : "new";
    case JOB_DAMAGED:
        return "damaged";
    case JOB_SHUT:
        return "paused";
    case JOB_CLOSED:
        *ret_why = j->cancelled ? "cancelled" : "";
        if (!j->ledger_closing && !j->saving)
            return j->cancelled ? "cancelled" : "done";
        /* fall through */
    case JOB_CLOSING:
        *ret_why = "finishing files";
        return "running";
    case JOB_FAILING:
        return "pausing";
    case JOB_OPEN:
        break;
    }
    *ret_why = hold_why(j);
    if (j->hold || j->s->disk_low)
        return j->leases_count || j->waiting_count ? "pausing" : "paused";
    return "running";
}

bool job_unread(const struct job *j)
{
    return j->phase == JOB_OPENING && j->hold & HOLD_DISK;
}

bool job_idle(const struct job *j)
{
    struct job_counts c = job_counts(j);
    return !c.queued && !c.in_flight && !j->coming_count && queue_empty(&j->ends) &&
           !job_generating(j);
}

static uint64_t pages_begun(const struct job *j)
{
    return j->ended_count[OUTCOME_STORED] + j->ended_count[OUTCOME_DROPPED] +
           j->ended_count[OUTCOME_FAILED] + j->waiting_pages_count + j->leases_fetch_count;
}

uint64_t job_pages_left(const struct job *j)
{
    uint64_t most = j->spec.limits.pages, begun = pages_begun(j);
    return !most ? UINT64_MAX : most > begun ? most - begun : 0;
}

bool job_may_lease(const struct job *j)
{
    if (j->phase != JOB_OPEN || !j->saved || j->hold || j->exclude != REASON_NONE ||
        j->s->disk_low || j->clogged || j->recounting)
        return false;
    if (!job_pages_left(j))
        return false;
    return !j->spec.pace.in_flight || j->leases_fetch_count < j->spec.pace.in_flight;
}

/* The limit is reached when nothing under way can still fall short of it. */
static bool limit_reached(const struct job *j)
{
    const struct job_spec *spec = &j->spec;
    if (spec->limits.seconds &&
        clock_wall_ns() - j->created_wall_ns >= (int64_t)spec->limits.seconds * NS_PER_S)
        return true;
    if (spec->limits.bytes && j->bytes_in >= spec->limits.bytes)
        return true;
    return spec->limits.pages && !j->leases_fetch_count && pages_begun(j) >= spec->limits.pages;
}

void job_tick(struct job *j)
{
    job_files_tick(j);
    bool clogged = j->ledger && ledger_counts(j->ledger).pending_bytes > PENDING_MAX_BYTES;
    if (clogged == j->clogged)
        return;
    j->clogged = clogged;
    job_update(j);
}

void job_update(struct job *j)
{
    if (j->phase == JOB_OPEN && j->exclude == REASON_NONE && !j->recounting && limit_reached(j))
        job_exclude(j, REASON_LIMIT);
    bool open = job_may_lease(j);
    if (open != j->source.open) {
        source_open(&j->s->hosts, &j->source, open);
        if (open)
            supervisor_kick(j->s);
    }
    if (j->phase == JOB_CLOSING && !j->files_count)
        job_close(j);
    if (j->phase != JOB_OPEN)
        return;
    bool whole = ledger_has(j->ledger, LEDGER_LAST) || j->cancelled;
    if (whole && !j->streaming && job_idle(j)) {
        job_enter(j, JOB_CLOSING);
        job_leave_files(j);
        job_update(j);
    }
}

/* ---- taking in ---- */

struct hostq *job_queue(struct job *j, const struct url *u)
{
    struct url_slice name = url_hostname(u);
    uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
    if (u->ip_family == 4)
        memcpy(address + 12, u->ip, 4);
    else if (u->ip_family == 6)
        memcpy(address, u->ip, 16);
    struct host *host = hosts_get(&j->s->hosts, name.p, name.n, u->ip_family ? address : NULL);
    return host_queue(&j->s->hosts, host, &j->source);
}

struct hostq *job_queue_of(struct job *j, const char *url)
{
    struct url *u = &j->s->url;
    url_parse(url, strlen(url), NULL, u);
    return job_queue(j, u);
}

/* Its seq, or 0 for a duplicate. */
static uint64_t take_in(struct job *j, const char *text, size_t len, bool dedup, bool ends)
{
    uint64_t seq = ledger_accept(j->ledger, text, len, dedup && j->spec.dedup, ends);
    if (!seq)
        j->duplicates_count++;
    else if (!j->first_new_seq)
        j->first_new_seq = seq;
    return seq;
}

/* What is known of a URL that ends before it begins. Its row shows the first URL_MAX_GIVEN bytes of
 * the text. */
struct given_end {
    const char *text;
    size_t len;
    bool part;     /* the text is only a part of what was given */
    uint64_t line; /* 0 not known */
};

/* What tells it from others: the text; behind what is cut off, a sum of the whole; behind a part,
 * its line. */
static void end_key(const struct given_end *e, struct buf *out)
{
    char more[64] = "";
    if (e->part) {
        snprintf(more, sizeof more, "#line %llu", (unsigned long long)e->line);
    } else if (e->len > URL_MAX_GIVEN) {
        uint8_t sum[SHA1_BYTES];
        sha1_of(e->text, e->len, sum);
        sha1_base32(sum, more);
    }
    size_t room = URL_MAX_GIVEN - strlen(more);
    buf_clear(out);
    buf_add(out, e->text, e->len < room ? e->len : room);
    buf_adds(out, more);
}

static void end_at_once(struct job *j, const struct given_end *e, enum reason reason,
                        const char *detail)
{
    struct buf key = {0};
    end_key(e, &key);
    uint64_t seq = take_in(j, buf_data(&key), buf_len(&key), !e->part || e->line, true);
    buf_done(&key);
    if (!seq)
        return;
    queue_push(&j->ends, seq);
    size_t shown = e->len < URL_MAX_GIVEN ? e->len : URL_MAX_GIVEN;
    job_row_excluded(j, seq, e->text, shown, reason, detail);
}

static void end_bad(struct job *j, const struct given_end *e, const char *why)
{
    char detail[128];
    if (e->line)
        snprintf(detail, sizeof detail, "line %llu: %s", (unsigned long long)e->line, why);
    else
        snprintf(detail, sizeof detail, "%s", why);
    end_at_once(j, e, REASON_BAD_URL, detail);
}

void job_give_bad(struct job *j, const char *text, size_t len, uint64_t line, const char *why)
{
    end_bad(j, &(struct given_end){text, len, .part = true, .line = line}, why);
}

enum job_given job_give(struct job *j, const char *text, size_t len, uint64_t line)
{
    struct url *u = &j->s->url;
    struct url_slice canon;
    int r = len > URL_MAX_GIVEN ? URL_E_TOO_LONG : url_parse(text, len, NULL, u);
    if (r) {
        end_bad(j, &(struct given_end){text, len, .line = line}, url_strerror(r));
        return GIVEN_EXCLUDED;
    }
    if (url_canon(u, &canon)) {
        end_at_once(j, &(struct given_end){u->href, u->href_len}, REASON_SCHEME, NULL);
        return GIVEN_EXCLUDED;
    }
    if (canon.n > URL_MAX_GIVEN) {
        end_bad(j, &(struct given_end){canon.p, canon.n, .line = line},
                "too long when percent-encoded");
        return GIVEN_EXCLUDED;
    }
    if (!take_in(j, canon.p, canon.n, true, false))
        return GIVEN_KNOWN;
    j->coming_count++;
    return GIVEN_NEW;
}

void job_input_whole(struct job *j)
{
    j->streaming = false;
    j->streamer = NULL;
    j->hold &= ~(unsigned)HOLD_INPUT_CUT;
    if (!j->spec.keep_open)
        ledger_flag(j->ledger, LEDGER_LAST);
    job_update(j);
}

/* ---- what users ask for ---- */

void job_pause(struct job *j, enum job_hold hold)
{
    j->hold |= hold;
    job_update(j);
}

void job_resume(struct job *j)
{
    if (j->hold & HOLD_INPUT_CUT) {
        j->streaming = false;
        if (!j->spec.keep_open)
            ledger_flag(j->ledger, LEDGER_LAST);
    }
    j->hold = HOLD_NONE;
    job_update(j);
}

void job_cancel(struct job *j)
{
    j->cancelled = true;
    j->streaming = false;
    j->hold = HOLD_NONE;
    ledger_flag(j->ledger, LEDGER_CANCEL);
    job_exclude(j, REASON_CANCELLED);
    job_update(j);
}

/* ---- rows ---- */

void job_row(struct job *j, uint64_t seq, enum outcome outcome, const char *row, size_t len,
             uint32_t file, uint64_t end_bytes)
{
    j->waiting_count++;
    j->waiting_pages_count += outcome != OUTCOME_EXCLUDED;
    j->s->totals.ended[outcome]++;
    int r = ledger_row(j->ledger, seq, outcome, row, len, file, end_bytes);
    if (r < 0 && j->phase != JOB_FAILING)
        log_err("row refused job=%s seq=%llu: %s", j->spec.name, (unsigned long long)seq,
                strerror(-r));
}
