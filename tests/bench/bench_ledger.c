/* SPDX-License-Identifier: MIT */
/* bench_ledger DIR [URLS]: what the ledger costs, in a new directory below DIR (a tmpfs and a disk
 * give different answers). CPU is that of the whole process, disk thread included. */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "common/clock.h"
#include "daemon/frontier/ledger.h"

#define PENDING_MAX (16u << 20)
#define SLICE       1000 /* URLs put in for each turn of the loop */

struct bench {
    struct ev_loop *loop;
    struct disk *disk;
    struct ledger *ledger;
    char dir[256];
    bool opened, closed, waited;
    uint64_t queued, ended, texts;
    int64_t longest_ns; /* turn of the loop */
    struct ledger_wait wait;
};

static void on_opened(void *owner, int err, const char *why, uint64_t torn_bytes)
{
    ((struct bench *)owner)->opened = true;
    if (err) {
        fprintf(stderr, "bench_ledger: %s\n", why);
        exit(1);
    }
}

static void on_queued(void *owner, const struct ledger_url *urls, size_t count)
{
    ((struct bench *)owner)->queued += count;
}

static void on_ended(void *owner, uint64_t seq, enum outcome outcome)
{
    ((struct bench *)owner)->ended++;
}

static void on_read(void *owner, const struct ledger_url *urls, size_t count)
{
    ((struct bench *)owner)->texts += count;
}

static void on_file(void *owner, uint64_t cookie, uint32_t file, int fd, const char *name)
{
}

static void on_failed(void *owner, int err, const char *what)
{
    fprintf(stderr, "bench_ledger: %s: %s\n", what, strerror(-err));
    exit(1);
}

static void on_closed(void *owner)
{
    ((struct bench *)owner)->closed = true;
}

static const struct ledger_ops ops = {.opened = on_opened,
                                      .queued = on_queued,
                                      .ended = on_ended,
                                      .read = on_read,
                                      .file = on_file,
                                      .failed = on_failed,
                                      .closed = on_closed};

static void on_waited(struct ledger_wait *w, int err)
{
    ((struct bench *)((char *)w - offsetof(struct bench, wait)))->waited = true;
}

static int64_t thread_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* One turn; the longest is noted in CPU time, which other processes do not lengthen. */
static void turn(struct bench *b, int flags)
{
    int64_t begin = thread_cpu_ns();
    ev_run(b->loop, flags);
    int64_t took = thread_cpu_ns() - begin;
    if (took > b->longest_ns)
        b->longest_ns = took;
}

/* Lets the loop turn, and waits for a disk that lags behind. */
static void give_way(struct bench *b)
{
    turn(b, EVRUN_NOWAIT);
    while (ledger_counts(b->ledger).pending_bytes > PENDING_MAX)
        turn(b, EVRUN_ONCE);
}

static void commit(struct bench *b)
{
    b->waited = false;
    b->wait.done = on_waited;
    ledger_wait(b->ledger, &b->wait);
    while (!b->waited)
        turn(b, EVRUN_ONCE);
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

struct watch {
    double cpu;
    int64_t wall;
};

static struct watch watch_start(void)
{
    return (struct watch){.cpu = cpu_s(), .wall = clock_mono_ns()};
}

static void watch_print(const struct watch *w, const char *what, uint64_t n)
{
    double cpu = cpu_s() - w->cpu, wall = (double)(clock_mono_ns() - w->wall) / 1e9;
    printf("%-28s %9llu  %7.0f ns CPU each  %7.0f ns wall each  %6.2f M/s\n", what,
           (unsigned long long)n, cpu * 1e9 / (double)n, wall * 1e9 / (double)n,
           (double)n / wall / 1e6);
}

static void begin(struct bench *b, bool create)
{
    b->opened = b->closed = false;
    b->ledger = ledger_new(b->disk, b->loop, b->dir, ".warc", LEDGER_BATCH, NS_PER_S, &ops, b);
    if (create)
        ledger_create(b->ledger);
    else
        ledger_open(b->ledger);
    while (!b->opened)
        ev_run(b->loop, EVRUN_ONCE);
}

static void end(struct bench *b)
{
    ledger_close(b->ledger);
    while (!b->closed)
        ev_run(b->loop, EVRUN_ONCE);
    ledger_free(b->ledger);
}

static void put_urls(struct bench *b, uint64_t count)
{
    struct watch w = watch_start();
    for (uint64_t i = 0; i < count; i++) {
        char url[80];
        int n = snprintf(url, sizeof url, "http://host-%llu.example.com/some/page?id=%llu",
                         (unsigned long long)(i % 50000), (unsigned long long)i);
        ledger_accept(b->ledger, url, (size_t)n, true, false);
        if (i % SLICE == 0)
            give_way(b);
    }
    commit(b);
    watch_print(&w, "accept, durable, queued", count);
}

static void put_rows(struct bench *b, uint64_t first, uint64_t count)
{
    char row[400];
    memset(row, 'x', sizeof row);
    row[sizeof row - 1] = '\n';
    struct watch w = watch_start();
    for (uint64_t i = 0; i < count; i++) {
        ledger_row(b->ledger, first + i, OUTCOME_STORED, row, sizeof row, 0, 0);
        if (i % SLICE == 0)
            give_way(b);
    }
    commit(b);
    watch_print(&w, "row of 400 bytes, durable", count);
}

static void read_texts(struct bench *b, uint64_t count, uint64_t step)
{
    struct watch w = watch_start();
    uint64_t seqs[LEDGER_READ_MAX], asked = 0;
    b->texts = 0;
    for (uint64_t i = 0; asked < count; asked += LEDGER_READ_MAX) {
        for (size_t k = 0; k < LEDGER_READ_MAX; k++)
            seqs[k] = 1 + (i++ * step) % count;
        ledger_read(b->ledger, seqs, LEDGER_READ_MAX);
        while (b->texts < asked)
            ev_run(b->loop, EVRUN_ONCE);
    }
    watch_print(&w, step == 1 ? "text read, neighbours" : "text read, scattered", asked);
}

static void recover(struct bench *b, const char *what, uint64_t records)
{
    end(b);
    b->queued = 0;
    struct watch w = watch_start();
    begin(b, false);
    watch_print(&w, what, records);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_ledger DIR [URLS]\n");
        return 2;
    }
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 2000000;
    struct bench b = {0};
    snprintf(b.dir, sizeof b.dir, "%s/bench-ledger-XXXXXX", argv[1]);
    if (!mkdtemp(b.dir)) {
        perror(b.dir);
        return 1;
    }
    b.loop = ev_loop_new(0);
    b.disk = disk_new(b.loop);
    begin(&b, true);
    put_urls(&b, count);
    struct ledger_counts c = ledger_counts(b.ledger);
    printf("memory per queued URL: seen set %.2f, open %.2f bytes; journal %.1f bytes\n",
           (double)c.seen_bytes / (double)count, (double)c.open_bytes / (double)count,
           (double)c.journal_bytes / (double)count);
    read_texts(&b, count, 1);
    read_texts(&b, count / 20, 7919);
    recover(&b, "recovery, all open", count);
    struct watch w = watch_start();
    while (b.queued < count)
        turn(&b, EVRUN_ONCE);
    watch_print(&w, "queued after recovery", count);
    put_rows(&b, 1, count - count / 100);
    recover(&b, "recovery, 1 % open", count * 2);
    c = ledger_counts(b.ledger);
    printf("after it: journal %.1f, seen set %.2f, open %.2f bytes per URL\n",
           (double)c.journal_bytes / (double)count, (double)c.seen_bytes / (double)count,
           (double)c.open_bytes / (double)count);
    printf("longest turn of the loop: %.2f ms CPU\n", (double)b.longest_ns / 1e6);
    end(&b);
    disk_free(b.disk);
    ev_loop_destroy(b.loop);
    char command[300];
    snprintf(command, sizeof command, "rm -rf %s", b.dir);
    return system(command) ? 1 : 0;
}
