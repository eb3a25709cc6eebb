/* SPDX-License-Identifier: MIT */
/* Reads the job's results.jsonl up to committed_bytes and, for every stored row, its WARC record;
 * writes the body to DIR/SEQ-NAME and a line about it to DIR/index.jsonl. The daemon is asked only
 * where the job lies; files are opened by us, with our rights. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/warcfile.h"
#include "common/xalloc.h"
#include "ctl/commands.h"
#include "ctl/exits.h"
#include "ctl/filename.h"
#include "ctl/jsonp.h"
#include "ctl/payload.h"
#include "ctl/print.h"
#include "ctl/say.h"
#include "ctl/signals.h"

struct extraction {
    int warc_dir, out_dir; /* owned descriptors; -1 if not open */
    FILE *rows, *index;    /* owned */
    int64_t left;          /* committed bytes not yet read */
    int warc;              /* owned; the WARC file read last, -1 */
    char *warc_name;       /* owned */
    int64_t written, failed, skipped;
};

static int complain(const char *what, const char *path, int err)
{
    say_error("cannot %s %s: %s", what, path, strerror(err));
    if (err == EACCES)
        say_hint("crawld's files belong to its user: use sudo, or be in its group");
    return err == EACCES ? EXIT_DENIED : EXIT_FAILED;
}

static int open_job(struct extraction *x, const char *dir)
{
    int r = 0, job = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rows = -1;
    if (job < 0)
        return complain("open", dir, errno);
    x->warc_dir = openat(job, "warc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rows = openat(job, "results.jsonl", O_RDONLY | O_CLOEXEC);
    if (rows < 0)
        r = complain("open results.jsonl in", dir, errno);
    else if (x->warc_dir < 0)
        r = complain("open warc/ in", dir, errno);
    else
        x->rows = fdopen(rows, "r");
    if (r && rows >= 0)
        close(rows);
    close(job);
    return r;
}

static int create(int dir, const char *name, int *ret_fd)
{
    *ret_fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    return *ret_fd < 0 ? -errno : 0;
}

static int open_out(struct extraction *x, const char *dir)
{
    int fd;
    if (mkdir(dir, 0777) && errno != EEXIST)
        return complain("make", dir, errno);
    x->out_dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (x->out_dir < 0)
        return complain("open", dir, errno);
    int err = create(x->out_dir, "index.jsonl", &fd);
    if (err)
        return complain("write index.jsonl in", dir, -err);
    x->index = fdopen(fd, "w");
    return 0;
}

static int read_record(struct extraction *x, const json_t *row, struct buf *ret_record)
{
    const char *name = jsonp_text(row, "warc.file");
    if (!x->warc_name || strcmp(x->warc_name, name)) {
        if (x->warc >= 0)
            close(x->warc);
        free(x->warc_name);
        x->warc_name = NULL;
        x->warc = -1;
        int r = warcfile_open(x->warc_dir, name, &x->warc);
        if (r)
            return r;
        x->warc_name = xstrdup(name);
    }
    json_int_t offset = json_integer_value(jsonp_at(row, "warc.offset"));
    json_int_t length = json_integer_value(jsonp_at(row, "warc.length"));
    if (offset < 0 || length <= 0)
        return -EBADMSG;
    return warcfile_record(x->warc, (uint64_t)offset, (uint64_t)length, ret_record);
}

static int write_file(int dir, const char *name, const struct buf *body)
{
    int fd, r = create(dir, name, &fd);
    if (r)
        return r;
    for (size_t at = 0; !r && at < buf_len(body);) {
        ssize_t n = write(fd, buf_data(body) + at, buf_len(body) - at);
        if (n < 0 && errno != EINTR)
            r = -errno;
        at += n > 0 ? (size_t)n : 0;
    }
    if (close(fd) && !r)
        r = -errno;
    return r;
}

static void write_index(struct extraction *x, const json_t *row, const char *name, size_t bytes,
                        const char *coding)
{
    static const char *const copied[] = {"seq",  "url",     "final_url", "status",
                                         "mime", "charset", "truncated", "sha1"};
    json_t *line = json_object();
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        json_t *value = json_object_get(row, copied[i]);
        if (value)
            json_object_set(line, copied[i], value);
    }
    json_object_set_new(line, "file", json_string(name));
    json_object_set_new(line, "bytes", json_integer((json_int_t)bytes));
    if (*coding)
        json_object_set_new(line, "coding", json_string(coding));
    json_dumpf(line, x->index, JSON_COMPACT);
    fputc('\n', x->index);
    json_decref(line);
}

/* 0; a record that cannot be read is said and counted, a file that cannot be written ends it. */
static int extract_row(struct extraction *x, const json_t *row)
{
    struct buf record = {0}, body = {0}, name = {0};
    const char *block;
    size_t len;
    char coding[PAYLOAD_CODING];
    int r = read_record(x, row, &record);
    if (!r)
        r = warcfile_block(&record, &block, &len);
    if (!r)
        r = payload_read(block, len, &body, coding);
    if (r) {
        say_error("seq %lld: %s: %s", (long long)jsonp_int(row, "seq"),
                  jsonp_text(row, "warc.file"), strerror(-r));
        x->failed++;
        r = 0;
    } else {
        filename_make(&name, (uint64_t)jsonp_int(row, "seq"), jsonp_text(row, "url"),
                      jsonp_text(row, "mime"));
        r = write_file(x->out_dir, buf_str(&name), &body);
        if (r)
            r = complain("write", buf_str(&name), -r);
        else
            write_index(x, row, buf_str(&name), buf_len(&body), coding);
        x->written += !r;
    }
    buf_done(&record);
    buf_done(&body);
    buf_done(&name);
    return r;
}

static int extract_rows(struct extraction *x)
{
    char *line = NULL;
    size_t cap = 0;
    int r = 0;
    for (ssize_t n; !r && x->left > 0 && (n = getline(&line, &cap, x->rows)) > 0; x->left -= n) {
        json_error_t error;
        json_t *row = json_loadb(line, (size_t)n, 0, &error);
        if (signals_interrupted())
            r = EXIT_INTERRUPTED;
        else if (!row)
            x->failed++;
        else if (strcmp(jsonp_text(row, "outcome"), "stored") || !jsonp_at(row, "warc.file"))
            x->skipped++;
        else
            r = extract_row(x, row);
        json_decref(row);
    }
    free(line);
    if (x->index && (fflush(x->index) || ferror(x->index)) && !r)
        r = complain("write", "index.jsonl", errno);
    return r;
}

static void close_all(struct extraction *x)
{
    if (x->rows)
        fclose(x->rows);
    if (x->index)
        fclose(x->index);
    const int fds[] = {x->warc_dir, x->out_dir, x->warc};
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(x->warc_name);
}

static int extract(struct ctl *ctl, const json_t *job, const char *dir)
{
    struct extraction x = {.warc_dir = -1, .out_dir = -1, .warc = -1};
    const char *from = jsonp_text(job, "dir");
    int r = *from == '/' ? 0 : EXIT_PROTOCOL;
    if (r)
        say_error("crawld does not tell where the job's files lie");
    x.left = jsonp_int(job, "committed_bytes");
    r = r ?: open_job(&x, from);
    r = r ?: open_out(&x, dir);
    r = r ?: extract_rows(&x);
    close_all(&x);
    json_t *sums = json_pack("{s:I,s:I,s:I}", "written", (json_int_t)x.written, "skipped",
                             (json_int_t)x.skipped, "failed", (json_int_t)x.failed);
    if (!r && !print_object(ctl, sums))
        printf("%lld written to %s, %lld rows without a stored page, %lld not readable\n",
               (long long)x.written, dir, (long long)x.skipped, (long long)x.failed);
    json_decref(sums);
    return r ?: x.failed ? EXIT_FAILED : EXIT_OK;
}

int cmd_extract(struct ctl *ctl, int argc, char **argv)
{
    json_t *job = NULL;
    int r = ctl_args(ctl, NULL, 2, 2, &argc, argv);
    if (!r)
        r = ctl_call(ctl, "job.show", json_pack("{s:s}", "job", argv[0]), &job);
    if (!r)
        r = extract(ctl, job, argv[1]);
    json_decref(job);
    return r;
}
