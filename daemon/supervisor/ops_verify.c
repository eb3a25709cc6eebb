/* SPDX-License-Identifier: MIT */
/* verify reads all that a job has, which takes as long as it takes: a process of its own does it
 * (daemon/verify/). It reads what is committed, so the job goes on meanwhile. With `repair` a
 * damaged job is mended first (job_repair.c). */
#include <errno.h>
#include <stdlib.h>

#include "common/xalloc.h"
#include "daemon/supervisor/blocks.h"
#include "daemon/supervisor/child.h"
#include "daemon/supervisor/ops.h"
#include "daemon/supervisor/rights.h"
#include "daemon/supervisor/supervisor.h"

/* The directories of the jobs there are and hosts.log, or of one job, behind the words of the
 * command; NULL at the end. Only what is in them is borrowed. */
static char **command(const struct supervisor *s, const struct job *only)
{
    char **argv = xcalloc(list_count(&s->jobs) + 4, sizeof *argv);
    argv[0] = (char *)"crawld";
    argv[1] = (char *)"--verify";
    size_t count = 2;
    list_each(it, &s->jobs)
    {
        const struct job *j = list_of(it, struct job, link);
        if ((!only || j == only) && j->saved)
            argv[count++] = j->dir;
    }
    if (!only)
        argv[count] = (char *)blocks_path(s);
    return argv;
}

static void on_verified(struct request *r, json_t *result)
{
    json_object_update(result, r->result);
    request_ok(r, json_incref(result));
}

static void verify(struct request *r)
{
    char **argv = command(r->s, r->job);
    child_run(r, argv, on_verified);
    free(argv);
}

/* ---- repair ---- */

static void on_repaired(struct job_wait *w, int err)
{
    struct request *r = list_of(w, struct request, job_wait);
    if (err) {
        request_error(r, ERROR_STORAGE, "args.job", "the log of crawld tells what was tried",
                      "job %s is not repaired: %s", r->job->spec.name,
                      err == -ECANCELED ? "the daemon is stopping" : r->job->why);
        return;
    }
    r->result = json_pack("{sI}", "cut_bytes", (json_int_t)r->job->cut_bytes);
    verify(r);
}

static void repair(struct request *r)
{
    const char *why, *state = r->job ? job_state(r->job, &why) : NULL;
    r->job_wait.done = on_repaired;
    if (!r->job)
        request_error(r, ERROR_BAD_ARGUMENT, "args.job", "jobs are repaired one by one",
                      "repair needs a job");
    else if (request_level(r) < LEVEL_OPERATE)
        request_error(r, ERROR_DENIED, NULL, NULL, "repair needs level %s, yours is %s",
                      level_name(LEVEL_OPERATE), level_name(request_level(r)));
    else if (r->s->draining)
        request_error(r, ERROR_SHUTTING_DOWN, NULL, NULL, "the daemon is stopping");
    else if (!job_repair(r->job, &r->job_wait))
        request_error(r, ERROR_WRONG_STATE, "args.job",
                      r->job->phase == JOB_DAMAGED ? "`crawlctl delete --keep-data` only forgets it"
                                                   : "what is damaged, or has ended, is repaired",
                      "job %s is %s%s%s", r->job->spec.name, state, *why ? ": " : "", why);
}

void op_verify(struct request *r)
{
    if (request_flag(r, "repair"))
        repair(r);
    else
        verify(r);
}
