/* SPDX-License-Identifier: MIT */
/* The control socket: clients, their lines, their level, replies. What a request does is in the
 * files ops_*.c, one row of ops.def each.
 *
 * Bounds: CONTROL_CLIENTS_MAX clients (beyond it the longest idle one is closed), JSONL_LINE_BYTES a
 * line, CONTROL_OUTSTANDING_MAX requests not answered, CONTROL_OUT_MAX bytes of replies not read:
 * beyond the last two the client is not read from. A line must be whole within 10 s. */
#ifndef SUPERVISOR_CONTROL_H
#define SUPERVISOR_CONTROL_H

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"
#include "common/list.h"
#include "daemon/frontier/ledger.h"
#include "daemon/supervisor/job.h"

#define CONTROL_CLIENTS_MAX     2048
#define CONTROL_OUTSTANDING_MAX 32
#define CONTROL_OUT_MAX         (1u << 20)

struct supervisor;
struct client;

enum level { LEVEL_NONE, LEVEL_READ, LEVEL_OPERATE, LEVEL_ADMIN };

/* What works for a request in slices or elsewhere. Embedded. */
struct request_work {
    void (*forget)(struct request_work *w); /* the request goes away */
};

/* One request from its line to its reply; owned by the client until request_ok() or
 * request_error(), which free it. */
struct request {
    struct list link;       /* in client->requests */
    struct supervisor *s;   /* borrowed */
    struct client *client;  /* borrowed; a request ends with its client */
    json_t *id, *args;      /* owned */
    struct job *job;        /* borrowed; looked up from args.job; NULL if the op takes none */
    json_t *result;         /* owned; for ops that answer later */
    struct request_work *work; /* borrowed; NULL none */
    struct ledger_wait ledger_wait;
    struct job_wait job_wait;
};

/* Listens; an inherited socket (LISTEN_FDS) is used if there is one. 0 or -errno, said in the log. */
int control_start(struct supervisor *s);
void control_done(struct supervisor *s);

/* Once a second: idle lines. */
void control_tick(struct supervisor *s);

/* The reply; frees the request. take_result NULL: {}. */
void request_ok(struct request *r, json_t *take_result);
void request_error(struct request *r, enum error_code code, const char *field, const char *hint,
                   const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* For -errno: `storage`. */
void request_storage(struct request *r, int err);

enum level request_level(const struct request *r);
bool request_may_ignore_robots(const struct request *r);

/* Answers with take_result when everything given to the job so far is durable. */
void request_ok_when_durable(struct request *r, json_t *take_result);

/* Answers with take_result when job.json is written. */
void request_ok_when_saved(struct request *r, json_t *take_result);

/* Arguments: NULL/default if absent; a wrong type has been refused by ops.def's types. */
const char *request_text(const struct request *r, const char *name);
int64_t request_int(const struct request *r, const char *name, int64_t otherwise);
bool request_flag(const struct request *r, const char *name);

#endif
