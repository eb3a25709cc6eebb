/* SPDX-License-Identifier: MIT */
/* What the hosts cost for one URL: push, pick, grant and end, in three worlds. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "daemon/frontier/host.h"

static int64_t now;

/* Of this thread's CPU: others run on the machine, too. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static double ns_each(int64_t from_ns, uint64_t count)
{
    return (double)(cpu_ns() - from_ns) / (double)count;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static struct host *host_of(struct hosts *h, uint64_t i)
{
    char name[32];
    int n = snprintf(name, sizeof name, "www.example-%07llu.com", (unsigned long long)i);
    return hosts_get(h, name, (size_t)n, NULL);
}

/* The hosts take turns. */
static void push_all(struct hosts *h, struct source *s, uint64_t hosts, uint64_t urls)
{
    size_t before = heap_bytes();
    int64_t from_ns = cpu_ns();
    for (uint64_t i = 0; i < urls; i++) {
        struct host *host = host_of(h, i % hosts);
        hosts_push(h, host_queue(h, host, s), ENTRY(i, 0, 0));
    }
    printf("  push %.0f ns, %.0f bytes a host\n", ns_each(from_ns, urls),
           (double)(heap_bytes() - before) / (double)hosts);
}

/* Answers each request at once; time stands still until nothing may be asked. */
static void fetch_all(struct hosts *h, struct source *s)
{
    uint64_t count = s->queued_count, entry;
    int64_t from_ns = cpu_ns(), longest_ns = 0;
    while (s->queued_count) {
        struct hostq *q;
        enum host_verdict what;
        struct host *host = hosts_pick(h, now, &q, &what);
        if (!host && what == HOST_EMPTY) {
            int64_t next_ns = hosts_tick(h, now);
            now = next_ns > now && next_ns != INT64_MAX ? next_ns : now;
            int64_t tick_ns = cpu_ns(), took_ns;
            hosts_tick(h, now);
            took_ns = cpu_ns() - tick_ns;
            longest_ns = took_ns > longest_ns ? took_ns : longest_ns;
        }
        if (!host)
            continue;
        if (what == HOST_RESOLVE) {
            uint8_t address[16] = {(uint8_t)host->id, (uint8_t)(host->id >> 8),
                                   (uint8_t)(host->id >> 16)};
            host_address(h, host, address);
            continue;
        }
        hostq_take(q, &entry);
        struct host_end end = {.grant = host_grant(h, host), .reached = true};
        hosts_wake(h, host);
        if (host_end(h, host, &end, now))
            abort();
        if (host->connections)
            host_conn_closed(h, host);
    }
    printf("  pick, grant, end %.0f ns; longest tick %.2f ms\n", ns_each(from_ns, count),
           (double)longest_ns / 1e6);
}

static void run(const char *title, uint64_t hosts_count, uint64_t urls, struct pace pace)
{
    struct hosts h;
    struct source s;
    puts(title);
    hosts_init(&h, now);
    now += 10 * NS_PER_S;
    source_init(&s, &pace);
    source_open(&h, &s, true);
    push_all(&h, &s, hosts_count, urls);
    fetch_all(&h, &s);
    int64_t from_ns = cpu_ns();
    hosts_forget(&h, &s, SIZE_MAX);
    printf("  forget %.0f ns a host\n", ns_each(from_ns, hosts_count));
    hosts_done(&h);
}

/* A worker that has had `count` hosts dies while `busy` of them have a connection. */
static void death(uint64_t count, uint64_t busy)
{
    struct hosts h;
    struct source s;
    struct bound bound = {0};
    printf("death of a worker that has had %llu hosts, %llu of them connected\n",
           (unsigned long long)count, (unsigned long long)busy);
    hosts_init(&h, now);
    now += 10 * NS_PER_S;
    source_init(&s, &(struct pace){0, 1, 0});
    source_open(&h, &s, true);
    for (uint64_t i = 0; i < count; i++) {
        struct host *host = host_of(&h, i);
        host_queue(&h, host, &s);
        host_bind(&h, host, 0, &bound);
        struct host_end end = {.grant = host_grant(&h, host), .kept = true, .reached = true};
        host_end(&h, host, &end, now);
        if (i >= busy)
            host_conn_closed(&h, host);
    }
    int64_t from_ns = cpu_ns();
    bound_died(&h, &bound, 0, now);
    printf("  %.2f ms\n", (double)(cpu_ns() - from_ns) / 1e6);
    bound_done(&bound);
    hosts_forget(&h, &s, SIZE_MAX);
    hosts_done(&h);
}

int main(void)
{
    death(1000000, 19000);
    run("2,000,000 URLs of 100 hosts without limits", 100, 2000000, (struct pace){0});
    run("2,000,000 hosts of one URL, 1 connection", 2000000, 2000000, (struct pace){0, 1, 0});
    run("2,000,000 hosts of one URL, probe: 64 per address, each its own address", 2000000, 2000000,
        (struct pace){0, 1, 64});
    run("100,000 hosts of 20 URLs, delay 1 s", 100000, 2000000, (struct pace){NS_PER_S, 1, 4});
    return 0;
}
