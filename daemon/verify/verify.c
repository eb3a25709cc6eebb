/* SPDX-License-Identifier: MIT */
/* First the journal and the rows (frontier/verify.h); then each WARC file is read record by record
 * and what was committed rows say of it is held against what was found. Behind the last of them a
 * file that is still written may end anywhere. */
#include "daemon/verify/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/xalloc.h"
#include "daemon/frontier/blocklog.h"
#include "daemon/frontier/verify.h"
#include "daemon/store/warcread.h"

#define NICE         10
#define PROBLEMS_MAX 100 /* of a job; the result is one line of the control protocol */

/* What a row says. */
struct place {
    char *file; /* owned */
    uint64_t offset, length;
};

struct verifying {
    const char *dir, *name;
    json_t *problems; /* owned until packed */
    uint64_t count;
    struct place *places; /* owned */
    size_t places_count, places_size;
};

static void problem(void *arg, const char *text)
{
    struct verifying *v = arg;
    if (v->count++ < PROBLEMS_MAX)
        json_array_append_new(v->problems, json_string(text));
}

__attribute__((format(printf, 2, 3))) static void tell(struct verifying *v, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    problem(v, text);
}

/* ---- what the rows say */

static void take_row(struct verifying *v, const char *line, size_t len)
{
    json_t *row = json_loadb(line, len, 0, NULL), *warc = json_object_get(row, "warc");
    const char *file = json_string_value(json_object_get(warc, "file"));
    if (file && !strchr(file, '/')) {
        if (v->places_count == v->places_size) {
            v->places_size = v->places_size ? v->places_size * 2 : 256;
            v->places = xrealloc(v->places, v->places_size * sizeof *v->places);
        }
        v->places[v->places_count++] = (struct place){
            .file = xstrdup(file),
            .offset = (uint64_t)json_integer_value(json_object_get(warc, "offset")),
            .length = (uint64_t)json_integer_value(json_object_get(warc, "length")),
        };
    }
    json_decref(row);
}

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int files = strcmp(x->file, y->file);
    return files ? files : x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void read_rows(struct verifying *v, uint64_t committed_bytes)
{
    struct buf path = {0};
    char *line = NULL;
    size_t size = 0;
    uint64_t at = 0;
    buf_addf(&path, "%s/results.jsonl", v->dir);
    FILE *f = fopen(buf_str(&path), "re");
    for (ssize_t n; f && at < committed_bytes && (n = getline(&line, &size, f)) > 0;
         at += (uint64_t)n)
        take_row(v, line, (size_t)n);
    if (f)
        fclose(f);
    free(line);
    buf_done(&path);
    if (v->places_count)
        qsort(v->places, v->places_count, sizeof *v->places, by_place);
}

/* ---- what the files hold */

/* A file being written loses the `.open` behind its name at any moment. */
static int open_warc(const struct verifying *v, const char *file)
{
    int fd = -1;
    for (int i = 0; i < 3 && fd < 0; i++) {
        struct buf path = {0};
        buf_addf(&path, "%s/warc/%s%s", v->dir, file, i % 2 ? ".open" : "");
        fd = open(buf_str(&path), O_RDONLY | O_CLOEXEC);
        buf_done(&path);
    }
    return fd;
}

/* Places p .. p + n of one file, by offset. */
static void check_file(struct verifying *v, const struct place *p, size_t n)
{
    struct warcread *reader;
    struct warc_record record;
    uint64_t end = p[n - 1].offset + p[n - 1].length, bad_at;
    int fd = open_warc(v, p->file), r = fd < 0 ? -errno : warcread_new(fd, &reader);
    if (r < 0) {
        tell(v, "warc/%s cannot be read: %s", p->file, strerror(-r));
        if (fd >= 0)
            close(fd);
        return;
    }
    size_t i = 0;
    while (i < n && (r = warcread_next(reader, &record)) == 1 && record.offset < end) {
        for (; i < n && p[i].offset < record.offset; i++)
            tell(v, "warc/%s has no record at offset %llu", p->file,
                 (unsigned long long)p[i].offset);
        if (!record.digest_ok)
            tell(v, "warc/%s: the record at offset %llu has a wrong digest", p->file,
                 (unsigned long long)record.offset);
        if (i < n && p[i].offset == record.offset && p[i++].length != record.stored_bytes)
            tell(v, "warc/%s: the record at offset %llu is of another length", p->file,
                 (unsigned long long)record.offset);
    }
    if (i < n && r == -EBADMSG)
        tell(v, "warc/%s: %s", p->file, warcread_why(reader, &bad_at));
    else if (i < n)
        tell(v, "warc/%s ends before the record at offset %llu", p->file,
             (unsigned long long)p[i].offset);
    warcread_free(reader);
    close(fd);
}

static void check_files(struct verifying *v)
{
    for (size_t i = 0, n; i < v->places_count; i += n) {
        for (n = 1; i + n < v->places_count && !strcmp(v->places[i + n].file, v->places[i].file);)
            n++;
        check_file(v, v->places + i, n);
    }
}

/* ---- a job */

static json_t *verify_one(const char *dir, json_t *all_problems)
{
    const char *slash = strrchr(dir, '/');
    struct verify_report report = {0};
    struct verifying v = {.dir = dir, .name = slash ? slash + 1 : dir, .problems = json_array()};
    int r = verify_job(dir, problem, &v, &report);
    if (r < 0)
        tell(&v, "cannot be read: %s", strerror(-r));
    read_rows(&v, report.results_bytes);
    check_files(&v);
    if (v.count > PROBLEMS_MAX || report.problems > v.count)
        json_array_append_new(v.problems, json_string("and more"));
    size_t i;
    json_t *text;
    json_array_foreach(v.problems, i, text)
    {
        struct buf line = {0};
        buf_addf(&line, "%s: %s", v.name, json_string_value(text));
        if (json_array_size(all_problems) < 2 * PROBLEMS_MAX)
            json_array_append_new(all_problems, json_string(buf_str(&line)));
        buf_done(&line);
    }
    for (i = 0; i < v.places_count; i++)
        free(v.places[i].file);
    free(v.places);
    return json_pack("{ss sb sI sI so}", "name", v.name, "ok", !v.count, "rows",
                     (json_int_t)report.rows, "stored", (json_int_t)report.ended[OUTCOME_STORED],
                     "problems", v.problems);
}

/* ---- the hosts */

static bool is_blocklog(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !strcmp(slash ? slash + 1 : path, BLOCKLOG_NAME);
}

static void blocklog_problem(void *arg, const char *text)
{
    json_array_append_new(arg, json_string(text));
}

static json_int_t verify_blocklog(const char *path, json_t *problems)
{
    uint64_t lines = 0;
    int r = blocklog_verify(path, blocklog_problem, problems, &lines);
    if (r < 0)
        blocklog_problem(problems, "hosts.log cannot be read");
    return (json_int_t)lines;
}

int verify_main(int count, char *const *dirs)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (nice(NICE) < 0)
        errno = 0;
    json_t *jobs = json_array(), *problems = json_array();
    json_int_t host_lines = -1;
    for (int i = 0; i < count; i++)
        if (is_blocklog(dirs[i]))
            host_lines = verify_blocklog(dirs[i], problems);
        else
            json_array_append_new(jobs, verify_one(dirs[i], problems));
    json_t *result = json_pack("{sb so so}", "ok", !json_array_size(problems), "jobs", jobs,
                               "problems", problems);
    if (host_lines >= 0)
        json_object_set_new(result, "host_lines", json_integer(host_lines));
    int r = json_dumpf(result, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(result);
    return r < 0 || putchar('\n') == EOF || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
