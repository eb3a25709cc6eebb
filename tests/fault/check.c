/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "tests/fault/world.h"

#define SEQS_MAX 1024

struct row {
    uint64_t seq, off, end;
    char url[32];
    int outcome, file;
};

/* What check_promises() has found about each seq and URL. */
struct found {
    int open_urls[WORLD_URLS], ended_urls[WORLD_URLS];
    bool ended_seqs[SEQS_MAX];
    bool open_generated[WORLD_GENERATED], ended_generated[WORLD_GENERATED];
    uint64_t by_outcome[OUTCOME_COUNT], rows;
    struct row *list; /* owned */
};

static void file_path(char *path, size_t n, unsigned id, const char *behind)
{
    snprintf(path, n, WORLD_DIR "/warc/%06u-sim.warc%s", id, behind);
}

static const char *row_read(struct world *w, const char *line, const char *end, struct row *r)
{
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    MUST(w, newline, "a row is not whole");
    char text[160];
    MUST(w, newline - line < 160, "a row is too long");
    memcpy(text, line, (size_t)(newline - line));
    text[newline - line] = '\0';
    unsigned long long seq, off, file_end;
    MUST(w,
         sscanf(text, "%llu %31s %d %d %llu %llu", &seq, r->url, &r->outcome, &r->file, &off,
                &file_end) == 6,
         "a row is broken: '%s'", text);
    r->seq = seq;
    r->off = off;
    r->end = file_end;
    return newline + 1;
}

static void check_record(struct world *w, const struct row *r)
{
    char path[128], want[64];
    file_path(path, sizeof path, (unsigned)r->file, "");
    const struct buf *b = simfs_content(path);
    MUST(w, b, "the file of a stored row is missing: %s", path);
    int n = snprintf(want, sizeof want, "<%s>", r->url);
    MUST(w,
         r->off + (uint64_t)n == r->end && r->end <= buf_len(b) &&
             !memcmp(buf_data(b) + r->off, want, (size_t)n),
         "the stored row of seq %llu points at no whole record", (unsigned long long)r->seq);
}

static void check_links(struct world *w, int url)
{
    char text[32];
    for (const int *to = world_links(url); *to >= 0; to++) {
        world_url(*to, text);
        MUST(w, ledger_seen(w->ledger, text, strlen(text)),
             "a link of the committed page %d was never accepted: %s", url, text);
    }
}

static void check_row(struct world *w, struct found *f, const struct row *r)
{
    int n;
    MUST(w, r->seq < SEQS_MAX && !f->ended_seqs[r->seq], "two rows for seq %llu",
         (unsigned long long)r->seq);
    f->ended_seqs[r->seq] = true;
    f->by_outcome[r->outcome]++;
    if (sscanf(r->url, "g%d", &n) == 1) {
        MUST(w, r->seq == w->ledger->state->window.base + (uint64_t)n, "a row of another seq");
        f->ended_generated[n] = true;
    } else {
        MUST(w, sscanf(r->url, "http://w/%d", &n) == 1 && w->given[n], "a row of no URL");
        f->ended_urls[n]++;
        if (r->outcome == OUTCOME_STORED)
            check_links(w, n);
    }
    if (r->outcome == OUTCOME_STORED)
        check_record(w, r);
}

static void check_rows(struct world *w, struct found *f)
{
    struct ledger_counts c = ledger_counts(w->ledger);
    const struct buf *b = simfs_content(WORLD_DIR "/results.jsonl");
    MUST(w, buf_len(b) == c.results_bytes, "results.jsonl is not as long as committed");
    MUST(w, world_begins(b, &w->said), "rows announced as committed are gone or changed");
    f->list = xcalloc(SEQS_MAX, sizeof *f->list);
    const char *p = buf_data(b), *end = p + buf_len(b);
    while (p < end) {
        MUST(w, f->rows < SEQS_MAX, "too many rows");
        struct row *r = &f->list[f->rows++];
        p = row_read(w, p, end, r);
        check_row(w, f, r);
    }
    for (int o = 0; o < OUTCOME_COUNT; o++)
        MUST(w, f->by_outcome[o] == c.ended[o], "%llu rows of outcome %d, %llu counted",
             (unsigned long long)f->by_outcome[o], o, (unsigned long long)c.ended[o]);
}

static void check_open(struct world *w, struct found *f)
{
    for (size_t i = 0; i < w->queue_count; i++) {
        struct lease q = w->queue[i];
        MUST(w, !f->ended_seqs[q.seq], "seq %llu is open and ended", (unsigned long long)q.seq);
        if (q.url >= 0)
            f->open_urls[q.url]++;
        else
            f->open_generated[-1 - q.url] = true;
    }
    struct ledger_counts c = ledger_counts(w->ledger);
    MUST(w, c.accepted == w->queue_count + f->rows, "accepted %llu, open %zu, ended %llu",
         (unsigned long long)c.accepted, w->queue_count, (unsigned long long)f->rows);
}

static void check_urls(struct world *w, const struct found *f)
{
    bool last = ledger_has(w->ledger, LEDGER_LAST);
    MUST(w, last || !w->last_acked, "an acknowledged `last` is lost");
    for (int i = 0; i < WORLD_URLS; i++) {
        int there = f->open_urls[i] + f->ended_urls[i];
        char text[32];
        world_url(i, text);
        MUST(w, there <= 1, "URL %d is there %d times", i, there);
        MUST(w, there == ledger_seen(w->ledger, text, strlen(text)),
             "URL %d and the seen set do not agree", i);
        MUST(w, there || !w->acked[i], "the acknowledged URL %d is lost", i);
        MUST(w, !there || w->given[i], "URL %d was never given", i);
        MUST(w, there || !last || !w->last_urls[i], "`last` is on disk, URL %d before it not", i);
    }
    uint64_t cursor = ledger_cursor_now(w->ledger);
    MUST(w, cursor >= w->cursor_acked, "the cursor went back");
    for (uint64_t i = 0; i < WORLD_GENERATED; i++) {
        int there = f->open_generated[i] + f->ended_generated[i];
        MUST(w, there == (i < cursor), "generated URL %llu is there %d times, cursor %llu",
             (unsigned long long)i, there, (unsigned long long)cursor);
    }
}

static bool is_known_end(struct world *w, const struct found *f, unsigned id, uint64_t off,
                         uint64_t end)
{
    for (uint64_t i = 0; i < f->rows; i++)
        if ((unsigned)f->list[i].file == id && f->list[i].off == off && f->list[i].end == end)
            return true;
    for (size_t i = 0; i < w->hop_count; i++)
        if (w->hop_ends[i] == ((uint64_t)id << 32 | end))
            return true;
    return false;
}

/* Nothing lies in a file but records that a row or a hop names. */
static void check_file(struct world *w, const struct found *f, unsigned id)
{
    char path[128];
    file_path(path, sizeof path, id, ".open");
    MUST(w, !simfs_content(path), "an open file is left: %s", path);
    file_path(path, sizeof path, id, "");
    const struct buf *b = simfs_content(path);
    uint64_t end = state_file_end(w->ledger->state, id);
    MUST(w, (b != NULL) == (end > 0), "file %u: committed to %llu, %s", id, (unsigned long long)end,
         b ? "is there" : "is missing");
    if (!b)
        return;
    MUST(w, buf_len(b) == end, "file %u is not as long as committed", id);
    const char *p = buf_data(b);
    for (uint64_t at = 0; at < end;) {
        const char *close = memchr(p + at, '>', (size_t)(end - at));
        MUST(w, p[at] == '<' && close, "a broken record in file %u at %llu", id,
             (unsigned long long)at);
        uint64_t next = (uint64_t)(close - p) + 1;
        MUST(w, is_known_end(w, f, id, at, next), "a record nobody knows in file %u at %llu", id,
             (unsigned long long)at);
        at = next;
    }
}

void check_promises(struct world *w)
{
    struct found *f = xcalloc(1, sizeof *f);
    check_rows(w, f);
    check_open(w, f);
    check_urls(w, f);
    for (unsigned id = 1; id < WORLD_FILES; id++)
        check_file(w, f, id);
    w->row_count = f->rows;
    free(f->list);
    free(f);
}

static struct state *state_now(struct world *w)
{
    char why[JOURNAL_WHY_BYTES] = "";
    int fd = fs->open(WORLD_DIR "/frontier.log", 0);
    MUST(w, fd > 0, "frontier.log is missing");
    struct journal_reader r;
    int err = journal_reader_init(&r, fd, why);
    MUST(w, !err, "frontier.log: %s", why);
    struct state *s = state_new(&r.head, false);
    struct batch_view b;
    while (!err && journal_reader_next(&r, &b) > 0)
        err = state_apply(s, &b, why);
    MUST(w, !err, "frontier.log: %s", why);
    journal_reader_done(&r);
    fs->close(fd);
    return s;
}

void check_final_names(struct world *w)
{
    struct state *s = state_now(w);
    for (unsigned id = 1; id < WORLD_FILES; id++) {
        char path[128];
        file_path(path, sizeof path, id, "");
        const struct buf *b = simfs_content(path);
        MUST(w, !b || (buf_len(b) == state_file_end(s, id) && !memchr(buf_data(b), 0, buf_len(b))),
             "file %u under its final name is not what was committed", id);
    }
    state_free(s);
}

void check_second_recovery(struct world *w)
{
    uint64_t before = simfs_hash();
    struct recovered r;
    recovered_init(&r);
    int err = recover(WORLD_DIR, WORLD_DIR "/warc", &r);
    MUST(w, !err, "a second recovery: %s", r.why);
    fs->close(r.journal_fd);
    fs->close(r.results_fd);
    state_free(r.state);
    MUST(w, simfs_hash() == before, "a second recovery changes something");
}
