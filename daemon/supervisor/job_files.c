/* SPDX-License-Identifier: MIT */
/* Who has which WARC file. A worker that holds leases of the job has at most one current file and,
 * after a rotation, old ones it has not left yet. A file is finished by the ledger when its worker
 * has left it, failed to write it, or died. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/supervisor/job.h"
#include "daemon/supervisor/supervisor.h"

/* A file is made for the process in the slot, not for its successor. */
static uint64_t cookie_of(const struct worker *w)
{
    return (uint64_t)w->slot << 32 | (uint32_t)w->pid;
}

static void want_file(struct job *j, int slot)
{
    struct job_at *at = &j->at[slot];
    if (at->asked || j->phase != JOB_OPEN || j->spec.store.format == SPEC_NONE)
        return;
    at->asked = true;
    ledger_file_new(j->ledger, cookie_of(&j->s->crew.workers[slot]));
}

/* The specification without its URLs: they come as leases, and lists of words can be long. */
static char *text_for_worker(const struct job *j)
{
    static const char *const left_out[] = {"seeds", "template", "words", "combine"};
    json_t *spec = json_copy(j->spec_text);
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        json_object_del(spec, left_out[i]);
    char *text = json_dumps(spec, JSON_COMPACT);
    json_decref(spec);
    return text;
}

void job_tell(struct job *j, int slot)
{
    struct job_at *at = &j->at[slot];
    if (!at->told) {
        char *text = text_for_worker(j);
        ipc_add_text(&j->s->crew.workers[slot].ipc, IPC_JOB, j->id, text, strlen(text));
        free(text);
        at->told = true;
    }
    if (!at->file)
        want_file(j, slot);
}

void job_file_made(struct job *j, uint64_t cookie, uint32_t file, int fd, const char *name)
{
    int slot = (int)(cookie >> 32);
    struct worker *w = &j->s->crew.workers[slot];
    struct job_at *at = &j->at[slot];
    if (cookie == cookie_of(w))
        at->asked = false;
    if (!file)
        return;
    j->files = xrealloc(j->files, (j->files_count + 1) * sizeof *j->files);
    j->files[j->files_count++] = (struct job_file){.file = file, .slot = slot};
    int r = worker_alive(w) && cookie == cookie_of(w) && j->phase == JOB_OPEN
                ? ipc_add_file(&w->ipc, j->id, file, name, fd)
                : -ESRCH;
    if (r < 0) {
        if (r != -ESRCH)
            log_err("cannot pass a file worker=%d: %s", slot, strerror(-r));
        job_file_left(j, file);
        return;
    }
    at->file = file;
}

void job_file_left(struct job *j, uint32_t file)
{
    for (size_t i = 0; i < j->files_count; i++) {
        if (j->files[i].file != file)
            continue;
        struct job_at *at = &j->at[j->files[i].slot];
        if (at->file == file)
            at->file = 0;
        j->files[i] = j->files[--j->files_count];
        if (j->ledger)
            ledger_file_finish(j->ledger, file);
        job_update(j);
        return;
    }
}

void job_file_grew(struct job *j, int slot, uint32_t file, uint64_t end_bytes)
{
    if (file)
        j->wfail_count = 0;
    if (file && j->at[slot].file == file && j->spec.store.rotate_bytes &&
        end_bytes >= j->spec.store.rotate_bytes)
        want_file(j, slot);
}

/* The first WFAIL of a file gives it up; those of the leases behind it come later. */
void job_file_failed(struct job *j, int slot, uint32_t file, int err)
{
    for (size_t i = 0; i < j->files_count; i++) {
        if (j->files[i].file != file || j->files[i].slot != slot)
            continue;
        job_disk_full(j, err);
        job_file_left(j, file);
        break;
    }
    if (!j->at[slot].file && j->s->crew.workers[slot].held_count)
        want_file(j, slot);
}

void job_files_tick(struct job *j)
{
    for (int slot = 0; slot < j->s->crew.count && j->leases_fetch_count; slot++) {
        const struct worker *w = &j->s->crew.workers[slot];
        if (j->at[slot].told && !j->at[slot].file && worker_alive(w) && w->held_count)
            want_file(j, slot);
    }
}

void job_leave_files(struct job *j)
{
    for (int slot = 0; slot < j->s->crew.count; slot++) {
        if (j->at[slot].told && worker_alive(&j->s->crew.workers[slot]))
            ipc_add_number(&j->s->crew.workers[slot].ipc, IPC_JOB_GONE, j->id);
        j->at[slot] = (struct job_at){0};
    }
}

void jobs_worker_died(struct supervisor *s, int slot)
{
    list_each(it, &s->jobs)
    {
        struct job *j = list_of(it, struct job, link);
        j->at[slot].file = 0;
        for (size_t i = j->files_count; i-- > 0;)
            if (j->files[i].slot == slot)
                job_file_left(j, j->files[i].file);
        if (j->at[slot].revoking)
            job_revoked(j, slot);
        j->at[slot] = (struct job_at){0};
    }
}
