/* SPDX-License-Identifier: MIT */
/* A write or fsync of the job failed (the protocol's rule 10): every worker gives up the job's
 * leases, records and files and says so; silent ones are killed; then the job is read again from
 * disk by the same code as after a crash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/supervisor/job_slices.h"
#include "daemon/supervisor/supervisor.h"

#define LEASES_SLICE 5000
#define FORGET_SLICE 20000
#define REVOKE_NS    (10 * NS_PER_S)
#define RETRY_NS     (10 * NS_PER_S)

static bool revoked_by_all(const struct job *j)
{
    for (int slot = 0; slot < j->s->crew.count; slot++)
        if (j->at[slot].revoking)
            return false;
    return true;
}

static void kill_silent(struct job *j)
{
    for (int slot = 0; slot < j->s->crew.count; slot++)
        if (j->at[slot].revoking && worker_alive(&j->s->crew.workers[slot]))
            worker_kill(&j->s->crew.workers[slot], "did not give up a job's files");
}

void job_failed(struct job *j, int err, const char *what)
{
    struct supervisor *s = j->s;
    log_err("disk failed job=%s what=%s: %s", j->spec.name, what, strerror(abs(err)));
    job_enter(j, JOB_FAILING);
    job_why_disk(j, err, what);
    j->revoke_until_ns = clock_mono_ns() + REVOKE_NS;
    j->unread_count = 0;
    for (int slot = 0; slot < s->crew.count; slot++) {
        struct worker *w = &s->crew.workers[slot];
        bool told = j->at[slot].told && w->pid;
        j->at[slot] = (struct job_at){.told = told, .revoking = told};
        if (told && worker_alive(w))
            ipc_add_number(&w->ipc, IPC_REVOKE, j->id);
    }
    j->files_count = 0;
    j->waiting_count = j->waiting_pages_count = j->feeding_count = j->coming_count = 0;
    retries_done(&j->retries);
    queue_done(&j->ends);
    job_slices_run(j);
    supervisor_kick(s);
}

void job_revoked(struct job *j, int slot)
{
    j->at[slot].revoking = false;
    job_slices_run(j);
}

int64_t job_failure_slice(struct job *j)
{
    if (!leases_forget(j, LEASES_SLICE) || !hosts_forget(&j->s->hosts, &j->source, FORGET_SLICE))
        return 0;
    if (!revoked_by_all(j)) {
        if (clock_mono_ns() > j->revoke_until_ns)
            kill_silent(j);
        return 10 * NS_PER_MS;
    }
    if (j->abandoned) {
        job_close(j);
        return RETRY_NS;
    }
    job_enter(j, JOB_OPENING);
    j->hold |= HOLD_DISK;
    j->recovered = true;
    ledger_recover(j->ledger);
    return RETRY_NS;
}

void job_why_disk(struct job *j, int err, const char *what)
{
    const char *name = strerrorname_np(abs(err));
    snprintf(j->why, sizeof j->why, "%s: %s (%s)", name ? name : "error", strerror(abs(err)), what);
}

void job_disk_full(struct job *j, int err)
{
    unsigned doublings = j->wfail_count < 4 ? j->wfail_count : 4;
    int64_t wait_ns = NS_PER_S << doublings;
    j->wfail_count++;
    j->disk_retry_ns = clock_mono_ns() + (wait_ns < RETRY_NS ? wait_ns : RETRY_NS);
    job_why_disk(j, err, "writing a WARC file");
    log_err("WARC file not written job=%s: %s; held for ms=%lld", j->spec.name, j->why,
            (long long)((j->disk_retry_ns - clock_mono_ns()) / NS_PER_MS));
    job_pause(j, HOLD_DISK);
    job_slices_later(j, j->disk_retry_ns - clock_mono_ns());
}
