/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "daemon/net/head.h"
#include "tests/unit/unit.h"

static struct head h;
static struct head_fields fields;

/* The first n bytes of p, in memory of exactly that size. */
static enum http_verdict parse_copy(const char *p, size_t n)
{
    char *copy = xmalloc(n ? n : 1);
    memcpy(copy, p, n);
    enum http_verdict v = head_parse(&h, copy, n, &fields);
    free(copy);
    return v;
}

static enum http_verdict parse_n(const char *p, size_t n)
{
    head_init(&h, false);
    return parse_copy(p, n);
}

static enum http_verdict parse(const char *p)
{
    return parse_n(p, strlen(p));
}

static void check_slice(const char *p, struct head_slice s, const char *want)
{
    ck_assert_uint_eq(s.len, strlen(want));
    ck_assert(!memcmp(p + s.off, want, s.len));
}

static void refuses(const char *p, enum reason why)
{
    ck_assert_msg(parse(p) == HTTP_FAILED, "not refused: %s", p);
    ck_assert_str_eq(reason_name(h.failure), reason_name(why));
}

static void accepts(const char *p)
{
    ck_assert_msg(parse(p) == HTTP_DONE, "not accepted: %s", p);
}

START_TEST(finds_status_fields_and_framing)
{
    const char *p = "HTTP/1.1 404 Not Found\r\nServer: nginx\r\nContent-Type:  text/html \r\n"
                    "content-length: 12\r\nContent-Type: b\r\nX-Empty:\r\n\r\nhello";
    accepts(p);
    ck_assert_uint_eq(h.status, 404);
    check_slice(p, h.phrase, "Not Found");
    ck_assert_uint_eq(fields.count, 5);
    check_slice(p, fields.at[0].name, "Server");
    check_slice(p, fields.at[4].value, "");
    check_slice(p, h.first[HEAD_CONTENT_TYPE], "text/html");
    ck_assert_uint_eq(h.first[HEAD_LOCATION].off, 0);
    ck_assert_int_eq(h.body_kind, BODY_LENGTH);
    ck_assert_uint_eq(h.body_bytes, 12);
    ck_assert_uint_eq(h.end, strlen(p) - 5);
    ck_assert(h.keep_alive);
}
END_TEST

static const char *const cut_samples[] = {
    "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\n",
    "\r\nHTTP/1.1 100 Continue\r\nX: y\r\n\r\n\r\nHTTP/1.0 301\nLocation: /a\n folded\n\tmore\n\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\nno colon\r\n folded\r\nB: c\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: \rb\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "HTTP/2 200\r\n\r\n",
    "\r\rHTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 101 Switching\r\n\r\n",
};

START_TEST(answer_is_the_same_however_the_bytes_are_cut)
{
    for (size_t i = 0; i < sizeof cut_samples / sizeof *cut_samples; i++) {
        const char *p = cut_samples[i];
        size_t n = strlen(p);
        enum http_verdict want = parse(p);
        struct head whole = h;
        struct head_fields whole_fields = fields;
        for (size_t step = 1; step <= n; step++) {
            memset(&fields, 0xee, sizeof fields);
            head_init(&h, false);
            enum http_verdict v = HTTP_MORE;
            for (size_t at = step; v == HTTP_MORE && at < n + step; at += step)
                v = parse_copy(p, at < n ? at : n);
            ck_assert_int_eq(v, want);
            ck_assert_int_eq(h.failure, whole.failure);
            if (want != HTTP_DONE)
                continue;
            ck_assert(!memcmp(&h, &whole, sizeof h));
            ck_assert(!memcmp(fields.at, whole_fields.at, whole_fields.count * sizeof *fields.at));
        }
    }
}
END_TEST

START_TEST(reads_over_what_real_servers_do_wrong)
{
    accepts("http/1.1 200 OK\r\n\r\n");
    accepts("\r\n\nHTTP/1.1 200 OK\r\n\r\n");
    accepts("HTTP/1.1 200\r\n\r\n");
    ck_assert_uint_eq(h.phrase.len, 0);
    accepts("HTTP/1.1 200\n\n");
    ck_assert_uint_eq(h.end, 14);
    accepts("HTTP/1.1  999 \r\n\r\n");
    ck_assert_uint_eq(h.status, 999);
    accepts("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5, 05\r\n\r\n");
    ck_assert_uint_eq(h.body_bytes, 5);
    accepts("HTTP/1.1 200 OK\r\n Content-Length: 9\r\nno colon\r\nbad name: x\r\nA: b\r\n\r\n");
    ck_assert_uint_eq(fields.count, 1);
    ck_assert_int_eq(h.body_kind, BODY_CLOSE);
    accepts("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\n");
    ck_assert_int_eq(h.body_kind, BODY_LENGTH);
}
END_TEST

START_TEST(refuses_what_is_no_response)
{
    refuses("HTTP/1.10 200 OK\r\n\r\n", REASON_BAD_RESPONSE);
    refuses("HTTP/1. 200 OK\r\n\r\n", REASON_BAD_RESPONSE);
    refuses("HTTP/1.1 20\r\n\r\n", REASON_BAD_RESPONSE);
    refuses("HTTP/1.1 2000\r\n\r\n", REASON_BAD_RESPONSE);
    refuses("HTTP/1.1 099 X\r\n\r\n", REASON_BAD_RESPONSE);
    refuses("HTTP/1.1200 OK\r\n\r\n", REASON_BAD_RESPONSE);
    refuses("HTTP/1.1 \r\n200 OK\r\n\r\n", REASON_BAD_RESPONSE);
    refuses("\x15\x03\x03", REASON_BAD_RESPONSE);
    refuses("HTTP/2", REASON_BAD_RESPONSE);
    refuses("<", REASON_BAD_RESPONSE);
    refuses("HTTP/1.1 101 Switching Protocols\r\n\r\n", REASON_BAD_RESPONSE);
    ck_assert_int_eq(parse_n("HTTP/1.1 200 O\0K\r\n\r\n", 20), HTTP_FAILED);
    ck_assert_int_eq(head_parse(&h, "", 0, &fields), HTTP_FAILED);
}
END_TEST

START_TEST(refuses_fields_that_two_readers_could_read_differently)
{
    static const char *const bad[] = {
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: 5,",
        "Content-Length:",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 5abc",
        "Content-Length: 5 5",
        "Content-Length: 0x5",
        "Content-Length: 5\r\n 6",
        "Content-Length: 9223372036854775808",
        "Content-Length: 99999999999999999999999",
        "Content-Length : 5",
        "Transfer-Encoding\t: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding:",
        "Transfer-Encoding: \vchunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked,",
        ": x",
        "A: b\rC: d",
        "A: b\r\r",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[200];
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", bad[i]);
        refuses(text, REASON_BAD_RESPONSE);
    }
    accepts("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n");
    ck_assert_uint_eq(h.body_bytes, INT64_MAX);
}
END_TEST

START_TEST(chunked_wins_over_a_length_and_ends_the_connection)
{
    accepts("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n");
    ck_assert(h.body_kind == BODY_CHUNKED && h.keep_alive);
    accepts("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
    ck_assert(h.body_kind == BODY_CHUNKED && !h.keep_alive);
    accepts("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n");
    ck_assert(h.body_kind == BODY_CHUNKED && !h.keep_alive);
}
END_TEST

START_TEST(answers_without_body_have_none_whatever_they_say)
{
    accepts("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n");
    ck_assert(h.body_kind == BODY_NONE && h.keep_alive);
    accepts("HTTP/1.1 304 Not\r\nTransfer-Encoding: chunked\r\n\r\n");
    ck_assert(h.body_kind == BODY_NONE);
    head_init(&h, true);
    const char *p = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    ck_assert_int_eq(head_parse(&h, p, strlen(p), &fields), HTTP_DONE);
    ck_assert(h.body_kind == BODY_NONE && h.keep_alive);
}
END_TEST

START_TEST(keeps_connections_by_version_and_tokens)
{
    static const struct {
        const char *version, *connection;
        bool keep;
    } cases[] = {
        {"1.1", "x", true},
        {"1.1", "close", false},
        {"1.1", "a, CLOSE", false},
        {"1.1", "keep-alive, close", false},
        {"1.1", "closed", true},
        {"1.0", "x", false},
        {"1.0", "Keep-Alive", true},
        {"1.0", "keep-alive ,close", false},
        {"1.1", "\r\n  close", false},
        {"1.2", "x", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text, "HTTP/%s 200 OK\r\nContent-Length: 0\r\nConnection: %s\r\n\r\n",
                 cases[i].version, cases[i].connection);
        accepts(text);
        ck_assert_msg(h.keep_alive == cases[i].keep, "%s %s", cases[i].version,
                      cases[i].connection);
    }
    accepts("HTTP/1.1 200 OK\r\n\r\n");
    ck_assert(h.body_kind == BODY_CLOSE && !h.keep_alive);
}
END_TEST

START_TEST(interim_answers_are_passed_over_sixteen_times)
{
    struct buf b = {0};
    for (unsigned i = 0; i < HEAD_INTERIM_COUNT; i++)
        buf_adds(&b, "HTTP/1.1 103 Early\r\nLink: x\r\nContent-Length: 9\r\n\r\n");
    size_t start = buf_len(&b);
    const char *last = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    buf_adds(&b, last);
    ck_assert_int_eq(parse_n(buf_data(&b), buf_len(&b)), HTTP_DONE);
    ck_assert_uint_eq(h.start, start);
    ck_assert_uint_eq(fields.count, 1);
    ck_assert_uint_eq(h.body_bytes, 5);
    buf_cut(&b, start);
    buf_adds(&b, "HTTP/1.1 103 Early\r\n\r\n");
    ck_assert_int_eq(parse_n(buf_data(&b), buf_len(&b)), HTTP_FAILED);
    ck_assert_int_eq(h.failure, REASON_BAD_RESPONSE);
    buf_done(&b);
}
END_TEST

/* A head of `bytes` bytes, its last field padded. */
static void fill_head(struct buf *b, const char *front, size_t bytes)
{
    buf_clear(b);
    buf_adds(b, front);
    buf_adds(b, "HTTP/1.1 200 OK\r\nX: ");
    while (buf_len(b) < bytes - 4)
        buf_addc(b, 'a');
    buf_adds(b, "\r\n\r\n");
}

START_TEST(takes_64_kib_of_head_and_not_a_byte_more)
{
    static const char *const fronts[] = {"", "\r\n", "HTTP/1.1 100 C\r\nA: b\r\n\r\n"};
    struct buf b = {0};
    for (size_t i = 0; i < sizeof fronts / sizeof *fronts; i++) {
        fill_head(&b, fronts[i], HEAD_BYTES);
        buf_adds(&b, "body");
        ck_assert_int_eq(parse_n(buf_data(&b), buf_len(&b)), HTTP_DONE);
        ck_assert_uint_eq(h.end, HEAD_BYTES);
        ck_assert_int_eq(parse_n(buf_data(&b), HEAD_BYTES - 1), HTTP_MORE);
        fill_head(&b, fronts[i], HEAD_BYTES + 1);
        ck_assert_int_eq(parse_n(buf_data(&b), buf_len(&b)), HTTP_FAILED);
        ck_assert_int_eq(h.failure, REASON_HEADER_TOO_LARGE);
    }
    buf_clear(&b);
    for (size_t i = 0; i < HEAD_BYTES; i++)
        buf_addc(&b, '\n');
    ck_assert_int_eq(parse_n(buf_data(&b), buf_len(&b)), HTTP_FAILED);
    buf_done(&b);
}
END_TEST

static enum http_verdict parse_lines(const char *front, unsigned lines)
{
    struct buf b = {0};
    buf_adds(&b, front);
    buf_adds(&b, "HTTP/1.1 200 OK\r\n");
    for (unsigned i = 0; i < lines; i++)
        buf_adds(&b, "A: b\r\n");
    buf_adds(&b, "\r\n");
    enum http_verdict v = parse_n(buf_data(&b), buf_len(&b));
    buf_done(&b);
    return v;
}

START_TEST(takes_256_lines_and_not_one_more)
{
    ck_assert_int_eq(parse_lines("", HEAD_LINES - 1), HTTP_DONE);
    ck_assert_uint_eq(fields.count, HEAD_LINES - 1);
    ck_assert_int_eq(parse_lines("", HEAD_LINES), HTTP_FAILED);
    ck_assert_int_eq(h.failure, REASON_HEADER_TOO_LARGE);
    ck_assert_int_eq(parse_lines("HTTP/1.1 100 C\r\nA: b\r\n\r\n", HEAD_LINES - 3), HTTP_DONE);
    ck_assert_int_eq(parse_lines("HTTP/1.1 100 C\r\nA: b\r\n\r\n", HEAD_LINES - 2), HTTP_FAILED);
    ck_assert_int_eq(parse_lines("", 10000), HTTP_FAILED);
    ck_assert_int_eq(h.failure, REASON_HEADER_TOO_LARGE);
}
END_TEST

START_TEST(an_end_inside_the_head_is_named)
{
    ck_assert_int_eq(head_end(0), REASON_EMPTY_REPLY);
    ck_assert_int_eq(head_end(1), REASON_BODY_INCOMPLETE);
}
END_TEST

START_TEST(values_are_given_in_one_line)
{
    const char *p = "HTTP/1.1 200 OK\r\nLocation: \r\n /a \t\r\n\tb\r\n   \r\n c \r\n"
                    "Content-Encoding: gzip\r\nX: y\r\nContent-Encoding: br\n ,zstd\r\n\r\n";
    accepts(p);
    struct buf b = {0};
    head_value(p, h.first[HEAD_LOCATION], &b);
    ck_assert_str_eq(buf_str(&b), "/a b c");
    buf_clear(&b);
    head_list(p, &fields, HEAD_CONTENT_ENCODING, &b);
    ck_assert_str_eq(buf_str(&b), "gzip, br ,zstd");
    buf_done(&b);
}
END_TEST

UNIT_TESTS("head", finds_status_fields_and_framing, answer_is_the_same_however_the_bytes_are_cut,
           reads_over_what_real_servers_do_wrong, refuses_what_is_no_response,
           refuses_fields_that_two_readers_could_read_differently,
           chunked_wins_over_a_length_and_ends_the_connection,
           answers_without_body_have_none_whatever_they_say,
           keeps_connections_by_version_and_tokens, interim_answers_are_passed_over_sixteen_times,
           takes_64_kib_of_head_and_not_a_byte_more, takes_256_lines_and_not_one_more,
           an_end_inside_the_head_is_named, values_are_given_in_one_line)
