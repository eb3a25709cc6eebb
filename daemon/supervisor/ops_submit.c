/* SPDX-License-Identifier: MIT */
/* How a job comes to be and how URLs come into it.
 *
 *   job.submit ─▶ directory ─▶ ledger ─▶ seeds durable ─▶ job.json ─▶ answer
 *
 * job.json is written last: a directory without it was never answered for and is removed at the
 * next start. A specification whose word lists do not fit a line comes as a draft: {"upload":true}
 * in the place of a list, the words by job.words, the job itself with the first job.add; the words
 * become files (job_words.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/supervisor/draft.h"
#include "daemon/supervisor/job_slices.h"
#include "daemon/supervisor/job_words.h"
#include "daemon/supervisor/ops.h"
#include "daemon/supervisor/state.h"
#include "daemon/supervisor/supervisor.h"

/* ---- making a job ---- */

struct submission {
    struct disk_op op;
    struct request_work work;
    struct job_wait wait;
    struct ledger_wait ledger_wait;
    struct job *job;         /* borrowed */
    struct request *request; /* borrowed; NULL: nobody waits for the answer */
    int err;
};

static void submission_end(struct submission *m, int err)
{
    struct job *j = m->job;
    struct request *r = m->request;
    if (r)
        r->work = NULL;
    if (err && r)
        request_storage(r, err);
    else if (r)
        request_ok(r, op_job_json(j, false));
    if (err)
        log_err("job not made job=%s: %s", j->spec.name, strerror(-err));
    if (err && !j->s->draining)
        job_abandon(j);
    free(m);
}

static void on_saved(struct job_wait *w, int err)
{
    submission_end(list_of(w, struct submission, wait), err);
}

static void on_durable(struct ledger_wait *w, int err)
{
    struct submission *m = list_of(w, struct submission, ledger_wait);
    m->wait.done = on_saved;
    if (err)
        submission_end(m, err);
    else
        job_save(m->job, &m->wait);
}

static void on_opened(struct job_wait *w, int err)
{
    struct submission *m = list_of(w, struct submission, wait);
    struct job *j = m->job;
    if (err) {
        submission_end(m, err);
        return;
    }
    for (size_t i = 0; i < j->spec.seeds.count; i++)
        job_give(j, j->spec.seeds.v[i].p, j->spec.seeds.v[i].len, 0);
    if (!j->streaming)
        job_input_whole(j);
    m->ledger_wait.done = on_durable;
    ledger_wait(j->ledger, &m->ledger_wait);
    job_slices_run(j);
}

static void make_dir(struct disk_op *op)
{
    struct submission *m = list_of(op, struct submission, op);
    const struct job *j = m->job;
    m->err = mkdir(j->dir, 0750) < 0 ? -errno : 0;
    if (m->err)
        return;
    m->err = job_words_write(j->dir, &j->spec);
    if (m->err)
        state_remove(j->dir);
}

static void made_dir(struct disk_op *op)
{
    struct submission *m = list_of(op, struct submission, op);
    if (m->err || m->job->s->draining) {
        submission_end(m, m->err ? m->err : -ECANCELED);
        return;
    }
    m->wait.done = on_opened;
    list_add_tail(&m->job->opened_waiting, &m->wait.link);
    job_open(m->job, true);
}

/* The job is made all the same. */
static void submission_forget(struct request_work *w)
{
    list_of(w, struct submission, work)->request = NULL;
}

static struct job *make_job(struct supervisor *s, struct job_spec *take_spec, bool more,
                            bool paused, const struct client *streamer, struct request *r)
{
    char *dir = state_job_dir(s, take_spec->name);
    struct job *j = job_new(s, take_spec, dir);
    free(dir);
    j->streaming = more;
    if (paused)
        job_pause(j, HOLD_USER);
    j->streamer = more ? streamer : NULL;
    struct submission *m = xcalloc(1, sizeof *m);
    m->job = j;
    m->request = r;
    m->work.forget = submission_forget;
    if (r)
        r->work = &m->work;
    m->op.run = make_dir;
    m->op.done = made_dir;
    disk_ask(s->disk, &m->op);
    return j;
}

/* ---- job.submit ---- */

static void default_name(struct supervisor *s, struct job_spec *spec)
{
    for (unsigned n = s->next_job_id + 1;
         !spec->name[0] || jobs_named(s, spec->name) || draft_find(s, spec->name); n++)
        snprintf(spec->name, sizeof spec->name, "job-%u", n);
}

static void refuse_spec(struct request *r, const struct spec_error *e)
{
    char field[160];
    snprintf(field, sizeof field, "args.spec%s%s", *e->field ? "." : "", e->field);
    request_error(r, e->unsupported ? ERROR_UNSUPPORTED : ERROR_BAD_ARGUMENT, field,
                  *e->hint ? e->hint : NULL, "%s", e->message);
}

/* False: refused, and the specification is freed. */
static bool may_submit(struct request *r, struct job_spec *spec)
{
    if (spec->pace.robots == SPEC_ROBOTS_IGNORE && !request_may_ignore_robots(r)) {
        request_error(r, ERROR_DENIED, "args.spec.pace.robots",
                      "robots_ignore in crawld.conf says who may",
                      "you may not say robots: ignore");
        spec_done(spec);
        return false;
    }
    if (spec->name[0] && (jobs_named(r->s, spec->name) || draft_find(r->s, spec->name))) {
        request_error(r, ERROR_ALREADY_EXISTS, "args.spec.name",
                      "add to it with `crawlctl add`, or delete it first",
                      "there is a job called %s", spec->name);
        spec_done(spec);
        return false;
    }
    return true;
}

/* {"count": ...} is how job.json says that it has the words; here nobody has them. */
static bool words_to_come(struct request *r, struct job_spec *spec)
{
    for (size_t i = 0; i < spec->words_count; i++) {
        if (!spec->words[i].count || !spec->words[i].apart)
            continue;
        char field[120];
        snprintf(field, sizeof field, "args.spec.words.%s", spec->words[i].name);
        request_error(r, ERROR_BAD_ARGUMENT, field,
                      "a list, {\"from\": 1, \"to\": 100}, or {\"upload\": true} and job.words",
                      "the words themselves are missing");
        spec_done(spec);
        return false;
    }
    return true;
}

/* False: refused, and the specification is freed. */
static bool has_source(struct request *r, struct job_spec *spec)
{
    if (spec->seeds.count || spec->template || spec->keep_open || request_flag(r, "more"))
        return true;
    request_error(r, ERROR_BAD_ARGUMENT, "args.spec",
                  "give it seeds or a template; keep_open, or more: true, if they come by job.add",
                  "the specification has no source of URLs");
    spec_done(spec);
    return false;
}

void op_submit(struct request *r)
{
    struct job_spec spec;
    struct spec_error error;
    if (spec_parse(json_object_get(r->args, "spec"), &spec, &error) < 0) {
        refuse_spec(r, &error);
        return;
    }
    if (!words_to_come(r, &spec) || !has_source(r, &spec) || !may_submit(r, &spec))
        return;
    default_name(r->s, &spec);
    if (request_flag(r, "dry_run")) {
        request_ok(r, json_pack("{ss so}", "name", spec.name, "spec", spec_json(&spec)));
        spec_done(&spec);
    } else if (draft_uploads(&spec)) {
        draft_submit(r, &spec);
    } else {
        make_job(r->s, &spec, request_flag(r, "more"), request_flag(r, "paused"), r->client, r);
    }
}

/* ---- job.add ---- */

static void add_now(struct request *r);

static void on_opened_for_add(struct job_wait *w, int err)
{
    struct request *r = list_of(w, struct request, job_wait);
    if (err)
        request_storage(r, err);
    else
        add_now(r);
}

/* The draft becomes a job; the request goes on when it is open. False: refused. */
static bool promote(struct request *r, struct draft *d)
{
    struct spec_error error;
    if (d->client != r->client) {
        request_error(r, ERROR_WRONG_STATE, "args.job", NULL, "%s still waits for its words",
                      d->spec.name);
        return false;
    }
    bool good = !spec_words_given(&d->spec, &error);
    if (good)
        r->job = make_job(r->s, &d->spec, true, d->paused, r->client, NULL);
    else
        refuse_spec(r, &error);
    draft_free(d);
    return good;
}

static bool may_add(struct request *r)
{
    const char *why, *state = job_state(r->job, &why);
    if (r->job->phase == JOB_OPEN && !r->job->cancelled &&
        (r->job->streaming || r->job->hold & HOLD_INPUT_CUT ||
         !ledger_has(r->job->ledger, LEDGER_LAST)))
        return true;
    bool whole = (r->job->phase == JOB_OPEN || r->job->phase == JOB_CLOSING ||
                  r->job->phase == JOB_CLOSED) &&
                 !r->job->cancelled;
    request_error(r, ERROR_WRONG_STATE, "args.job",
                  "submit it with --keep-open to add URLs later, or submit another job",
                  "job %s is %s%s", r->job->spec.name, state,
                  whole ? " and takes no more URLs: its input has ended" : "");
    return false;
}

void op_add(struct request *r)
{
    const char *name = request_text(r, "job");
    struct draft *d = draft_find(r->s, name);
    if (d && !promote(r, d))
        return;
    if (!r->job)
        r->job = jobs_named(r->s, name);
    if (!r->job) {
        request_error(r, ERROR_NOT_FOUND, "args.job", "`crawlctl jobs` lists the jobs there are",
                      "no job is called %.80s", name);
        return;
    }
    if (r->job->phase == JOB_OPENING && !job_unread(r->job)) {
        r->job_wait.done = on_opened_for_add;
        list_add_tail(&r->job->opened_waiting, &r->job_wait.link);
    } else {
        add_now(r);
    }
}

struct added {
    json_int_t accepted, duplicates, bad;
    uint64_t line; /* of the next item; 0 not known */
};

/* {"line":N} or {"line":N,"bad":"text"}; N 0 is not known */
static bool is_line(const json_t *item)
{
    const json_t *line = json_object_get(item, "line"), *bad = json_object_get(item, "bad");
    return json_is_integer(line) && json_integer_value(line) >= 0 &&
           (!bad || json_is_string(bad)) && json_object_size(item) == (bad ? 2 : 1);
}

/* All are looked at before the first is taken. False: refused. */
static bool items_good(struct request *r, const json_t *urls)
{
    for (size_t i = 0; i < json_array_size(urls); i++) {
        const json_t *item = json_array_get(urls, i);
        char field[40];
        if (json_is_string(item) || is_line(item))
            continue;
        snprintf(field, sizeof field, "args.urls[%zu]", i);
        request_error(
            r, ERROR_BAD_ARGUMENT, field,
            "what is no text goes as {\"line\":N,\"bad\":\"escaped\"}; {\"line\":N} is the "
            "number of the next item",
            "urls holds strings");
        return false;
    }
    return true;
}

static void add_item(struct job *j, const json_t *item, struct added *sum)
{
    const json_t *bad = json_object_get(item, "bad"), *line = json_object_get(item, "line");
    if (line)
        sum->line = (uint64_t)json_integer_value(line);
    if (line && !bad)
        return;
    if (bad) {
        job_give_bad(j, json_string_value(bad), json_string_length(bad), sum->line,
                     "no text, or too long");
        sum->bad++;
    } else {
        enum job_given given =
            job_give(j, json_string_value(item), json_string_length(item), sum->line);
        sum->accepted += given == GIVEN_NEW;
        sum->duplicates += given == GIVEN_KNOWN;
        sum->bad += given == GIVEN_EXCLUDED;
    }
    sum->line += sum->line > 0;
}

static void add_now(struct request *r)
{
    const json_t *urls = json_object_get(r->args, "urls");
    if (!may_add(r) || !items_good(r, urls))
        return;
    struct job *j = r->job;
    struct added sum = {.line = (uint64_t)request_int(r, "line", 0)};
    for (size_t i = 0; i < json_array_size(urls); i++)
        add_item(j, json_array_get(urls, i), &sum);
    if (request_flag(r, "last"))
        job_input_whole(j);
    job_slices_run(j);
    request_ok_when_durable(r, json_pack("{sI sI sI}", "accepted", sum.accepted, "duplicates",
                                         sum.duplicates, "bad", sum.bad));
}

void op_finish(struct request *r)
{
    struct job *j = r->job;
    if (!op_must_be_open(r))
        return;
    ledger_flag(j->ledger, LEDGER_LAST);
    j->streaming = false;
    request_ok_when_durable(r, NULL);
    job_update(j);
}
