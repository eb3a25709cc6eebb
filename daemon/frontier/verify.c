/* SPDX-License-Identifier: MIT */
/* The journal is read as recovery reads it; then each committed row is held against it: a whole
 * line of JSON, a seq that has ended and has no other row, outcomes that add up; and, if it points
 * at a record, a place within the committed part of that file where a record begins. */
#include "daemon/frontier/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "daemon/frontier/fs.h"
#include "daemon/frontier/recover.h"

#define PROBLEMS_TOLD  100
#define LINE_MAX_BYTES (1u << 20)
#define AHEAD          (1u << 20)

struct check {
    const char *dir;
    char *warc_dir; /* owned */
    void (*problem)(void *arg, const char *text);
    void *arg;
    struct verify_report *out;
    struct state *state; /* owned */
    uint64_t *rows;      /* owned; a bit for each seq with a row: ordinals, then indices */
    uint64_t ordinal_count;
    uint64_t by_outcome[OUTCOME_COUNT];
    char *file_name; /* owned; of the file open in file_fd */
    int file_fd;     /* -1: none, or it cannot be opened */
};

__attribute__((format(printf, 2, 3))) static void tell(struct check *c, const char *fmt, ...)
{
    if (c->out->problems++ >= PROBLEMS_TOLD)
        return;
    char text[JOURNAL_WHY_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    c->problem(c->arg, text);
}

static int open_in(const char *dir, const char *name, const char *behind)
{
    char *path;
    if (asprintf(&path, "%s/%s%s", dir, name, behind) < 0)
        abort();
    int fd = fs->open(path, O_RDONLY);
    free(path);
    return fd;
}

/* ---- the journal */

static int check_batches(struct check *c, struct journal_reader *r)
{
    char why[JOURNAL_WHY_BYTES] = "";
    struct batch_view b;
    int err;
    while ((err = journal_reader_next(r, &b)) > 0) {
        if (state_apply(c->state, &b, why)) {
            tell(c, "%s", why);
            return -EUCLEAN;
        }
        c->out->batches++;
    }
    uint64_t whole_at = 0;
    if (err || r->pos == r->pager.size)
        return err;
    if (r->pos < r->head.solid_bytes || journal_reader_tail(r, &whole_at) > 0) {
        tell(c, "frontier.log: the batch at offset %llu is damaged", (unsigned long long)r->pos);
        return -EUCLEAN;
    }
    c->out->torn_bytes = r->pager.size - r->pos;
    return 0;
}

static int check_journal(struct check *c)
{
    char why[JOURNAL_WHY_BYTES] = "";
    int fd = open_in(c->dir, "frontier.log", "");
    if (fd < 0)
        return fd;
    struct journal_reader r;
    int err = journal_reader_init(&r, fd, why);
    if (!err) {
        c->state = state_new(&r.head, false);
        err = check_batches(c, &r);
        c->out->journal_bytes = r.pos;
    } else if (why[0]) {
        tell(c, "%s", why);
        err = -EUCLEAN;
    }
    journal_reader_done(&r);
    fs->close(fd);
    return err;
}

/* ---- the files */

static void check_files(struct check *c)
{
    const struct state *s = c->state;
    for (uint32_t id = 1; id < s->end_count; id++) {
        c->out->files += s->ends[id] > 0;
        c->out->warc_bytes += s->ends[id];
    }
}

static void file_use(struct check *c, const char *name)
{
    if (c->file_name && !strcmp(c->file_name, name))
        return;
    if (c->file_fd >= 0)
        fs->close(c->file_fd);
    free(c->file_name);
    c->file_name = xstrdup(name);
    c->file_fd = open_in(c->warc_dir, name, "");
    if (c->file_fd < 0)
        c->file_fd = open_in(c->warc_dir, name, ".open");
    if (c->file_fd < 0)
        tell(c, "warc/%s is missing", name);
}

static bool begins_record(const uint8_t *p)
{
    return !memcmp(p, "\x1f\x8b", 2) || !memcmp(p, "WARC", 4) || !memcmp(p, "\x28\xb5\x2f\xfd", 4);
}

static void check_record(struct check *c, uint64_t seq, const json_t *warc)
{
    const char *name = json_string_value(json_object_get(warc, "file"));
    json_int_t off = json_integer_value(json_object_get(warc, "offset"));
    json_int_t length = json_integer_value(json_object_get(warc, "length"));
    bool open;
    uint32_t id = name && !strchr(name, '/') ? recover_file_id(name, &open) : 0;
    uint64_t end = id ? state_file_end(c->state, id) : 0;
    c->out->records++;
    if (!id || off < 0 || length < 4 || (uint64_t)off > end ||
        (uint64_t)length > end - (uint64_t)off) {
        tell(c, "results.jsonl: seq %llu points outside what is committed: %s %lld+%lld of %llu",
             (unsigned long long)seq, name ? name : "no file", (long long)off, (long long)length,
             (unsigned long long)end);
        return;
    }
    file_use(c, name);
    uint8_t head[4] = {0};
    char last;
    if (c->file_fd < 0)
        return;
    if (fs_read(c->file_fd, head, sizeof head, (uint64_t)off) || !begins_record(head))
        tell(c, "warc/%s: no record begins at offset %lld (seq %llu)", name, (long long)off,
             (unsigned long long)seq);
    else if (fs_read(c->file_fd, &last, 1, (uint64_t)off + (uint64_t)length - 1))
        tell(c, "warc/%s ends inside the record at offset %lld (seq %llu)", name, (long long)off,
             (unsigned long long)seq);
}

/* ---- the rows */

/* The bit of a seq that has ended; UINT64_MAX if it has not. */
static uint64_t bit_of(const struct check *c, uint64_t seq)
{
    const struct state *s = c->state;
    if (!seq || seq >= s->next_seq)
        return UINT64_MAX;
    if (window_holds(&s->window, seq)) {
        uint64_t index = seq - s->window.base;
        if (index >= s->window.cursor || window_is_open(&s->window, index))
            return UINT64_MAX;
        return c->ordinal_count + index;
    }
    uint64_t ordinal = state_ordinal(s, seq);
    return roster_is_open(&s->roster, ordinal) ? UINT64_MAX : ordinal;
}

static void check_seq(struct check *c, uint64_t off, uint64_t seq)
{
    uint64_t bit = bit_of(c, seq);
    if (bit == UINT64_MAX) {
        tell(c, "results.jsonl: the row at offset %llu is of seq %llu, which has not ended",
             (unsigned long long)off, (unsigned long long)seq);
        return;
    }
    uint64_t *word = &c->rows[bit / 64], mask = UINT64_C(1) << (bit % 64);
    if (*word & mask)
        tell(c, "results.jsonl: a second row of seq %llu at offset %llu", (unsigned long long)seq,
             (unsigned long long)off);
    *word |= mask;
}

static void check_row(struct check *c, uint64_t off, const char *line, size_t n)
{
    json_error_t error;
    json_t *row = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
    const json_t *seq = json_object_get(row, "seq"), *warc = json_object_get(row, "warc");
    const char *name = json_string_value(json_object_get(row, "outcome"));
    int outcome = name ? outcome_parse(name) : -1;
    if (!json_is_integer(seq) || json_integer_value(seq) < 0 || outcome < 0) {
        tell(c, "results.jsonl: the line at offset %llu is no row", (unsigned long long)off);
    } else {
        uint64_t number = (uint64_t)json_integer_value(seq);
        check_seq(c, off, number);
        c->by_outcome[outcome]++;
        if (warc)
            check_record(c, number, warc);
    }
    json_decref(row);
    c->out->rows++;
}

static int check_lines(struct check *c, struct pager *g)
{
    for (uint64_t off = 0; off < g->size;) {
        size_t n = g->size - off < LINE_MAX_BYTES ? (size_t)(g->size - off) : LINE_MAX_BYTES;
        const char *p, *newline = NULL;
        /* what is in memory behind `off` first; only a line that crosses its end reads again */
        size_t near = off >= g->off && off < g->off + g->len ? (size_t)(g->off + g->len - off) : 0;
        int err = 0;
        if (near && !(err = pager_at(g, off, near, near, &p)))
            newline = memchr(p, '\n', near);
        if (!newline && !err && !(err = pager_at(g, off, n, AHEAD, &p)))
            newline = memchr(p, '\n', n);
        if (err)
            return err;
        if (!newline) {
            tell(c, "results.jsonl: the line at offset %llu has no end", (unsigned long long)off);
            return 0;
        }
        check_row(c, off, p, (size_t)(newline - p));
        off += (uint64_t)(newline - p) + 1;
    }
    return 0;
}

static int check_results(struct check *c)
{
    const struct state *s = c->state;
    int fd = open_in(c->dir, "results.jsonl", "");
    if (fd == -ENOENT && s->results_bytes)
        tell(c, "results.jsonl is missing");
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    int64_t size = fs->size(fd);
    struct pager g = {.fd = fd, .size = s->results_bytes};
    if (size >= 0 && (uint64_t)size < s->results_bytes) {
        tell(c, "results.jsonl is shorter (%lld bytes) than committed (%llu)", (long long)size,
             (unsigned long long)s->results_bytes);
        g.size = (uint64_t)size;
    }
    c->ordinal_count = state_ordinal(s, s->next_seq) + 1;
    c->rows = xcalloc((size_t)((c->ordinal_count + s->window.cursor) / 64 + 1), sizeof *c->rows);
    int err = size < 0 ? (int)size : check_lines(c, &g);
    pager_done(&g);
    fs->close(fd);
    for (int o = 0; o < OUTCOME_COUNT && !err; o++)
        if (c->by_outcome[o] != s->ended[o])
            tell(c, "results.jsonl has %llu rows of outcome %s, frontier.log counts %llu",
                 (unsigned long long)c->by_outcome[o], outcome_name((enum outcome)o),
                 (unsigned long long)s->ended[o]);
    return err;
}

static void fill(struct check *c)
{
    const struct state *s = c->state;
    c->out->accepted = s->accepted;
    c->out->results_bytes = s->results_bytes;
    c->out->open = s->roster.open_count + (s->window.count ? window_open_count(&s->window) : 0);
    uint64_t ended = 0;
    for (int o = 0; o < OUTCOME_COUNT; o++)
        ended += c->out->ended[o] = s->ended[o];
    if (s->accepted != c->out->open + ended)
        tell(c, "frontier.log: accepted %llu is not open %llu and ended %llu",
             (unsigned long long)s->accepted, (unsigned long long)c->out->open,
             (unsigned long long)ended);
}

int verify_job(const char *dir, void (*problem)(void *arg, const char *text), void *arg,
               struct verify_report *ret)
{
    *ret = (struct verify_report){0};
    struct check c = {.dir = dir, .problem = problem, .arg = arg, .out = ret, .file_fd = -1};
    c.warc_dir = recover_path(dir, "warc");
    int err = check_journal(&c);
    if (c.state && (!err || err == -EUCLEAN)) {
        fill(&c);
        check_files(&c);
        err = check_results(&c);
    }
    if (c.file_fd >= 0)
        fs->close(c.file_fd);
    free(c.file_name);
    free(c.warc_dir);
    free(c.rows);
    state_free(c.state);
    return err == -EUCLEAN ? 0 : err;
}
