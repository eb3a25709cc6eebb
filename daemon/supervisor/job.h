/* SPDX-License-Identifier: MIT */
/* A job: its specification, its ledger, its part of the hosts' queues and its lifecycle.
 *
 *   accepted = queued + in_flight + ended      (promise 4; job_counts() reads it, in one place)
 *
 * queued: entries in the hosts' queues and URLs waiting for their next attempt. in_flight: leases
 * and rows waiting for their COMMIT. */
#ifndef SUPERVISOR_JOB_H
#define SUPERVISOR_JOB_H

#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "common/spec.h"
#include "common/url.h"
#include "daemon/frontier/generator.h"
#include "daemon/frontier/host.h"
#include "daemon/frontier/ledger.h"
#include "daemon/supervisor/retry.h"

struct supervisor;
struct job;
struct lease;

/* Told when a job's next news come; owners cancel by list_del(&w->link). */
struct job_wait {
    struct list link;
    void (*done)(struct job_wait *w, int err);
};

enum job_phase {
    JOB_OPENING, /* files are being made or recovered */
    JOB_OPEN,
    JOB_FAILING, /* a write failed: workers are giving everything back */
    JOB_CLOSING, /* nothing left to do: files are being finished */
    JOB_CLOSED,  /* done or cancelled: no ledger, no descriptors */
    JOB_DAMAGED, /* its files contradict each other */
    JOB_SHUT,    /* the daemon ends: committed and put away as it is */
};

/* Why nothing is leased; bits, each is taken away by what ends it. */
enum job_hold {
    HOLD_NONE = 0,
    HOLD_USER = 1,      /* until resumed */
    HOLD_INPUT_CUT = 2, /* until the rest comes, or resumed without it */
    HOLD_DISK = 4,      /* until the disk takes what is written */
};

struct job_counts {
    uint64_t accepted, queued, in_flight, ended[OUTCOME_COUNT], duplicates;
};

/* What one worker has of the job. */
struct job_at {
    bool told;      /* JOB was sent */
    bool asked;     /* a file is being made for it */
    bool revoking;  /* REVOKE was sent, REVOKED not heard */
    uint32_t file;  /* its current WARC file, 0 none */
};

struct job_file {
    uint32_t file;
    int slot; /* whose it is; -1: being finished */
};

struct job {
    struct list link;      /* in supervisor->jobs */
    struct supervisor *s;  /* borrowed root */
    uint32_t id;
    char *dir;             /* owned */
    struct job_spec spec;  /* owned; name is set */
    json_t *spec_text;     /* owned; as shown and saved */
    struct source source;
    struct ledger *ledger; /* owned; NULL when CLOSED */
    enum job_phase phase;  /* set by job_enter() alone */
    unsigned hold;         /* enum job_hold */
    char why[512];         /* for a person: what is damaged, what the disk said */
    bool saved;            /* job.json is there: its submission can be answered, it may be fetched */
    bool abandoned;        /* goes when its ledger is closed */
    bool keep_files;       /* but its files do not */
    int64_t revoke_until_ns; /* FAILING: workers that have not given up by then are killed */
    int64_t disk_retry_ns; /* OPEN and HOLD_DISK: until then */
    unsigned wfail_count;  /* files that could not be written, one after another */
    bool recounting;       /* its rows are being read for its limits: nothing is leased */
    bool streaming;        /* submitted with `more`, `last` has not come */
    const void *streamer;  /* the client that streams; compared only */
    bool cancelled;
    bool recovered;        /* was there at this daemon's start, or read again after a failure */
    bool clogged;          /* more is pending than the disk takes: nothing new is leased */
    bool ledger_closing;   /* CLOSED, its files and queues not yet */
    enum reason exclude;   /* every queued URL ends with this rule; NONE: fetch them */
    int64_t created_wall_ns, ended_wall_ns;

    uint64_t accepted_count, duplicates_count, ended_count[OUTCOME_COUNT];
    uint64_t coming_count;        /* given, not durable yet: in no count */
    uint64_t feeding_count;       /* found open at recovery, not in a queue yet: counted as queued */
    uint64_t first_new_seq;       /* of what was given since; 0 none */
    uint64_t waiting_count;       /* rows put, not committed */
    uint64_t waiting_pages_count; /* of them not excluded */
    uint64_t leases_count, leases_fetch_count;
    uint64_t bytes_in;            /* of the answers of ended URLs */
    uint64_t results_bytes;       /* committed */
    uint64_t cut_bytes;           /* of its journal, by the last repair */
    struct queue ends;            /* seqs accepted with `ends`, rows not committed */
    struct list leases;           /* all of them */
    struct list reading;          /* leases whose text is being read, in order */
    uint64_t *unread;             /* owned; seqs of the last of `reading`, not asked for yet */
    unsigned unread_count;
    struct retries retries;       /* URLs waiting for their next attempt */
    struct generator *generator;  /* owned; NULL if none */
    uint64_t requeue_from;        /* next of the generator's open URLs to queue after recovery */
    bool requeueing;              /* there may be some */
    uint64_t generated_seq;       /* seq of its first URL */
    struct job_at *at;            /* owned; one per worker slot */
    struct job_file *files;       /* owned; open WARC files */
    size_t files_count;
    ev_timer timer;               /* next slice, next attempt at recovery */

    struct disk_op save_op;       /* writing job.json */
    char *save_text;              /* owned while saving */
    int save_err;
    bool saving, save_again;
    struct list save_waiting;     /* job_wait, for the save under way */
    struct list save_next;        /* job_wait, for the one after it */
    struct list opened_waiting;   /* job_wait: told when OPENING is over */
    struct list gone_waiting;     /* job_wait: told when an abandoned one is deleted */
};

/* Borrows nothing: takes spec. The job is in OPENING without a ledger. */
struct job *job_new(struct supervisor *s, struct job_spec *take_spec, const char *dir);
void job_dispose(struct job *j);

/* Changes the phase: to one that may follow, else the program is wrong and aborts. Outside of OPEN
 * nothing is leased. */
void job_enter(struct job *j, enum job_phase to);

/* Into CLOSED: the ledger commits what it has and goes. */
void job_close(struct job *j);

/* Tells those who wait for the job to be open. */
void job_tell_opened(struct job *j, int err);

/* Makes or recovers its files. */
void job_open(struct job *j, bool create);

/* It could not be made: what there is of it goes away. */
void job_abandon(struct job *j);

/* The disk does not let it be read; that is tried again. */
bool job_unread(const struct job *j);

/* Deletes a job that is unread, or, with `keep`, only forgets it. */
void job_give_up(struct job *j, bool keep, struct job_wait *w);

/* What became of a given URL. */
enum job_given { GIVEN_NEW, GIVEN_KNOWN, GIVEN_EXCLUDED };

/* Takes in a URL as given (any bytes). `line`: its number in the list, 0 if unknown; it stands in
 * the row of what is no URL. */
enum job_given job_give(struct job *j, const char *text, size_t len, uint64_t line);

/* The same for what the client could not send as a string: it is no URL, `text` shows a part of it.
 * Two such are the same only if they come from the same line. */
void job_give_bad(struct job *j, const char *text, size_t len, uint64_t line, const char *why);

/* `last`: the input is whole. */
void job_input_whole(struct job *j);

void job_pause(struct job *j, enum job_hold hold);
void job_resume(struct job *j);
void job_cancel(struct job *j);

/* Once a second: does the disk keep up, has each worker its file? */
void job_tick(struct job *j);

/* Recomputes whether it may be leased from, whether it is idle or done. After every change. */
void job_update(struct job *j);

/* Pages that limits.pages still allows; UINT64_MAX without the limit. */
uint64_t job_pages_left(const struct job *j);

/* May one more URL be leased now? */
bool job_may_lease(const struct job *j);
bool job_idle(const struct job *j);

struct job_counts job_counts(const struct job *j);

/* The sum over all jobs. */
struct job_counts jobs_counts(const struct supervisor *s);

/* "running", and why (may be empty). */
const char *job_state(const struct job *j, const char **ret_why);

/* counts as JSON; a new reference. */
json_t *job_counts_json(const struct job_counts *c);

/* Writes job.json; w (may be NULL) is told when it is on disk. */
void job_save(struct job *j, struct job_wait *w);
char *job_text(const struct job *j);

/* The job's queue at the URL's host. */
struct hostq *job_queue(struct job *j, const struct url *u);
struct hostq *job_queue_of(struct job *j, const char *url);

/* Canonical URL of the generator's index, valid until the next call; or by which rule it is none. */
enum reason job_generated_url(struct job *j, uint64_t index, struct url_slice *ret_url);

static inline struct job *job_of(struct source *source)
{
    return list_of(source, struct job, source);
}

/* Deletes a job that is closed or damaged, or, with `keep`, only forgets it. */
void job_delete(struct job *j, bool keep, struct job_wait *w);

/* A row is put: its URL waits for the COMMIT. */
void job_row(struct job *j, uint64_t seq, enum outcome outcome, const char *row, size_t len,
             uint32_t file, uint64_t end_bytes);

/* ---- files (job_files.c) ---- */

/* The worker needs the job: tells it the specification and has a file made. */
void job_tell(struct job *j, int slot);
void job_file_made(struct job *j, uint64_t cookie, uint32_t file, int fd, const char *name);
void job_file_left(struct job *j, uint32_t file);
void job_file_grew(struct job *j, int slot, uint32_t file, uint64_t end_bytes);
void job_file_failed(struct job *j, int slot, uint32_t file, int err);
void job_leave_files(struct job *j);

/* Once a second: a file that could not be made or passed on is asked for again. */
void job_files_tick(struct job *j);

/* ---- limits (job_recount.c) ---- */

/* Counts bytes and pages per host anew from the committed rows, if the job has such limits. */
void job_recount(struct job *j);

/* ---- repair (job_repair.c) ---- */

/* A damaged job, or one that has ended: its journal is cut back to what the other files bear out,
 * then it is recovered and goes on. False: its phase does not allow that. w is told when it is open
 * again, or cannot be (j->why). */
bool job_repair(struct job *j, struct job_wait *w);

/* ---- failure (job_failure.c) ---- */
void job_failed(struct job *j, int err, const char *what);
void job_revoked(struct job *j, int slot);

/* One slice of giving up; how long until the next. */
int64_t job_failure_slice(struct job *j);

/* A worker could not write a WARC file: nothing more is to be written for a while. */
void job_disk_full(struct job *j, int err);

/* "ENOSPC: No space left on device (commit)". */
void job_why_disk(struct job *j, int err, const char *what);

#endif
