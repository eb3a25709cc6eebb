/* SPDX-License-Identifier: MIT */
/* CPU nanoseconds per url_parse() of typical URLs: the best of seven rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/url.h"

struct sample {
    const char *name, *base, *input;
};

static const struct sample samples[] = {
    {"plain", NULL, "http://www.example.com/list?page=1234"},
    {"long", NULL,
     "https://user.shop.example.co.uk/products/category/2026/11/a-rather-long-title-of-a-page.html"
     "?utm_source=newsletter&utm_medium=email&session=0123456789abcdef#section-2"},
    {"IPv4", NULL, "http://127.0.0.1:8080/a"},
    {"IPv6", NULL, "http://[2001:db8::1:2]:8080/a"},
    {"encoded", NULL, "http://example.com/caf\xc3\xa9/\xe4\xb8\x8d\xe5\xad\x98\xe5\x9c\xa8?q=a b"},
    {"absolute path", "http://www.example.com/a/b/c.html?x=1", "/images/logo.png"},
    {"relative path", "http://www.example.com/a/b/c.html?x=1", "../d/e.html#top"},
    {"IDNA", NULL,
     "http://b\xc3\xbc"
     "cher.example/list?page=1234"},
    {"refused", NULL, "http://a b/"},
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void bench_sample(const struct sample *s)
{
    enum { ROUNDS = 7, COUNT = 300000 };
    struct url base = {0}, u = {0};
    size_t n = strlen(s->input);
    double best = 0;
    if (s->base && url_parse(s->base, strlen(s->base), NULL, &base))
        abort();
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (int i = 0; i < COUNT; i++)
            url_parse(s->input, n, s->base ? &base : NULL, &u);
        double each = (now_ns() - start) / COUNT;
        if (!round || each < best)
            best = each;
    }
    printf("%-14s %4zu bytes %8.1f ns  %s\n", s->name, n, best, u.href);
    url_done(&u);
    url_done(&base);
}

int main(void)
{
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        bench_sample(&samples[i]);
    return 0;
}
