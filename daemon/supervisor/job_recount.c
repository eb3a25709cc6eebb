/* SPDX-License-Identifier: MIT */
/* limits.bytes and limits.pages_per_host count what has ended. Those counts are in no journal: after
 * a restart they are made again from the committed rows, by the disk thread in slices, and nothing
 * is leased till then. Jobs without these limits are not read. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/supervisor/supervisor.h"

#define CHUNK_BYTES (4 << 20) /* read at a time; a row is far shorter */

struct recount {
    struct disk_op op;
    struct supervisor *s;
    uint32_t job;            /* its id: it may end meanwhile */
    char *path;              /* owned */
    uint64_t at_bytes, end_bytes;
    uint64_t bytes;          /* wire_bytes of all rows */
    struct buf urls;         /* of this slice's pages: NUL-terminated, one after another */
    int err;
};

/* The value behind `key` in the row; NULL if there is none. */
static const char *value_of(const char *row, size_t n, const char *key)
{
    const char *p = memmem(row, n, key, strlen(key));
    return p ? p + strlen(key) : NULL;
}

static void take_row(struct recount *r, const char *row, size_t n)
{
    const char *bytes = value_of(row, n, "\"wire_bytes\":");
    const char *url = value_of(row, n, "\"final_url\":\"");
    const char *outcome = value_of(row, n, "\"outcome\":\"");
    if (!url)
        url = value_of(row, n, "\"url\":\"");
    if (bytes)
        r->bytes += strtoull(bytes, NULL, 10);
    if (!url || !outcome || !strncmp(outcome, "excluded", 8))
        return;
    buf_add(&r->urls, url, strcspn(url, "\""));
    buf_addc(&r->urls, '\0');
}

static void recount_run(struct disk_op *op)
{
    struct recount *r = list_of(op, struct recount, op);
    uint64_t left = r->end_bytes - r->at_bytes;
    size_t most = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES, used = 0;
    char *text = xmalloc(most + 1);
    int fd = open(r->path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, text, most, (off_t)r->at_bytes);
    r->err = n < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    for (char *end; n > 0 && (end = memchr(text + used, '\n', (size_t)n - used));) {
        *end = '\0';
        take_row(r, text + used, (size_t)(end - text) - used);
        used = (size_t)(end - text) + 1;
    }
    if (!used)
        r->end_bytes = r->at_bytes;
    r->at_bytes += used;
    free(text);
}

static void count_pages(struct job *j, const struct buf *urls)
{
    if (!buf_len(urls))
        return;
    const char *p = buf_data(urls), *end = p + buf_len(urls);
    for (; p < end; p += strlen(p) + 1)
        job_queue_of(j, p)->pages_count++;
}

static void recount_done(struct disk_op *op)
{
    struct recount *r = list_of(op, struct recount, op);
    struct job *j = jobs_by_id(r->s, r->job);
    bool over = !j || r->err || r->at_bytes >= r->end_bytes;
    if (j)
        count_pages(j, &r->urls);
    buf_clear(&r->urls);
    if (!over) {
        disk_ask(r->s->disk, &r->op);
        return;
    }
    if (r->err)
        log_err("cannot count the rows again path=%s: %s", r->path, strerror(-r->err));
    if (j) {
        j->bytes_in = r->bytes;
        j->recounting = false;
        job_update(j);
        supervisor_kick(r->s);
    }
    buf_done(&r->urls);
    free(r->path);
    free(r);
}

void job_recount(struct job *j)
{
    struct ledger_counts c = ledger_counts(j->ledger);
    if ((!j->spec.limits.bytes && !j->spec.limits.pages_per_host) || !c.results_bytes)
        return;
    struct recount *r = xcalloc(1, sizeof *r);
    struct buf path = {0};
    buf_addf(&path, "%s/results.jsonl", j->dir);
    r->path = buf_take(&path, NULL);
    r->s = j->s;
    r->job = j->id;
    r->end_bytes = c.results_bytes;
    r->op.run = recount_run;
    r->op.done = recount_done;
    j->recounting = true;
    disk_ask(j->s->disk, &r->op);
}
