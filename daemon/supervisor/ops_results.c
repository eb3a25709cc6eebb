/* SPDX-License-Identifier: MIT */
/* results: pages of committed rows, read by the disk thread. The cursor is a byte offset at the
 * beginning of a row. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "daemon/supervisor/ops.h"
#include "daemon/supervisor/supervisor.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000
#define PAGE_BYTES    (256 << 10) /* of rows, in one answer that has more than one */
#define CHUNK_BYTES   (1 << 20)
#define SLICE_BYTES   (16 << 20) /* read before others may use the disk thread */

struct paging {
    struct disk_op op;
    struct request_work work;
    struct supervisor *s;
    struct request *request; /* borrowed; NULL: the client has gone */
    char *path;              /* owned */
    uint64_t at_bytes, end_bytes;
    int64_t limit;
    size_t page_bytes; /* of rows taken */
    char want[32];     /* `"outcome":"stored"`, or empty */
    json_t *items;     /* owned */
    bool over;         /* nothing more to read now */
    int err;
};

static bool is_full(const struct paging *p)
{
    return (int64_t)json_array_size(p->items) >= p->limit || p->page_bytes >= PAGE_BYTES;
}

/* Takes rows from whole lines of the chunk; returns the bytes used. */
static size_t take_rows(struct paging *p, const char *text, size_t n)
{
    size_t used = 0;
    const char *end;
    while (!is_full(p) && (end = memchr(text + used, '\n', n - used))) {
        size_t len = (size_t)(end - text) - used;
        if (!*p->want || memmem(text + used, len, p->want, strlen(p->want))) {
            json_t *row = json_loadb(text + used, len, 0, NULL);
            if (row)
                json_array_append_new(p->items, row);
            p->page_bytes += len;
        }
        used += len + 1;
    }
    return used;
}

static void paging_run(struct disk_op *op)
{
    struct paging *p = list_of(op, struct paging, op);
    int fd = open(p->path, O_RDONLY | O_CLOEXEC);
    char *chunk = xmalloc(CHUNK_BYTES);
    uint64_t stop_bytes = p->at_bytes + SLICE_BYTES;
    p->over = false;
    while (!p->over && p->at_bytes < stop_bytes) {
        uint64_t left = p->end_bytes - p->at_bytes;
        ssize_t n =
            fd < 0 ? -1
                   : pread(fd, chunk, left < CHUNK_BYTES ? left : CHUNK_BYTES, (off_t)p->at_bytes);
        if (n < 0)
            p->err = -errno;
        size_t used = n > 0 ? take_rows(p, chunk, (size_t)n) : 0;
        p->at_bytes += used;
        p->over = !used || p->at_bytes >= p->end_bytes || is_full(p);
    }
    free(chunk);
    if (fd >= 0)
        close(fd);
}

static void paging_done(struct disk_op *op)
{
    struct paging *p = list_of(op, struct paging, op);
    struct request *r = p->request;
    if (r && !p->err && !p->over) {
        disk_ask(p->s->disk, &p->op);
        return;
    }
    if (r)
        r->work = NULL;
    if (r && p->err)
        request_storage(r, p->err);
    else if (r)
        request_ok(r, json_pack("{sO sI}", "items", p->items, "next", (json_int_t)p->at_bytes));
    json_decref(p->items);
    free(p->path);
    free(p);
}

/* The disk thread may be reading: paging_done() frees. */
static void paging_forget(struct request_work *w)
{
    list_of(w, struct paging, work)->request = NULL;
}

void op_results(struct request *r)
{
    const struct job *j = r->job;
    const char *outcome = request_text(r, "outcome");
    int64_t limit = request_int(r, "limit", LIMIT_DEFAULT), after = request_int(r, "after", 0);
    uint64_t end = j->ledger ? ledger_counts(j->ledger).results_bytes : j->results_bytes;
    if (outcome && outcome_parse(outcome) < 0) {
        request_error(r, ERROR_BAD_ARGUMENT, "args.outcome", "stored, dropped, failed or excluded",
                      "no outcome is called %.40s", outcome);
        return;
    }
    if ((uint64_t)after > end) {
        request_error(r, ERROR_BAD_ARGUMENT, "args.after", "take it from `next` of the last answer",
                      "there are no rows that far");
        return;
    }
    struct paging *p = xcalloc(1, sizeof *p);
    struct buf path = {0};
    buf_addf(&path, "%s/results.jsonl", j->dir);
    p->path = buf_take(&path, NULL);
    p->s = r->s;
    p->request = r;
    p->at_bytes = (uint64_t)after;
    p->end_bytes = end;
    p->limit = limit && limit < LIMIT_MAX ? limit : LIMIT_MAX;
    p->items = json_array();
    if (outcome)
        snprintf(p->want, sizeof p->want, "\"outcome\":\"%s\"", outcome);
    p->op.run = paging_run;
    p->op.done = paging_done;
    p->work.forget = paging_forget;
    r->work = &p->work;
    disk_ask(r->s->disk, &p->op);
}
