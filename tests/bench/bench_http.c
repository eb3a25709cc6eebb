/* SPDX-License-Identifier: MIT */
/* CPU time of the HTTP parsers on typical answers, all bytes there at once; prints ns per answer,
 * the median of the rounds with the lowest and highest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/net/head.h"
#include "daemon/net/request.h"

#define ROUNDS      15
#define ROUND_COUNT 200000

static const char nginx_head[] =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 20 Nov 2026 11:05:17 GMT\r\n"
    "Content-Type: text/html\r\nContent-Length: 1024\r\n"
    "Last-Modified: Tue, 10 Nov 2026 09:00:00 GMT\r\nConnection: keep-alive\r\n"
    "ETag: \"65abc123-400\"\r\nAccept-Ranges: bytes\r\n\r\n";

static const char cdn_head[] =
    "HTTP/1.1 200 OK\r\nDate: Fri, 20 Nov 2026 11:05:17 GMT\r\n"
    "Content-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
    "Connection: keep-alive\r\nVary: Accept-Encoding, Cookie\r\n"
    "Cache-Control: public, max-age=600, s-maxage=3600, stale-while-revalidate=60\r\n"
    "Set-Cookie: session=0123456789abcdef0123456789abcdef; Path=/; Secure; HttpOnly; "
    "SameSite=Lax\r\n"
    "Strict-Transport-Security: max-age=63072000; includeSubDomains; preload\r\n"
    "Content-Security-Policy: default-src 'self'; img-src 'self' data: https://img.example.com; "
    "script-src 'self' https://cdn.example.com; style-src 'self' 'unsafe-inline'\r\n"
    "X-Frame-Options: SAMEORIGIN\r\nX-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: strict-origin-when-cross-origin\r\nX-Cache: HIT\r\nAge: 123\r\n"
    "Via: 1.1 varnish, 1.1 edge-fra-01\r\nAlt-Svc: h3=\":443\"; ma=86400\r\n"
    "Server: cloudflare\r\nCF-RAY: 8a1b2c3d4e5f6789-FRA\r\n\r\n";

static struct buf chunked; /* 20 KiB in chunks of 4 KiB */
static volatile size_t sink;

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void parse(const char *p, size_t n)
{
    static struct head_fields fields;
    struct head h;
    head_init(&h, false);
    if (head_parse(&h, p, n, &fields) != HTTP_DONE)
        abort();
    sink += h.end + fields.count;
}

static void run_nginx(void)
{
    parse(nginx_head, sizeof nginx_head - 1);
}

static void run_cdn(void)
{
    parse(cdn_head, sizeof cdn_head - 1);
}

static void run_chunked(void)
{
    struct body b;
    struct body_span in = {buf_data(&chunked), buf_len(&chunked)}, payload;
    body_init(&b, BODY_CHUNKED, 0);
    enum http_verdict v;
    while ((v = body_next(&b, &in, &payload)) == HTTP_DATA)
        sink += payload.len;
    if (v != HTTP_DONE)
        abort();
}

#define TEXT(s)                                                                                    \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }

static void run_request(void)
{
    static struct buf out;
    static const struct request r = {
        .method = TEXT("GET"),
        .target = TEXT("/list?page=12345"),
        .host_port = TEXT("www.example.com"),
        .user_agent = TEXT("crawld/0.1 (+https://example.org/contact)"),
        .accept_encoding = TEXT("gzip, deflate, br, zstd"),
    };
    buf_clear(&out);
    if (request_build(&r, &out))
        abort();
    sink += buf_len(&out);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, size_t bytes, void (*run)(void))
{
    double ns[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = cpu_ns();
        for (int i = 0; i < ROUND_COUNT; i++)
            run();
        ns[round] = (double)(cpu_ns() - start) / ROUND_COUNT;
    }
    qsort(ns, ROUNDS, sizeof *ns, compare);
    printf("%-32s %6zu bytes %8.1f ns (%.1f..%.1f)\n", name, bytes, ns[ROUNDS / 2], ns[0],
           ns[ROUNDS - 1]);
}

int main(void)
{
    for (int chunk = 0; chunk < 5; chunk++) {
        buf_adds(&chunked, "1000\r\n");
        memset(buf_reserve(&chunked, 4096), 'x', 4096);
        buf_grew(&chunked, 4096);
        buf_adds(&chunked, "\r\n");
    }
    buf_adds(&chunked, "0\r\n\r\n");
    measure("head, nginx, 8 fields", sizeof nginx_head - 1, run_nginx);
    measure("head, behind a CDN, 18 fields", sizeof cdn_head - 1, run_cdn);
    measure("body, 5 chunks of 4 KiB", buf_len(&chunked), run_chunked);
    measure("request", 0, run_request);
    buf_done(&chunked);
    return 0;
}
