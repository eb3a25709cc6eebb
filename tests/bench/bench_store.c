/* SPDX-License-Identifier: MIT */
/* CPU time of storing a capture, loop and thread together: pages of text and one whose body is
 * compressed already, plain and gzip, with so many captures put in each turn of the loop. Between
 * two captures the loop is busy for 6 us, as it is with fetching; that time is taken off. Prints us
 * per capture, the median of the rounds with the lowest and highest.
 *
 *     bench_store [DIRECTORY for the files, default /tmp] */
#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/sha1.h"
#include "daemon/store/store.h"

#define ROUNDS      7
#define CAPTURES    256 /* under way at once */
#define BUSY_NS     6000
#define ROUND_BYTES (40 << 20)

struct body {
    const char *name;
    size_t bytes;
    bool dense;
};

static struct ev_loop *loop;
static struct store *store;
static struct capture captures[CAPTURES];
static struct list idle;
static volatile uint64_t blame;

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void on_done(struct capture *c)
{
    if (c->err) {
        fprintf(stderr, "write failed: %s\n", strerror(-c->err));
        exit(1);
    }
    list_add_tail(&idle, &c->link.list);
}

static void page_add(struct buf *b, size_t bytes)
{
    static const char *const words[] = {"crawl",
                                        "page",
                                        "<a href=\"/item/",
                                        "\">",
                                        "</a>\n",
                                        "harbour",
                                        "window",
                                        "<p class=\"text\">",
                                        "seven",
                                        "</p>\n",
                                        "the",
                                        "of",
                                        "river",
                                        "until",
                                        "stone",
                                        "quickly"};
    uint32_t x = 1;
    for (size_t start = buf_len(b); buf_len(b) - start < bytes;) {
        x = x * 1664525 + 1013904223;
        buf_addf(b, x >> 31 ? "%s %u" : "%s ", words[x >> 27 & 15], x >> 16 & 0x7ff);
        if (buf_len(b) - start > bytes)
            buf_cut(b, start + bytes);
    }
}

static void dense_add(struct buf *b, size_t bytes)
{
    uint32_t x = 7;
    for (size_t i = 0; i < bytes; i++)
        buf_addc(b, (char)((x = x * 1664525 + 1013904223) >> 24));
}

static void capture_make(struct capture *c, int i, const struct body *body)
{
    static char url[CAPTURES][64];
    buf_clear(&c->request);
    buf_clear(&c->response);
    buf_addf(&c->request,
             "GET /some/path/page-%d.html HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: "
             "crawld/0.1 (+https://example.org/bot)\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\n"
             "Connection: keep-alive\r\n\r\n",
             i);
    buf_addf(&c->response,
             "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Fri, 20 Nov 2026 11:05:17 GMT\r\n"
             "Content-Type: text/html\r\nContent-Length: %zu\r\nConnection: keep-alive\r\n\r\n",
             body->bytes);
    (body->dense ? dense_add : page_add)(&c->response, body->bytes);
    c->url_len =
        (uint32_t)snprintf(url[i], sizeof *url, "http://www.example.com/some/path/page-%d.html", i);
    c->url = url[i];
    c->ip = "93.184.216.34";
    c->wall_ns = INT64_C(1763636717123000000);
    c->job = c->has_payload = 1;
    c->lease = (uint64_t)i + 1;
    c->done = on_done;
    list_add_tail(&idle, &c->link.list);
}

static void busy(int64_t ns)
{
    for (int64_t until = now_ns(CLOCK_MONOTONIC) + ns; now_ns(CLOCK_MONOTONIC) < until;)
        ;
}

static void put_one(void)
{
    struct capture *c = list_of(idle.next, struct capture, link.list);
    list_del(&c->link.list);
    busy(BUSY_NS);
    store_put(store, c);
}

static double round_us(const char *dir, bool gzip, int per_turn, const struct body *body)
{
    static uint32_t file;
    char path[256];
    snprintf(path, sizeof path, "%s/bench_store.XXXXXX", dir);
    int fd = mkostemp(path, O_APPEND | O_CLOEXEC),
        count = (int)(ROUND_BYTES / (body->bytes + 1500));
    if (fd < 0) {
        perror(path);
        exit(1);
    }
    unlink(path);
    store_job(store, &(struct store_job){.job = 1 + gzip, .gzip = gzip, .software = "crawld"});
    store_file(store, 1 + gzip, ++file, "bench.warc", fd);
    list_init(&idle);
    for (int i = 0; i < CAPTURES; i++) {
        capture_make(&captures[i], i, body);
        captures[i].job = 1 + gzip;
    }
    int64_t begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (int put = 0; put < count;) {
        for (int k = 0; k < per_turn && put < count && !list_empty(&idle); k++, put++)
            put_one();
        ev_run(loop, list_empty(&idle) ? EVRUN_ONCE : EVRUN_NOWAIT);
    }
    while (store_queued_bytes(store))
        ev_run(loop, EVRUN_ONCE);
    return (double)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin) / 1e3 / count - BUSY_NS / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *dir, bool gzip, int per_turn, const struct body *body)
{
    double us[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        us[i] = round_us(dir, gzip, per_turn, body);
    qsort(us, ROUNDS, sizeof *us, by_value);
    printf("%-5s %-5s %6zu bytes %3d a turn %7.2f us (%.2f..%.2f)\n", gzip ? "gzip" : "plain",
           body->name, body->bytes, per_turn, us[ROUNDS / 2], us[0], us[ROUNDS - 1]);
}

static void on_left(void *owner, uint32_t job, uint32_t file)
{
}

int main(int argc, char **argv)
{
    static const struct store_ops ops = {.left = on_left};
    static const int per_turn[] = {1, 8, 64};
    static const struct body bodies[] = {
        {"text", 1024, false}, {"text", 20480, false}, {"dense", 20480, true}};
    const char *dir = argc > 1 ? argv[1] : "/tmp";
    loop = ev_loop_new(EVFLAG_AUTO);
    store = store_new(loop, &ops, NULL, &blame);
    for (int gzip = 0; gzip < 2; gzip++)
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < 3; i++)
                measure(dir, gzip, per_turn[i], &bodies[k]);
    store_free(store);
    ev_loop_destroy(loop);
    return 0;
}
