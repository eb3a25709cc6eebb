/* SPDX-License-Identifier: MIT */
/* Bulk input into a job: URLs and words are packed into request lines just under the daemon's
 * limit and pipelined; the replies' sums are kept.
 *
 * upload_init ▸ upload_url* ▸ upload_finish. All return 0 or the exit code of a complaint. */
#ifndef CTL_UPLOAD_H
#define CTL_UPLOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/input.h"
#include "ctl/jobflags.h"

struct upload {
    struct client *client; /* borrowed */
    const char *job;       /* borrowed */
    struct buf *line;      /* the client's; NULL: no request begun */
    size_t start, room;    /* where it begins there; most bytes of its args */
    size_t args_start;
    uint64_t next_number; /* of the line that needs no marker: the one behind the last */
    uint64_t line_count;  /* input lines taken */
    int64_t accepted, duplicates, bad;
    int64_t drawn_ns;
    bool tolerant, refused; /* tolerant: a wrong_state is no complaint, it only sets refused */
};

void upload_init(struct upload *u, struct client *client, const char *job);

int upload_url(struct upload *u, const struct line *line);

int upload_argument(struct upload *u, const char *url);

/* All lines of a file or stdin. */
int upload_lines(struct upload *u, const char *path);

/* Sends what is packed and waits for every reply. last: no more input will come. */
int upload_finish(struct upload *u, bool last);

/* The sums as a note: "12 URLs accepted, 3 duplicates, 1 bad". */
void upload_tell(const struct upload *u);

/* Creates the job: submits, and uploads what does not fit or comes from -i. ret_result: of
 * job.submit; u tells the sums of what was uploaded. The name is in ret_result. */
int upload_job(struct client *client, struct jobflags *j, json_t *spec, struct upload *ret_upload,
               json_t **ret_result);

/* Seeds of the specification and the lines of -i, once more, into a job that is there. */
int upload_again(struct upload *u, struct jobflags *j, const json_t *spec, bool last);

/* Puts the words files into the specification. */
void upload_place_words(struct jobflags *j, json_t *spec);

/* "name" of a job's result. */
const char *upload_job_name(const json_t *result);

#endif
