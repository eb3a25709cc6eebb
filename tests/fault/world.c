/* SPDX-License-Identifier: MIT */
#include "tests/fault/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

void world_violation(const struct world *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("VIOLATION seed=%llu recoveries=%llu calls=%llu: ", (unsigned long long)w->seed,
           (unsigned long long)w->recoveries, (unsigned long long)simfs_control.calls);
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
    exit(1);
}

void world_url(int url, char ret_text[32])
{
    if (url >= 0)
        snprintf(ret_text, 32, "http://w/%d", url);
    else
        snprintf(ret_text, 32, "g%d", -1 - url);
}

const int *world_links(int url)
{
    static int links[3];
    int n = 0;
    if (url >= 0 && url % 3 == 0)
        links[n++] = (url * 7 + 5) % WORLD_URLS;
    if (url >= 0 && url % 5 == 0)
        links[n++] = (url + 1) % WORLD_URLS;
    links[n] = -1;
    return links;
}

bool world_begins(const struct buf *b, const struct buf *with)
{
    size_t n = buf_len(with);
    return !n || (buf_len(b) >= n && !memcmp(buf_data(b), buf_data(with), n));
}

static uint32_t any(struct world *w, uint32_t n)
{
    return rnd(&w->rnd, n);
}

/* ---- what the ledger tells */

static void enqueue(struct world *w, uint64_t seq, int url)
{
    if (w->queue_count == 4096)
        abort();
    w->queue[w->queue_count++] = (struct lease){.seq = seq, .url = url};
}

static void requeue_generated(struct world *w)
{
    uint64_t open[WORLD_GENERATED];
    size_t n = ledger_generated_open(w->ledger, open, WORLD_GENERATED, 0);
    for (size_t i = 0; i < n; i++)
        enqueue(w, w->ledger->state->window.base + open[i], -1 - (int)open[i]);
}

static void on_opened(void *owner, int err, const char *why, uint64_t torn_bytes)
{
    struct world *w = owner;
    w->opened = true;
    w->open_err = err;
    snprintf(w->why, sizeof w->why, "%s", why ? why : "");
    if (!err && !w->dead)
        requeue_generated(w);
}

static void on_queued(void *owner, const struct ledger_url *urls, size_t count)
{
    struct world *w = owner;
    if (w->dead)
        return;
    for (size_t i = 0; i < count; i++) {
        char text[64] = {0};
        memcpy(text, urls[i].url, urls[i].len);
        int url;
        MUST(w, sscanf(text, "http://w/%d", &url) == 1, "queued text is '%s'", text);
        enqueue(w, urls[i].seq, url);
    }
}

static void on_ended(void *owner, uint64_t seq, enum outcome outcome)
{
}

static void on_read(void *owner, const struct ledger_url *urls, size_t count)
{
    struct world *w = owner;
    if (!w->dead)
        reads_told(w, urls, count);
}

static void on_file(void *owner, uint64_t cookie, uint32_t file, int fd, const char *name)
{
    struct world *w = owner;
    w->asked_file = false;
    if (w->dead || !file)
        return;
    if (w->file.id)
        ledger_file_finish(w->ledger, w->file.id);
    w->file = (struct wfile){.id = file, .fd = fd};
    MUST(w, !buf_len(simfs_content(WORLD_DIR "/frontier.log")) || fd > 0, "no descriptor");
}

static void drop_work(struct world *w)
{
    w->queue_count = w->held_count = w->reads.count = 0;
    w->file = (struct wfile){0};
    w->asked_file = false;
}

static void on_failed(void *owner, int err, const char *what)
{
    struct world *w = owner;
    w->failed = true;
    drop_work(w);
}

static void on_closed(void *owner)
{
    ((struct world *)owner)->closed = true;
}

static const struct ledger_ops ops = {.opened = on_opened,
                                      .queued = on_queued,
                                      .ended = on_ended,
                                      .read = on_read,
                                      .file = on_file,
                                      .failed = on_failed,
                                      .closed = on_closed};

/* ---- life */

static void turn(struct world *w)
{
    struct ledger *l = w->ledger;
    if (!ev_is_active(&l->timer))
        return;
    ev_timer_stop(w->loop, &l->timer);
    cycle_turn(w->loop, &l->timer, EV_TIMER);
}

static bool step(struct world *w)
{
    turn(w);
    bool ran = simdisk_run(w->disk);
    return simdisk_answer(w->disk) || ran;
}

static void ledger_begin(struct world *w)
{
    w->dead = w->opened = w->failed = w->closed = false;
    drop_work(w);
    w->ledger = ledger_new(w->disk, w->loop, WORLD_DIR, ".warc", LEDGER_EACH, 0, &ops, w);
}

static void ledger_end(struct world *w)
{
    ledger_close(w->ledger);
    while (!w->closed)
        step(w);
    ledger_free(w->ledger);
}

/* Writes of the worker while the disk thread is at work: the start of a record that no DONE will
 * ever name, because the worker dies or drops it. */
static void between(void *arg)
{
    struct world *w = arg;
    if (!w->quiet && w->file.id && !w->held_count && rnd(&simfs_control.rnd, 40) == 0) {
        simfs_append(w->file.fd, "half", 4);
        w->file.end += 4;
        w->file.id = 0;
    }
}

struct world *world_new(uint64_t seed)
{
    simfs_reset(seed);
    struct world *w = xcalloc(1, sizeof *w);
    w->seed = seed;
    rnd_init(&w->rnd, seed ^ 0x5DEECE66D);
    w->loop = ev_loop_new(0);
    w->disk = disk_new(w->loop);
    ledger_begin(w);
    ledger_create(w->ledger);
    while (!w->opened)
        step(w);
    MUST(w, !w->open_err, "create: %s", w->why);
    w->generates = any(w, 2);
    if (w->generates) {
        ledger_generated(w->ledger, WORLD_GENERATED);
        while (step(w))
            ;
    }
    simfs_control.between = between;
    simfs_control.arg = w;
    return w;
}

void world_free(struct world *w)
{
    w->dead = true;
    ledger_end(w);
    disk_free(w->disk);
    ev_loop_destroy(w->loop);
    buf_done(&w->said);
    free(w);
}

/* ---- clients */

struct token {
    struct ledger_wait wait;
    struct world *w;
    bool urls[WORLD_URLS], last;
    uint64_t cursor;
};

static void on_waited(struct ledger_wait *wait, int err)
{
    struct token *t = (struct token *)wait;
    struct world *w = t->w;
    for (int i = 0; i < WORLD_URLS && !err && !w->dead; i++)
        w->acked[i] |= t->urls[i];
    if (!err && !w->dead) {
        w->last_acked |= t->last;
        if (t->cursor > w->cursor_acked)
            w->cursor_acked = t->cursor;
    }
    free(t);
}

static void give(struct world *w, int url)
{
    char text[32];
    world_url(url, text);
    w->given[url] = true;
    ledger_accept(w->ledger, text, strlen(text), true, false);
}

static void add(struct world *w)
{
    struct token *t = xcalloc(1, sizeof *t);
    t->w = w;
    t->wait.done = on_waited;
    for (uint32_t n = 1 + any(w, 3); n; n--) {
        int url = (int)any(w, WORLD_URLS);
        give(w, url);
        t->urls[url] = true;
    }
    if (!w->last_sent && any(w, 30) == 0) {
        w->last_sent = t->last = true;
        memcpy(w->last_urls, t->urls, sizeof t->urls);
        ledger_flag(w->ledger, LEDGER_LAST);
    }
    t->cursor = ledger_cursor_now(w->ledger);
    ledger_wait(w->ledger, &t->wait);
}

static void generate(struct world *w)
{
    uint64_t at = ledger_cursor_now(w->ledger), next = at + 1 + any(w, 12);
    if (!w->generates || at == WORLD_GENERATED || w->queue_count > 200)
        return;
    next = next > WORLD_GENERATED ? WORLD_GENERATED : next;
    ledger_cursor(w->ledger, next);
    for (uint64_t i = at; i < next; i++)
        enqueue(w, w->ledger->state->window.base + i, -1 - (int)i);
}

/* ---- the worker */

static void lease(struct world *w)
{
    if (w->held_count == 8 || !w->queue_count)
        return;
    size_t i = any(w, (uint32_t)w->queue_count);
    w->held[w->held_count++] = w->queue[i];
    w->queue[i] = w->queue[--w->queue_count];
}

static bool write_record(struct world *w, const char *url)
{
    if (!w->file.id)
        return false;
    char record[64];
    int n = snprintf(record, sizeof record, "<%s>", url);
    simfs_append(w->file.fd, record, (size_t)n);
    w->file.end += (uint64_t)n;
    return true;
}

static void done(struct world *w, struct lease d, enum outcome outcome, uint64_t off)
{
    char text[32], row[160];
    world_url(d.url, text);
    bool stored = outcome == OUTCOME_STORED;
    for (const int *to = world_links(d.url); stored && *to >= 0; to++)
        give(w, *to);
    int n = snprintf(row, sizeof row, "%llu %s %d %u %llu %llu\n", (unsigned long long)d.seq, text,
                     (int)outcome, stored ? w->file.id : 0, (unsigned long long)off,
                     (unsigned long long)(stored ? w->file.end : 0));
    int err =
        ledger_row(w->ledger, d.seq, outcome, row, (size_t)n, stored ? w->file.id : 0, w->file.end);
    MUST(w, !err, "the row of seq %llu (%s) is refused", (unsigned long long)d.seq, text);
}

static void hop(struct world *w)
{
    ledger_hop(w->ledger, w->file.id, w->file.end);
    if (w->hop_count == 4096)
        abort();
    w->hop_ends[w->hop_count++] = (uint64_t)w->file.id << 32 | w->file.end;
}

static void work(struct world *w)
{
    if (!w->held_count)
        return;
    size_t i = any(w, (uint32_t)w->held_count);
    struct lease d = w->held[i];
    w->held[i] = w->held[--w->held_count];
    uint64_t off = w->file.end;
    uint32_t what = any(w, 8);
    char text[32];
    world_url(d.url, text);
    if (what == 0) {
        done(w, d, OUTCOME_FAILED, 0);
    } else if (what == 1) {
        done(w, d, OUTCOME_DROPPED, 0);
    } else if (!write_record(w, text)) {
        enqueue(w, d.seq, d.url);
    } else if (what == 2) {
        hop(w);
        enqueue(w, d.seq, d.url);
    } else {
        done(w, d, OUTCOME_STORED, off);
    }
}

static void file_event(struct world *w)
{
    if (w->file.id && any(w, 2)) { /* the worker dies in the middle of a record */
        simfs_append(w->file.fd, "torn", 4);
        ledger_file_finish(w->ledger, w->file.id);
        w->file.id = 0;
        while (w->held_count) {
            struct lease d = w->held[--w->held_count];
            enqueue(w, d.seq, d.url);
        }
    }
    if (!w->asked_file) {
        w->asked_file = true;
        ledger_file_new(w->ledger, 1);
    }
}

/* A follower reads what is announced as committed. */
static void reader(struct world *w)
{
    uint64_t n = ledger_counts(w->ledger).results_bytes;
    const struct buf *now = simfs_content(WORLD_DIR "/results.jsonl");
    MUST(w, buf_len(now) >= n, "results.jsonl is shorter than announced");
    MUST(w, n >= buf_len(&w->said) && world_begins(now, &w->said), "announced rows changed");
    buf_clear(&w->said);
    buf_add(&w->said, buf_data(now), (size_t)n);
}

static void compact(struct world *w)
{
    struct ledger *l = w->ledger;
    if (l->phase == PHASE_OPEN && !l->running && !l->compacting)
        compact_start(l);
}

/* A failed ledger is read again from disk; when that failed too, again. */
static void revive(struct world *w)
{
    if (w->opened && w->open_err) {
        MUST(w, w->open_err == -EIO || w->open_err == -ENOSPC, "opening again: %s", w->why);
        w->failed = true;
    }
    if (!w->failed)
        return;
    w->failed = w->opened = false;
    ledger_recover(w->ledger);
}

void world_event(struct world *w)
{
    static void (*const events[])(struct world * w) = {
        add,  add,  add,  lease,    lease,    lease,      work,   work,    work,     work,
        turn, turn, turn, generate, generate, file_event, reader, compact, reads_ask};
    revive(w);
    uint32_t n = sizeof events / sizeof *events;
    uint32_t k = any(w, n + 10);
    if (k >= n + 5)
        simdisk_answer(w->disk);
    else if (k >= n)
        simdisk_run(w->disk);
    else if (w->opened && w->ledger->phase == PHASE_OPEN)
        events[k](w);
}

/* ---- crashes */

void world_crash(struct world *w, bool power)
{
    w->dead = true;
    simfs_control.dead = true;
    ledger_end(w);
    simfs_crash(power);
    w->quiet = true;
    check_final_names(w);
}

void world_recover(struct world *w)
{
    for (;;) {
        bool last_try = any(w, 3) > 0;
        if (!last_try)
            simfs_control.die_at = simfs_control.calls + 1 + any(w, 12);
        ledger_begin(w);
        ledger_open(w->ledger);
        while (!w->opened)
            step(w);
        simfs_control.die_at = 0;
        if (!simfs_control.dead)
            break;
        world_crash(w, any(w, 2));
    }
    MUST(w, !w->open_err, "recovery: %s", w->why);
    while (step(w))
        ;
    w->recoveries++;
    check_promises(w);
    if (any(w, 4) == 0)
        check_second_recovery(w);
    w->quiet = false;
}

static bool is_idle(const struct world *w)
{
    const struct ledger *l = w->ledger;
    return l->phase == PHASE_OPEN && !w->queue_count && !w->held_count && !l->running &&
           list_empty(&l->pending) && !l->asked_count;
}

void world_settle(struct world *w)
{
    simfs_control.die_at = simfs_control.fail_at = 0;
    w->quiet = true;
    for (int i = 0; !is_idle(w); i++) {
        MUST(w, i < 200000, "the job does not come to an end");
        revive(w);
        step(w);
        if (w->ledger->phase != PHASE_OPEN)
            continue;
        if (!w->file.id && !w->asked_file)
            file_event(w);
        lease(w);
        work(w);
        if (i % 8 == 0)
            generate(w);
    }
    MUST(w, !w->reads.count, "%zu texts were asked for and never told", w->reads.count);
    world_crash(w, true);
    world_recover(w);
    MUST(w, !w->queue_count, "%zu URLs are open again after the end", w->queue_count);
}
