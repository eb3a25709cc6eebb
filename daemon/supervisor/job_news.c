/* SPDX-License-Identifier: MIT */
/* What a job's ledger tells: its files are open, URLs are durable and may be queued, rows are
 * durable, a write failed, all is closed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/supervisor/job_slices.h"
#include "daemon/supervisor/supervisor.h"

/* What ends_at_once() took in but a crash kept from its row. */
static void end_unfit(struct job *j, const struct ledger_url *u, enum reason reason)
{
    j->waiting_count++;
    job_row_excluded(j, u->seq, u->url, u->len, reason, NULL);
}

static void on_queued(void *owner, const struct ledger_url *urls, size_t count)
{
    struct job *j = owner;
    int64_t now_ns = clock_mono_ns();
    for (size_t i = 0; i < count; i++) {
        struct url *u = &j->s->url;
        bool fed = !j->first_new_seq || urls[i].seq < j->first_new_seq;
        j->feeding_count -= fed;
        j->coming_count -= !fed;
        j->accepted_count += !fed;
        if (url_parse(urls[i].url, urls[i].len, NULL, u)) {
            end_unfit(j, &urls[i], REASON_BAD_URL);
        } else if (!url_is_http(u)) {
            end_unfit(j, &urls[i], REASON_SCHEME);
        } else if (fed) {
            hosts_push(&j->s->hosts, job_queue(j, u), ENTRY(urls[i].seq, 0, 0));
        } else {
            hosts_push_new(&j->s->hosts, job_queue(j, u), ENTRY(urls[i].seq, 0, 0), now_ns);
        }
    }
    job_update(j);
    job_slices_run(j);
    supervisor_kick(j->s);
}

static void on_ended(void *owner, uint64_t seq, enum outcome outcome)
{
    struct job *j = owner;
    if (!queue_empty(&j->ends) && queue_first(&j->ends) == seq) {
        queue_pop(&j->ends);
        j->accepted_count++;
    } else {
        j->waiting_count--;
        j->waiting_pages_count -= outcome != OUTCOME_EXCLUDED;
    }
    j->ended_count[outcome]++;
    if (j->phase == JOB_OPEN && (!j->waiting_count || j->spec.limits.pages))
        job_update(j);
}

static void on_read(void *owner, const struct ledger_url *urls, size_t count)
{
    leases_texts(owner, urls, count);
}

static void on_file(void *owner, uint64_t cookie, uint32_t file, int fd, const char *name)
{
    job_file_made(owner, cookie, file, fd, name);
}

static void on_failed(void *owner, int err, const char *what)
{
    job_failed(owner, err, what);
}

void job_tell_opened(struct job *j, int err)
{
    while (!list_empty(&j->opened_waiting)) {
        struct job_wait *w = list_of(j->opened_waiting.next, struct job_wait, link);
        list_del(&w->link);
        w->done(w, err);
    }
}

static void on_closed(void *owner)
{
    struct job *j = owner;
    struct ledger_counts c = ledger_counts(j->ledger);
    j->results_bytes = c.results_bytes;
    ledger_free(j->ledger);
    j->ledger = NULL;
    if (j->phase == JOB_SHUT) {
        job_tell_opened(j, -ECANCELED);
        supervisor_ledger_closed(j->s);
        return;
    }
    if (j->abandoned) {
        struct list *waits = list_empty(&j->gone_waiting) ? NULL : j->gone_waiting.next;
        if (waits)
            list_del(waits);
        job_delete(j, j->keep_files, waits ? list_of(waits, struct job_wait, link) : NULL);
        job_dispose(j);
        return;
    }
    j->ended_wall_ns = clock_wall_ns();
    job_slices_run(j);
}

/* What recovery found. */
static void take_over(struct job *j)
{
    struct ledger_counts c = ledger_counts(j->ledger);
    memcpy(j->ended_count, c.ended, sizeof c.ended);
    j->duplicates_count = c.duplicates;
    j->accepted_count = j->feeding_count = c.accepted;
    for (int o = 0; o < OUTCOME_COUNT; o++)
        j->feeding_count -= c.ended[o];
    j->first_new_seq = j->coming_count = 0;
    j->hold &= ~(unsigned)HOLD_DISK;
    if (ledger_has(j->ledger, LEDGER_CANCEL))
        j->cancelled = true;
    if (j->cancelled)
        job_exclude(j, REASON_CANCELLED);
    bool whole = ledger_has(j->ledger, LEDGER_LAST) || j->cancelled;
    if (whole)
        j->streaming = false;
    if (!whole && !j->streamer && !j->spec.keep_open && j->recovered)
        job_pause(j, HOLD_INPUT_CUT);
    if (j->recovered)
        job_recount(j);
    job_generator_recover(j);
}

static void on_opened(void *owner, int err, const char *why, uint64_t torn_bytes)
{
    struct job *j = owner;
    if (torn_bytes)
        log_warning("journal had a torn tail, cut job=%s bytes=%llu", j->spec.name,
                    (unsigned long long)torn_bytes);
    if (err == -EUCLEAN || err == -EPROTONOSUPPORT) {
        job_enter(j, JOB_DAMAGED);
        snprintf(j->why, sizeof j->why, "%s", why ? why : "");
        log_err("job is damaged job=%s: %s", j->spec.name, j->why);
    } else if (err < 0) {
        job_why_disk(j, err, j->recovered ? "recovery" : "making its files");
        job_pause(j, HOLD_DISK);
        log_err("cannot read the job job=%s: %s; again in 10 s", j->spec.name, j->why);
        job_slices_later(j, 10 * NS_PER_S);
    } else {
        job_enter(j, JOB_OPEN);
        take_over(j);
    }
    job_tell_opened(j, err);
    job_update(j);
    if (j->phase == JOB_OPEN)
        job_slices_run(j);
    supervisor_job_opened(j->s);
}

static const struct ledger_ops ops = {
    .opened = on_opened,
    .queued = on_queued,
    .ended = on_ended,
    .read = on_read,
    .file = on_file,
    .failed = on_failed,
    .closed = on_closed,
};

void job_abandon(struct job *j)
{
    j->abandoned = true;
    if (!j->ledger) {
        job_tell_opened(j, -ECANCELED);
        job_dispose(j);
    } else if (j->phase != JOB_FAILING) {
        job_close(j);
    }
}

void job_give_up(struct job *j, bool keep, struct job_wait *w)
{
    log_notice("job is given up unread job=%s: %s", j->spec.name, j->why);
    j->keep_files = keep;
    list_add_tail(&j->gone_waiting, &w->link);
    job_abandon(j);
}

void job_open(struct job *j, bool create)
{
    const struct options *o = j->s->options;
    bool gzip = j->spec.store.compress == SPEC_GZIP;
    j->ledger = ledger_new(j->s->disk, j->s->loop, j->dir, gzip ? ".warc.gz" : ".warc",
                           (enum ledger_durability)o->durability, o->commit_interval_ms * NS_PER_MS,
                           &ops, j);
    j->recovered = !create;
    int64_t age_ns = clock_wall_ns() - j->created_wall_ns;
    j->source.begun_ns = clock_mono_ns() - (age_ns > 0 ? age_ns : 0);
    if (create)
        ledger_create(j->ledger);
    else
        ledger_open(j->ledger);
}
