/* SPDX-License-Identifier: MIT */
/* CPU time of decoding a page of 20 KiB: codings, charsets, guesses; prints us per page, the median
 * of the rounds with the lowest and highest. The page is half markup, half Chinese or Western
 * words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/parse/text.h"
#include "tests/coded.h"

#define ROUNDS      11
#define ROUND_COUNT 300
#define PAGE_BYTES  20480

static struct text *text;
static struct buf page;
static const char *codings, *content_type;

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void decode(void)
{
    struct codings c;
    struct mime mime;
    struct inflate_span in = {buf_data(&page), buf_len(&page)}, piece;
    enum text_verdict v;
    codings_parse(codings, strlen(codings), &c);
    mime_parse(content_type, &mime);
    text_begin(text, &(struct text_source){&c, &mime, buf_len(&page), false});
    while ((v = text_next(text, &in, true, &piece)) == TEXT_DATA)
        ;
    coded_must(v == TEXT_DONE);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, const char *coding, const char *type)
{
    double us[ROUNDS];
    codings = coding;
    content_type = type;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = cpu_ns();
        for (int i = 0; i < ROUND_COUNT; i++)
            decode();
        us[round] = (double)(cpu_ns() - start) / ROUND_COUNT / 1000;
    }
    qsort(us, ROUNDS, sizeof *us, compare);
    printf("%-36s %6zu bytes %8.1f us (%.1f..%.1f) as %s\n", name, buf_len(&page), us[ROUNDS / 2],
           us[0], us[ROUNDS - 1], text_charset(text));
}

/* Markup with one of the words at a time in between. */
static void make_page(const char *const *words, size_t count)
{
    uint32_t x = 1;
    buf_clear(&page);
    while (buf_len(&page) < PAGE_BYTES) {
        buf_adds(&page, "<li class=\"item\"><a href=\"/p\">");
        for (int i = 0; i < 8; i++) {
            x = x * 1664525 + 1013904223;
            buf_adds(&page, words[(x >> 16) % count]);
        }
        buf_adds(&page, "</a></li>\n");
    }
}

static void measure_coding(const char *name, enum coding coding)
{
    static const char *const words[] = {"ships ",   "tides ", "dunlin ",  "petrel ",
                                        "light ",   "of ",    "harbour ", "and ",
                                        "evening ", "1898 ",  "north ",   "buoy "};
    struct buf plain;
    make_page(words, 12);
    plain = page;
    page = (struct buf){0};
    coded(&page, coding, buf_data(&plain), buf_len(&plain));
    measure(name, name, "text/html; charset=utf-8");
    buf_done(&plain);
}

int main(void)
{
    static const char *const gbk[] = {"\xd2\xb3\xc3\xe6", "\xb2\xbb\xb4\xe6", "\xd4\xda",
                                      "\xbb\xb6\xd3\xad", "\xb9\xe2\xc1\xd9"};
    static const char *const utf8[] = {"页面", "不存", "在", "欢迎", "光临"};
    static const char *const latin[] = {"caf\xe9 ", "na\xefve ",
                                        "stra\xdf"
                                        "e ",
                                        "ni\xf1o ", "the "};
    int64_t start = cpu_ns();
    text = text_new();
    printf("opening all converters %.1f ms\n", (double)(cpu_ns() - start) / 1e6);
    measure_coding("gzip", CODING_GZIP);
    measure_coding("deflate", CODING_DEFLATE);
    measure_coding("br", CODING_BR);
    measure_coding("zstd", CODING_ZSTD);
    make_page(utf8, 5);
    measure("UTF-8", "", "text/html; charset=utf-8");
    measure("UTF-8, undeclared", "", "text/html");
    make_page(gbk, 5);
    measure("GBK", "", "text/html; charset=gbk");
    measure("GBK, undeclared", "", "text/html");
    make_page(latin, 5);
    measure("windows-1252", "", "text/html; charset=iso-8859-1");
    measure("windows-1252, undeclared", "", "text/html");
    buf_done(&page);
    text_free(text);
    return 0;
}
