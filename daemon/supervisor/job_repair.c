/* SPDX-License-Identifier: MIT */
/* Repair: while the disk thread cuts, the job is OPENING like one that is read; then it is read.
 * What is cut off is kept beside the journal. A job that had ended is open in job.json before its
 * journal is touched, so that a crash in between leaves one that is read at the next start. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/frontier/verify.h"
#include "daemon/supervisor/job_words.h"
#include "daemon/supervisor/supervisor.h"

struct repair {
    struct disk_op op;
    struct job_wait saved;
    struct job *job; /* borrowed: a job that is OPENING is not deleted */
    uint64_t cut_bytes;
    int err;
};

static void repair_run(struct disk_op *op)
{
    struct repair *r = list_of(op, struct repair, op);
    r->err = job_words_read(r->job->dir, &r->job->spec);
    if (!r->err)
        r->err = verify_repair(r->job->dir, &r->cut_bytes);
}

static void give_up(struct job *j, int err)
{
    if (err == -EUCLEAN || err == -EPROTONOSUPPORT)
        snprintf(j->why, sizeof j->why,
                 "cannot be repaired: the head of frontier.log, its snapshot or a file of words is "
                 "not whole or of another version");
    else
        job_why_disk(j, err, "repair");
    log_err("job not repaired job=%s: %s", j->spec.name, j->why);
    job_enter(j, JOB_DAMAGED);
    job_tell_opened(j, err);
}

static void repair_done(struct disk_op *op)
{
    struct repair *r = list_of(op, struct repair, op);
    struct job *j = r->job;
    int err = r->err;
    j->cut_bytes = r->cut_bytes;
    free(r);
    if (j->s->draining) {
        job_tell_opened(j, -ECANCELED);
    } else if (err) {
        give_up(j, err);
    } else {
        log_notice("job repaired job=%s cut_bytes=%llu kept=frontier.log.cut", j->spec.name,
                   (unsigned long long)j->cut_bytes);
        if (j->ledger)
            ledger_recover(j->ledger);
        else
            job_open(j, false);
    }
}

static void on_saved(struct job_wait *w, int err)
{
    struct repair *r = list_of(w, struct repair, saved);
    struct job *j = r->job;
    if (err) {
        free(r);
        give_up(j, err);
        return;
    }
    disk_ask(j->s->disk, &r->op);
}

bool job_repair(struct job *j, struct job_wait *w)
{
    bool ended = j->phase == JOB_CLOSED && !j->ledger && !j->ledger_closing && !j->saving;
    if (!ended && (j->phase != JOB_DAMAGED || !j->ledger))
        return false;
    job_enter(j, JOB_OPENING);
    j->hold &= ~(unsigned)HOLD_DISK;
    j->ended_wall_ns = 0;
    snprintf(j->why, sizeof j->why, "being repaired");
    list_add_tail(&j->opened_waiting, &w->link);
    struct repair *r = xcalloc(1, sizeof *r);
    r->job = j;
    r->op.run = repair_run;
    r->op.done = repair_done;
    r->saved.done = on_saved;
    job_save(j, &r->saved);
    return true;
}
