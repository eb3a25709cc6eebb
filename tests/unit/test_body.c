/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xalloc.h"
#include "daemon/net/body.h"
#include "tests/unit/unit.h"

struct result {
    enum http_verdict verdict;
    enum reason failure;
    struct buf payload;
    size_t used;
};

/* Feeds pieces of `step` bytes, each in memory of exactly its size. */
static struct result decode(enum body_kind kind, uint64_t bytes, const char *p, size_t n,
                            size_t step)
{
    struct body b;
    struct result r = {0};
    body_init(&b, kind, bytes);
    r.verdict = HTTP_MORE;
    for (size_t at = 0; at <= n && r.verdict == HTTP_MORE; at += step) {
        size_t len = n - at < step ? n - at : step;
        char *copy = xmalloc(len + 1);
        memcpy(copy, p + at, len);
        struct body_span in = {copy, len}, payload;
        while ((r.verdict = body_next(&b, &in, &payload)) == HTTP_DATA)
            buf_add(&r.payload, payload.p, payload.len);
        r.used = at + len - in.len;
        free(copy);
    }
    r.failure = b.failure;
    return r;
}

static void check_chunked(const char *p, enum http_verdict verdict, const char *payload,
                          const char *rest)
{
    for (size_t step = 1; step <= strlen(p); step++) {
        struct result r = decode(BODY_CHUNKED, 0, p, strlen(p), step);
        ck_assert_msg(r.verdict == verdict, "%s: %d", p, r.verdict);
        ck_assert_str_eq(buf_str(&r.payload), payload);
        if (verdict == HTTP_DONE)
            ck_assert_str_eq(p + r.used, rest);
        if (verdict == HTTP_FAILED)
            ck_assert_int_eq(r.failure, REASON_BAD_RESPONSE);
        buf_done(&r.payload);
    }
}

START_TEST(takes_chunks_off_however_they_are_cut)
{
    check_chunked("5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n", HTTP_DONE, "hello world", "");
    check_chunked("a\nhello worl\n0001 \t\r\nd\r\n000\r\nTrailer: x\r\nB: c\n\r\nHTTP/1.1",
                  HTTP_DONE, "hello world", "HTTP/1.1");
    check_chunked("A ; x\r\n0123456789\r\n0;last\n\n", HTTP_DONE, "0123456789", "");
    check_chunked("0\r\n\r\n\r\n", HTTP_DONE, "", "\r\n");
    check_chunked("5\r\nhello\r\n0\r\n", HTTP_MORE, "hello", "");
    check_chunked("5\r\nhel", HTTP_MORE, "hel", "");
}
END_TEST

START_TEST(refuses_broken_chunks)
{
    check_chunked("\r\nhello", HTTP_FAILED, "", "");
    check_chunked("-5\r\nhello", HTTP_FAILED, "", "");
    check_chunked("+5\r\nhello", HTTP_FAILED, "", "");
    check_chunked(" 5\r\nhello", HTTP_FAILED, "", "");
    check_chunked("0x5\r\nhello", HTTP_FAILED, "", "");
    check_chunked("5x\r\nhello", HTTP_FAILED, "", "");
    check_chunked("5 5\r\nhello", HTTP_FAILED, "", "");
    check_chunked("5\rhello", HTTP_FAILED, "", "");
    check_chunked("5;a\rb\r\nhello", HTTP_FAILED, "", "");
    check_chunked("5\r\nhello0\r\n\r\n", HTTP_FAILED, "hello", "");
    check_chunked("5\r\nhello\r0\r\n", HTTP_FAILED, "hello", "");
    check_chunked("5\r\nhellox0\r\n\r\n", HTTP_FAILED, "hello", "");
    check_chunked("0\r\nA: b\rc\r\n\r\n", HTTP_FAILED, "", "");
    check_chunked("0\r\n\rx", HTTP_FAILED, "", "");
    struct result r = decode(BODY_CHUNKED, 0, "0\r\nA\0\r\n\r\n", 9, 9);
    ck_assert_int_eq(r.verdict, HTTP_FAILED);
    r = decode(BODY_CHUNKED, 0, "1;\0\r\n", 5, 5);
    ck_assert_int_eq(r.verdict, HTTP_FAILED);
}
END_TEST

START_TEST(a_failure_is_final)
{
    struct body b;
    struct body_span in = {"x0\r\n\r\n", 6}, payload;
    body_init(&b, BODY_CHUNKED, 0);
    ck_assert_int_eq(body_next(&b, &in, &payload), HTTP_FAILED);
    in = (struct body_span){"0\r\n\r\n", 5};
    ck_assert_int_eq(body_next(&b, &in, &payload), HTTP_FAILED);
    ck_assert_int_eq(body_end(&b), HTTP_FAILED);
    ck_assert_int_eq(b.failure, REASON_BAD_RESPONSE);
}
END_TEST

START_TEST(takes_sizes_of_63_bits)
{
    check_chunked("7fffffffffffffff\r\nx", HTTP_MORE, "x", "");
    check_chunked("00000000000000007fffffffffffffff\r\nx", HTTP_MORE, "x", "");
    check_chunked("8000000000000000\r\nx", HTTP_FAILED, "", "");
    check_chunked("10000000000000000\r\nx", HTTP_FAILED, "", "");
    check_chunked("ffffffffffffffff\r\nx", HTTP_FAILED, "", "");
    check_chunked("12345678123456789\r\nx", HTTP_FAILED, "", "");
}
END_TEST

/* front, n times `fill`, back. */
static struct result decode_long(const char *front, const char *fill, size_t n, const char *back)
{
    struct buf b = {0};
    buf_adds(&b, front);
    for (size_t i = 0; i < n; i++)
        buf_adds(&b, fill);
    buf_adds(&b, back);
    struct result r = decode(BODY_CHUNKED, 0, buf_data(&b), buf_len(&b), 1000);
    buf_done(&b);
    buf_done(&r.payload);
    return r;
}

START_TEST(takes_16_kib_of_extensions_in_the_whole_body)
{
    const char *back = "\r\nhello\r\n0\r\n\r\n";
    ck_assert_int_eq(decode_long("5;", "a", BODY_EXTENSION_BYTES - 1, back).verdict, HTTP_DONE);
    struct result r = decode_long("5;", "a", BODY_EXTENSION_BYTES, back);
    ck_assert(r.verdict == HTTP_FAILED && r.failure == REASON_BAD_RESPONSE);
    ck_assert_int_eq(decode_long("5;", "a", 1 << 20, back).verdict, HTTP_FAILED);
    ck_assert_int_eq(decode_long("0", "0", 1 << 20, back).verdict, HTTP_FAILED);
    ck_assert_int_eq(decode_long("5", " ", 1 << 20, back).verdict, HTTP_FAILED);
    ck_assert_int_eq(
        decode_long("", "1;abc\r\nx\r\n", BODY_EXTENSION_BYTES / 4, "0\r\n\r\n").verdict,
        HTTP_DONE);
    ck_assert_int_eq(
        decode_long("", "1;abc\r\nx\r\n", BODY_EXTENSION_BYTES / 4, "0;\r\n\r\n").verdict,
        HTTP_FAILED);
}
END_TEST

START_TEST(takes_16_kib_of_trailers)
{
    ck_assert_int_eq(decode_long("0\r\n", "A: b\n\n" + 5, 1, "").verdict, HTTP_DONE);
    ck_assert_int_eq(decode_long("0\r\n", "A:b\n", BODY_TRAILER_BYTES / 4 - 1, "abc\n\n").verdict,
                     HTTP_FAILED);
    ck_assert_int_eq(decode_long("0\r\n", "A:b\n", BODY_TRAILER_BYTES / 4 - 1, "ab\n\n").verdict,
                     HTTP_DONE);
    struct result r = decode_long("0\r\n", "a", 1 << 20, "\r\n\r\n");
    ck_assert(r.verdict == HTTP_FAILED && r.failure == REASON_HEADER_TOO_LARGE);
}
END_TEST

START_TEST(counts_known_lengths_and_leaves_the_rest)
{
    for (size_t step = 1; step < 12; step++) {
        struct result r = decode(BODY_LENGTH, 5, "hello world", 11, step);
        ck_assert(r.verdict == HTTP_DONE && r.used == 5);
        ck_assert_str_eq(buf_str(&r.payload), "hello");
        buf_done(&r.payload);
        r = decode(BODY_NONE, 5, "hello", 5, step);
        ck_assert(r.verdict == HTTP_DONE && r.used == 0 && !buf_len(&r.payload));
    }
    struct result r = decode(BODY_LENGTH, 0, "x", 1, 1);
    ck_assert(r.verdict == HTTP_DONE && r.used == 0);
    r = decode(BODY_LENGTH, INT64_MAX, "x", 1, 1);
    ck_assert(r.verdict == HTTP_MORE && r.used == 1);
    buf_done(&r.payload);
}
END_TEST

START_TEST(the_end_of_the_connection_completes_only_bodies_without_length)
{
    struct body b;
    struct body_span in = {"xy", 2}, payload;
    body_init(&b, BODY_CLOSE, 0);
    ck_assert_int_eq(body_next(&b, &in, &payload), HTTP_DATA);
    ck_assert_uint_eq(payload.len, 2);
    ck_assert_int_eq(body_next(&b, &in, &payload), HTTP_MORE);
    ck_assert_int_eq(body_end(&b), HTTP_DONE);
    body_init(&b, BODY_LENGTH, 1);
    ck_assert_int_eq(body_end(&b), HTTP_FAILED);
    ck_assert_int_eq(b.failure, REASON_BODY_INCOMPLETE);
    body_init(&b, BODY_CHUNKED, 0);
    ck_assert_int_eq(body_end(&b), HTTP_FAILED);
    body_init(&b, BODY_NONE, 0);
    ck_assert_int_eq(body_end(&b), HTTP_DONE);
}
END_TEST

UNIT_TESTS("body", takes_chunks_off_however_they_are_cut, refuses_broken_chunks, a_failure_is_final,
           takes_sizes_of_63_bits, takes_16_kib_of_extensions_in_the_whole_body,
           takes_16_kib_of_trailers, counts_known_lengths_and_leaves_the_rest,
           the_end_of_the_connection_completes_only_bodies_without_length)
