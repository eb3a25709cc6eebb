/* SPDX-License-Identifier: MIT */
/* Looking at jobs, pausing, cancelling, deleting them. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/supervisor/job_slices.h"
#include "daemon/supervisor/ops.h"
#include "daemon/supervisor/supervisor.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000

static void add_time(json_t *o, const char *key, int64_t wall_ns)
{
    char iso[CLOCK_ISO_BYTES];
    if (!wall_ns)
        return;
    clock_iso(wall_ns, iso);
    json_object_set_new(o, key, json_string(iso));
}

json_t *op_job_json(const struct job *j, bool full)
{
    const char *why, *state = job_state(j, &why);
    struct job_counts counts = job_counts(j);
    uint64_t committed = j->ledger ? ledger_counts(j->ledger).results_bytes : j->results_bytes;
    json_t *o = json_pack("{ss ss ss sb ss sI sI so}", "name", j->spec.name, "state", state, "why",
                          why, "idle", j->phase != JOB_OPENING && job_idle(j), "dir", j->dir,
                          "committed_bytes", (json_int_t)committed, "bytes_in",
                          (json_int_t)j->bytes_in, "counts", job_counts_json(&counts));
    json_object_set_new(o, "hosts_blocked", json_integer(j->source.blocked_count));
    add_time(o, "created", j->created_wall_ns);
    add_time(o, "ended", j->ended_wall_ns);
    if (full)
        json_object_set(o, "spec", j->spec_text);
    return o;
}

void op_show(struct request *r)
{
    request_ok(r, op_job_json(r->job, true));
}

void op_list(struct request *r)
{
    int64_t limit = request_int(r, "limit", LIST_DEFAULT);
    const char *after = request_text(r, "after");
    json_t *items = json_array();
    bool found = !after, more = false;
    if (!limit || limit > LIST_MAX)
        limit = LIST_MAX;
    list_each(it, &r->s->jobs)
    {
        const struct job *j = list_of(it, struct job, link);
        if (found && (int64_t)json_array_size(items) >= limit) {
            more = true;
            break;
        }
        if (found)
            json_array_append_new(items, op_job_json(j, false));
        else
            found = !strcmp(j->spec.name, after);
    }
    size_t n = json_array_size(items);
    const json_t *last = n ? json_object_get(json_array_get(items, n - 1), "name") : NULL;
    json_t *next = more && last ? json_string(json_string_value(last)) : json_null();
    request_ok(r, json_pack("{so so}", "items", items, "next", next));
}

bool op_must_be_open(struct request *r)
{
    const struct job *j = r->job;
    const char *why, *state = job_state(j, &why), *hint = NULL;
    if (j->phase == JOB_OPEN)
        return true;
    if (job_unread(j))
        hint = "its files are read again every 10 s, then it can be done; delete works now";
    else if (j->phase == JOB_OPENING || j->phase == JOB_FAILING)
        hint = "try again in a moment";
    request_error(r, ERROR_WRONG_STATE, "args.job", hint, "job %s is %s%s%s", j->spec.name, state,
                  *why ? ": " : "", why);
    return false;
}

void op_pause(struct request *r)
{
    if (!op_must_be_open(r))
        return;
    if (r->job->cancelled) {
        request_error(r, ERROR_WRONG_STATE, "args.job", NULL, "job %s is being cancelled",
                      r->job->spec.name);
        return;
    }
    job_pause(r->job, HOLD_USER);
    request_ok_when_saved(r, op_job_json(r->job, false));
}

void op_resume(struct request *r)
{
    if (!op_must_be_open(r))
        return;
    if (!r->job->hold) {
        request_error(r, ERROR_WRONG_STATE, "args.job", NULL, "job %s is not paused",
                      r->job->spec.name);
        return;
    }
    job_resume(r->job);
    job_slices_run(r->job);
    request_ok_when_saved(r, op_job_json(r->job, false));
}

void op_cancel(struct request *r)
{
    if (!op_must_be_open(r))
        return;
    if (!r->job->cancelled)
        job_cancel(r->job);
    request_ok_when_durable(r, op_job_json(r->job, false));
}

/* ---- job.delete ---- */

static void on_deleted(struct job_wait *w, int err)
{
    struct request *r = list_of(w, struct request, job_wait);
    if (err)
        request_storage(r, err);
    else
        request_ok(r, NULL);
}

void op_delete(struct request *r)
{
    struct job *j = r->job;
    const char *why;
    if (job_unread(j) && !j->saving) {
        r->job_wait.done = on_deleted;
        r->job = NULL;
        job_give_up(j, request_flag(r, "keep_data"), &r->job_wait);
        return;
    }
    if ((j->phase != JOB_CLOSED && j->phase != JOB_DAMAGED) || j->ledger_closing || j->saving) {
        request_error(r, ERROR_WRONG_STATE, "args.job", "cancel it and wait for it first",
                      "job %s is %s", j->spec.name, job_state(j, &why));
        return;
    }
    r->job_wait.done = on_deleted;
    job_delete(j, request_flag(r, "keep_data"), &r->job_wait);
    r->job = NULL;
    job_dispose(j);
}
