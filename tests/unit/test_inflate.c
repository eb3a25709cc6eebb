/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "common/xalloc.h"
#include "tests/coded.h"
#include "tests/unit/unit.h"

static const char text[] =
    "Ships and tides, tides and ships; the dunlin and the petrel. 0123456789";
#define TEXT_BYTES (sizeof text - 1)

static struct inflate *z;
static struct buf plain;

static struct codings parsed(const char *list)
{
    struct codings c;
    codings_parse(list, strlen(list), &c);
    return c;
}

static void begin(const char *list, uint64_t most_bytes)
{
    struct codings c = parsed(list);
    if (!z)
        z = inflate_new();
    buf_clear(&plain);
    inflate_begin(z, &c, most_bytes);
}

/* A copy, so that reading beyond it is found. */
static enum inflate_verdict feed(const char *p, size_t n, size_t room)
{
    char *copy = xmalloc(n ? n : 1), *out = xmalloc(room);
    struct inflate_span in = {copy, n};
    enum inflate_verdict v;
    size_t got;
    if (n)
        memcpy(copy, p, n);
    do {
        v = inflate_next(z, &in, out, room, &got);
        ck_assert_uint_le(got, room);
        buf_add(&plain, out, got);
    } while (v == INFLATE_AGAIN);
    ck_assert(v == INFLATE_FAILED || !in.len);
    free(copy);
    free(out);
    return v;
}

static void done(void)
{
    inflate_free(z);
    z = NULL;
    buf_done(&plain);
}

/* Cut once at `cut`. */
static enum reason decode_cut(const char *list, const struct buf *b, size_t cut, size_t room)
{
    size_t n = buf_len(b);
    begin(list, inflate_most(n));
    if (feed(buf_data(b), cut, room) != INFLATE_FAILED)
        feed(buf_data(b) + cut, n - cut, room);
    return inflate_end(z);
}

static enum reason decode(const char *list, const struct buf *b)
{
    return decode_cut(list, b, 0, 4096);
}

static void expect_plain(const void *p, size_t n)
{
    ck_assert_uint_eq(buf_len(&plain), n);
    ck_assert(!n || !memcmp(buf_data(&plain), p, n));
}

static void every_cut(const char *list, const struct buf *b, const void *p, size_t n)
{
    static const size_t rooms[] = {1, 7, 4096};
    for (size_t r = 0; r < 3; r++)
        for (size_t cut = 0; cut <= buf_len(b); cut++) {
            ck_assert_msg(decode_cut(list, b, cut, rooms[r]) == REASON_NONE, "%s at %zu: %s", list,
                          cut, inflate_why(z));
            expect_plain(p, n);
        }
    begin(list, inflate_most(buf_len(b)));
    for (size_t i = 0; i < buf_len(b); i++)
        ck_assert_int_eq(feed(buf_data(b) + i, 1, 4096), INFLATE_MORE);
    ck_assert_int_eq(inflate_end(z), REASON_NONE);
    expect_plain(p, n);
}

static const char *const names[CODING_COUNT] = {"gzip", "deflate", "br", "zstd"};

START_TEST(every_coding_comes_off_wherever_it_is_cut)
{
    for (int c = 0; c < CODING_COUNT; c++) {
        struct buf b = {0};
        coded(&b, (enum coding)c, text, TEXT_BYTES);
        every_cut(names[c], &b, text, TEXT_BYTES);
        buf_done(&b);
        coded(&b, (enum coding)c, "", 0);
        every_cut(names[c], &b, "", 0);
        buf_done(&b);
    }
    done();
}
END_TEST

START_TEST(raw_deflate_and_two_layers_come_off)
{
    struct buf raw = {0}, inner = {0}, outer = {0};
    coded_deflate(&raw, text, TEXT_BYTES, -15);
    every_cut("deflate", &raw, text, TEXT_BYTES);
    for (int a = 0; a < CODING_COUNT; a++)
        for (int c = 0; c < CODING_COUNT; c++) {
            char list[32];
            snprintf(list, sizeof list, "%s, %s", names[a], names[c]);
            buf_clear(&inner);
            buf_clear(&outer);
            coded(&inner, (enum coding)a, text, TEXT_BYTES);
            coded(&outer, (enum coding)c, buf_data(&inner), buf_len(&inner));
            every_cut(list, &outer, text, TEXT_BYTES);
        }
    buf_done(&raw);
    buf_done(&inner);
    buf_done(&outer);
    done();
}
END_TEST

START_TEST(a_long_body_comes_off_whole)
{
    size_t n = 5 << 20;
    char *p = xmalloc(n);
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (char)("etaoin shrdlu\n<>"[x >> 28]);
    }
    for (int c = 0; c < CODING_COUNT; c++) {
        struct buf b = {0}, twice = {0};
        coded(&b, (enum coding)c, p, n);
        ck_assert_int_eq(decode_cut(names[c], &b, buf_len(&b) / 3, 65536), REASON_NONE);
        expect_plain(p, n);
        coded(&twice, CODING_GZIP, buf_data(&b), buf_len(&b));
        char list[32];
        snprintf(list, sizeof list, "%s,gzip", names[c]);
        ck_assert_int_eq(decode_cut(list, &twice, 1, 65536), REASON_NONE);
        expect_plain(p, n);
        buf_done(&b);
        buf_done(&twice);
    }
    free(p);
    done();
}
END_TEST

START_TEST(no_bytes_at_all_are_an_empty_body)
{
    struct buf none = {0};
    for (int c = 0; c < CODING_COUNT; c++)
        ck_assert_int_eq(decode(names[c], &none), REASON_NONE);
    ck_assert_int_eq(decode("gzip, br", &none), REASON_NONE);
    expect_plain("", 0);
    done();
}
END_TEST

START_TEST(members_follow_one_another_and_garbage_behind_them_is_ignored)
{
    static const char *const garbage[] = {"\x1f",     "\n",          "\x1f!", "\0\0\0\0\0\0\0\0",
                                          "<!-- -->", "\x28\xb5\x2f"};
    for (int c = 0; c < CODING_COUNT; c++) {
        struct buf b = {0}, doubled = {0};
        char twice[2 * TEXT_BYTES];
        memcpy(twice, text, TEXT_BYTES);
        memcpy(twice + TEXT_BYTES, text, TEXT_BYTES);
        bool members = c == CODING_GZIP || c == CODING_ZSTD;
        coded(&b, (enum coding)c, text, TEXT_BYTES);
        for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
            buf_clear(&doubled);
            for (int k = 0; k < 1 + members; k++)
                buf_add(&doubled, buf_data(&b), buf_len(&b));
            buf_add(&doubled, garbage[i], i == 3 ? 8 : strlen(garbage[i]));
            every_cut(names[c], &doubled, twice, TEXT_BYTES * (size_t)(1 + members));
        }
        buf_done(&b);
        buf_done(&doubled);
    }
    done();
}
END_TEST

START_TEST(zstd_skips_the_frames_that_say_so)
{
    struct buf b = {0};
    buf_add(&b, "\x5a\x2a\x4d\x18\x03\0\0\0xyz", 11);
    coded(&b, CODING_ZSTD, text, TEXT_BYTES);
    buf_add(&b, "\x50\x2a\x4d\x18\0\0\0\0", 8);
    every_cut("zstd", &b, text, TEXT_BYTES);
    buf_done(&b);
    done();
}
END_TEST

START_TEST(what_is_cut_short_anywhere_is_broken)
{
    for (int c = 0; c < CODING_COUNT; c++) {
        struct buf b = {0};
        coded(&b, (enum coding)c, text, TEXT_BYTES);
        for (size_t n = buf_len(&b) - 1; n; n--) {
            buf_cut(&b, n);
            ck_assert_msg(decode(names[c], &b) == REASON_BAD_ENCODING, "%s of %zu", names[c], n);
            ck_assert_str_eq(inflate_why(z), "cut short");
        }
        buf_done(&b);
    }
    done();
}
END_TEST

START_TEST(a_changed_byte_never_gives_another_text_of_gzip_or_zlib_or_zstd)
{
    for (int c = 0; c < CODING_COUNT; c++) {
        struct buf b = {0};
        coded(&b, (enum coding)c, text, TEXT_BYTES);
        for (size_t i = 0; i < buf_len(&b); i++)
            for (int bit = 0; bit < 8; bit++) {
                buf_data(&b)[i] ^= (char)(1 << bit);
                if (decode(names[c], &b) == REASON_NONE && c != CODING_BR && i > 1)
                    expect_plain(text, TEXT_BYTES);
                buf_data(&b)[i] ^= (char)(1 << bit);
            }
        buf_done(&b);
    }
    done();
}
END_TEST

START_TEST(what_is_not_coded_as_it_says_is_broken)
{
    static const char page[] = "<!DOCTYPE html><title>not coded</title>";
    struct buf b = {0};
    buf_adds(&b, page);
    for (int c = 0; c < CODING_COUNT; c++) {
        for (size_t cut = 0; cut <= buf_len(&b); cut++)
            ck_assert_int_eq(decode_cut(names[c], &b, cut, 64), REASON_BAD_ENCODING);
        ck_assert_str_ne(inflate_why(z), "");
    }
    ck_assert_int_eq(decode("identity", &b), REASON_NONE);
    expect_plain(page, sizeof page - 1);
    buf_done(&b);
    done();
}
END_TEST

/* ---- bombs ---- */

static void zeros(struct buf *out, enum coding coding, size_t n)
{
    char *p = xcalloc(n, 1);
    coded(out, coding, p, n);
    free(p);
}

START_TEST(a_bomb_is_stopped_at_its_limit)
{
    for (int c = 0; c < CODING_COUNT; c++) {
        struct buf b = {0}, nested = {0};
        zeros(&b, (enum coding)c, 48 << 20);
        ck_assert_int_eq(decode_cut(names[c], &b, 0, 65536), REASON_BOMB);
        ck_assert_uint_le(buf_len(&plain), INFLATE_MOST_BYTES + 65536);
        coded(&nested, CODING_GZIP, buf_data(&b), buf_len(&b));
        char list[32];
        snprintf(list, sizeof list, "%s, gzip", names[c]);
        ck_assert_int_eq(decode_cut(list, &nested, 0, 65536), REASON_BOMB);
        buf_done(&b);
        buf_done(&nested);
    }
    done();
}
END_TEST

START_TEST(the_limit_itself_is_no_bomb)
{
    for (int c = 0; c < CODING_COUNT; c++) {
        struct buf b = {0};
        zeros(&b, (enum coding)c, 100000);
        begin(names[c], 100000);
        ck_assert_int_eq(feed(buf_data(&b), buf_len(&b), 4096), INFLATE_MORE);
        ck_assert_int_eq(inflate_end(z), REASON_NONE);
        begin(names[c], 99999);
        ck_assert_int_eq(feed(buf_data(&b), buf_len(&b), 4096), INFLATE_FAILED);
        ck_assert_int_eq(inflate_reason(z), REASON_BOMB);
        buf_done(&b);
    }
    ck_assert_uint_eq(inflate_most(0), 1 << 20);
    ck_assert_uint_eq(inflate_most(10000), 2000000);
    ck_assert_uint_eq(inflate_most(UINT64_MAX), 32 << 20);
    done();
}
END_TEST

/* The inner layer makes nothing of what the outer one makes much of. */
START_TEST(a_call_is_bounded_though_no_byte_comes_out)
{
    size_t n = 20 << 20;
    char *empty_blocks = xmalloc(n), out[64];
    for (size_t i = 0; i < n; i += 5)
        memcpy(empty_blocks + i, "\0\0\0\xff\xff", 5);
    struct buf b = {0};
    coded(&b, CODING_GZIP, empty_blocks, n);
    begin("deflate, gzip", 64 << 20);
    struct inflate_span in = {buf_data(&b), buf_len(&b)};
    size_t got, calls = 0;
    enum inflate_verdict v;
    while ((v = inflate_next(z, &in, out, sizeof out, &got)) == INFLATE_AGAIN) {
        ck_assert_uint_eq(got, 0);
        calls++;
    }
    ck_assert_int_eq(v, INFLATE_MORE);
    ck_assert_uint_ge(calls, n / (80 << 10));
    begin("deflate, gzip", n / 2);
    ck_assert_int_eq(feed(buf_data(&b), buf_len(&b), 64), INFLATE_FAILED);
    ck_assert_int_eq(inflate_reason(z), REASON_BOMB);
    free(empty_blocks);
    buf_done(&b);
    done();
}
END_TEST

START_TEST(windows_of_more_memory_than_a_page_needs_are_refused)
{
    struct buf b = {0};
    coded_zstd(&b, text, TEXT_BYTES, INFLATE_ZSTD_WINDOW_LOG);
    ck_assert_int_eq(decode("zstd", &b), REASON_NONE);
    buf_clear(&b);
    coded_zstd(&b, text, TEXT_BYTES, INFLATE_ZSTD_WINDOW_LOG + 1);
    ck_assert_int_eq(decode("zstd", &b), REASON_BAD_ENCODING);
    buf_clear(&b);
    buf_add(&b, "\x11\x1e", 2); /* RFC 9841: a large window of 2^30 */
    ck_assert_int_eq(decode("br", &b), REASON_BAD_ENCODING);
    buf_done(&b);
    done();
}
END_TEST

/* ---- lists ---- */

START_TEST(lists_of_codings_are_read_as_they_are_sent)
{
    static const struct {
        const char *list;
        int verdict, count, first, second;
    } rows[] = {
        {"", CODINGS_KNOWN, 0, 0, 0},
        {"identity", CODINGS_KNOWN, 0, 0, 0},
        {"GZip", CODINGS_KNOWN, 1, CODING_GZIP, 0},
        {"x-gzip", CODINGS_KNOWN, 1, CODING_GZIP, 0},
        {"deflate, identity, gzip", CODINGS_KNOWN, 2, CODING_DEFLATE, CODING_GZIP},
        {",br , ,\tzstd ", CODINGS_KNOWN, 2, CODING_BR, CODING_ZSTD},
        {"br,br,br", CODINGS_TOO_MANY, 2, CODING_BR, CODING_BR},
        {"gzip,gzip,gzip,gzip,gzip,gzip", CODINGS_TOO_MANY, 2, CODING_GZIP, CODING_GZIP},
        {"none", CODINGS_UNKNOWN, 0, 0, 0},
        {"gzip, utf-8", CODINGS_UNKNOWN, 1, CODING_GZIP, 0},
        {"gzipp", CODINGS_UNKNOWN, 0, 0, 0},
        {"gzi", CODINGS_UNKNOWN, 0, 0, 0},
        {"gzip deflate", CODINGS_UNKNOWN, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct codings c = parsed(rows[i].list);
        ck_assert_msg(c.verdict == rows[i].verdict, "%s", rows[i].list);
        ck_assert_int_eq(c.count, rows[i].count);
        ck_assert_int_eq(c.at[0], rows[i].first);
        ck_assert_int_eq(c.at[1], rows[i].second);
    }
}
END_TEST

UNIT_TESTS("inflate", every_coding_comes_off_wherever_it_is_cut,
           raw_deflate_and_two_layers_come_off, a_long_body_comes_off_whole,
           no_bytes_at_all_are_an_empty_body,
           members_follow_one_another_and_garbage_behind_them_is_ignored,
           zstd_skips_the_frames_that_say_so, what_is_cut_short_anywhere_is_broken,
           a_changed_byte_never_gives_another_text_of_gzip_or_zlib_or_zstd,
           what_is_not_coded_as_it_says_is_broken, a_bomb_is_stopped_at_its_limit,
           the_limit_itself_is_no_bomb, a_call_is_bounded_though_no_byte_comes_out,
           windows_of_more_memory_than_a_page_needs_are_refused,
           lists_of_codings_are_read_as_they_are_sent)
