/* SPDX-License-Identifier: MIT */
/* Every member is read back by zlib, whose readers are the strictest about codes, and by
 * libdeflate. Inputs and outputs are heap blocks of exactly their size, so that the sanitizer sees
 * each byte too far. */
#include <check.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/xalloc.h"
#include "daemon/store/deflate.h"
#include "tests/unit/unit.h"

static struct deflate *encoder;
static uint32_t random_state = 1;

static uint32_t random_next(void)
{
    return (random_state = random_state * 1664525 + 1013904223) >> 8;
}

static void check_zlib(const uint8_t *member, size_t size, const uint8_t *in, size_t n)
{
    uint8_t *back = xcalloc(n + 1, 1);
    z_stream z = {.next_in = (uint8_t *)member,
                  .avail_in = (unsigned)size,
                  .next_out = back,
                  .avail_out = (unsigned)n + 1};
    ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
    ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(z.total_out, n);
    ck_assert_uint_eq(z.avail_in, 0);
    ck_assert(!n || !memcmp(back, in, n));
    inflateEnd(&z);
    free(back);
}

static void check_libdeflate(const uint8_t *member, size_t size, const uint8_t *in, size_t n)
{
    struct libdeflate_decompressor *z = libdeflate_alloc_decompressor();
    uint8_t *back = xcalloc(n + 1, 1);
    size_t used, got;
    ck_assert_int_eq(libdeflate_gzip_decompress_ex(z, member, size, back, n + 1, &used, &got), 0);
    ck_assert_uint_eq(got, n);
    ck_assert_uint_eq(used, size);
    ck_assert(!n || !memcmp(back, in, n));
    free(back);
    libdeflate_free_decompressor(z);
}

/* The member's size. */
static size_t round_trip(const void *bytes, size_t n)
{
    uint8_t *in = xcalloc(n ? n : 1, 1), *out = xcalloc(deflate_gzip_bound(n), 1);
    if (n)
        memcpy(in, bytes, n);
    size_t size = deflate_gzip(encoder, in, n, out);
    ck_assert_uint_le(size, deflate_gzip_bound(n));
    check_zlib(out, size, in, n);
    check_libdeflate(out, size, in, n);
    free(in);
    free(out);
    return size;
}

static size_t libdeflate_size(const void *in, size_t n)
{
    struct libdeflate_compressor *z = libdeflate_alloc_compressor(1);
    size_t bound = libdeflate_gzip_compress_bound(z, n);
    uint8_t *out = xcalloc(bound, 1);
    size_t size = libdeflate_gzip_compress(z, in, n, out, bound);
    free(out);
    libdeflate_free_compressor(z);
    return size;
}

static void fill_text(uint8_t *p, size_t n)
{
    static const char *const words[] = {"the ", "of ",     "<a href=\"/", "\">",  "</a>\r\n",
                                        "sea ", "harbour", "<p>",         "2026", "window "};
    for (size_t at = 0; at < n;) {
        const char *word = words[random_next() % 10];
        size_t take = strlen(word) < n - at ? strlen(word) : n - at;
        memcpy(p + at, word, take);
        at += take;
    }
}

static void fill_random(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)random_next();
}

static void fill_zeros(uint8_t *p, size_t n)
{
    memset(p, 0, n);
}

/* Few different bytes: matches of every length and distance. */
static void fill_ab(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = "ab"[random_next() % 37 == 0];
}

/* What one code lacks: text with a byte beyond ASCII at its end. */
static void fill_foreign(uint8_t *p, size_t n)
{
    fill_text(p, n);
    if (n)
        p[n - 1] = 0xff;
}

static void (*const fills[])(uint8_t *p, size_t n) = {fill_text, fill_random, fill_zeros, fill_ab,
                                                      fill_foreign};

START_TEST(every_length_comes_back)
{
    static uint8_t bytes[DEFLATE_MAX_BYTES];
    for (size_t n = 0; n <= 4096; n++) {
        fills[_i](bytes, n);
        round_trip(bytes, n);
    }
    for (size_t n = DEFLATE_MAX_BYTES - 300; n <= DEFLATE_MAX_BYTES; n++) {
        fills[_i](bytes, n);
        round_trip(bytes, n);
    }
}
END_TEST

START_TEST(every_byte_comes_back_alone_and_in_a_row)
{
    uint8_t bytes[600];
    for (int c = 0; c < 256; c++) {
        memset(bytes, c, sizeof bytes);
        for (size_t n = 1; n <= sizeof bytes; n += n < 8 ? 1 : 37)
            round_trip(bytes, n);
    }
}
END_TEST

/* Random bytes, then a piece of them again: the match is as long and as far as wanted. */
START_TEST(every_length_of_match_and_distance_comes_back)
{
    static uint8_t bytes[DEFLATE_MAX_BYTES];
    for (size_t length = 4; length <= 300; length++)
        for (size_t distance = length; distance + length <= DEFLATE_MAX_BYTES;
             distance += 1 + distance / 2) {
            memset(bytes, 'x', sizeof bytes);
            fill_random(bytes, length);
            memcpy(bytes + distance, bytes, length);
            round_trip(bytes, distance + length);
        }
}
END_TEST

START_TEST(what_cannot_be_packed_is_stored)
{
    uint8_t bytes[2000];
    fill_random(bytes, sizeof bytes);
    ck_assert_uint_eq(round_trip(bytes, sizeof bytes), deflate_gzip_bound(sizeof bytes));
    ck_assert_uint_eq(round_trip(bytes, 0), deflate_gzip_bound(0));
}
END_TEST

START_TEST(the_same_bytes_give_the_same_member_whatever_came_before)
{
    uint8_t bytes[3000], other[3000], first[4000], second[4000];
    fill_text(bytes, sizeof bytes);
    size_t size = deflate_gzip(encoder, bytes, sizeof bytes, first);
    fill_text(other, sizeof other);
    round_trip(other, sizeof other);
    ck_assert_uint_eq(deflate_gzip(encoder, bytes, sizeof bytes, second), size);
    ck_assert_mem_eq(first, second, size);
}
END_TEST

/* One of each code's kind. */
START_TEST(a_record_is_hardly_longer_than_libdeflate_makes_it)
{
    static const char head[] =
        "WARC/1.1\r\nWARC-Type: response\r\n"
        "WARC-Record-ID: <urn:uuid:9c1e2b7a-52c1-4d5e-8f0a-6b7f3f1d2c4e>\r\n"
        "WARC-Date: 2026-11-20T11:05:17.123Z\r\n"
        "WARC-Target-URI: http://www.example.com/some/path/page-17.html\r\n"
        "WARC-IP-Address: 93.184.216.34\r\n"
        "WARC-Warcinfo-ID: <urn:uuid:0d9b4c53-70ac-4b0f-93d1-b1c8a4e6f702>\r\n"
        "WARC-Concurrent-To: <urn:uuid:e8f1a3d6-1b24-4c97-a5be-07d2c9f8b613>\r\n"
        "Content-Type: application/http; msgtype=response\r\n"
        "WARC-Payload-Digest: sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ\r\n"
        "WARC-Block-Digest: sha1:QZ3GYXGR2HUJ5WGL4F6H7VXJX3TVQ2PA\r\n"
        "Content-Length: 310\r\n\r\nHTTP/1.1 200 OK\r\nServer: nginx\r\n"
        "Date: Fri, 20 Nov 2026 11:05:17 GMT\r\nContent-Type: text/html\r\n"
        "Content-Length: 150\r\nConnection: keep-alive\r\n\r\n<!DOCTYPE html>\n<html>\n<head>"
        "<title>The harbour</title></head>\n<body>\n<p>Ships leave with the tide";
    for (int foreign = 0; foreign < 2; foreign++) {
        char record[sizeof head + 16];
        strcpy(record, head);
        strcat(record, foreign ? " \xc3\xbc\r\n\r\n" : " at five\r\n\r\n");
        size_t n = strlen(record), size = round_trip(record, n);
        ck_assert_uint_le(size * 100, libdeflate_size(record, n) * 108);
    }
}
END_TEST

static void setup(void)
{
    encoder = deflate_new();
}

static void teardown(void)
{
    deflate_free(encoder);
}

int main(void)
{
    Suite *s = suite_create("deflate");
    TCase *c = tcase_create("deflate");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, every_length_comes_back, 0, (int)(sizeof fills / sizeof *fills));
    tcase_add_test(c, every_byte_comes_back_alone_and_in_a_row);
    tcase_add_test(c, every_length_of_match_and_distance_comes_back);
    tcase_add_test(c, what_cannot_be_packed_is_stored);
    tcase_add_test(c, the_same_bytes_give_the_same_member_whatever_came_before);
    tcase_add_test(c, a_record_is_hardly_longer_than_libdeflate_makes_it);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
