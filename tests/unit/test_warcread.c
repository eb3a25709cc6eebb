/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/sha1.h"
#include "daemon/store/warc.h"
#include "daemon/store/warcread.h"
#include "tests/unit/unit.h"

#define RECORDS 7

static uint64_t starts[RECORDS + 1]; /* where the records of the sample begin, and its end */

static void add_record(struct buf *file, struct buf *record, bool gzip)
{
    if (gzip) {
        struct libdeflate_compressor *z = libdeflate_alloc_compressor(6);
        size_t bound = libdeflate_gzip_compress_bound(z, buf_len(record));
        char *to = buf_reserve(file, bound);
        buf_grew(file, libdeflate_gzip_compress(z, buf_data(record), buf_len(record), to, bound));
        libdeflate_free_compressor(z);
    } else {
        buf_add(file, buf_data(record), buf_len(record));
    }
    buf_clear(record);
}

/* A warcinfo and three exchanges: with a length, chunked, and without a body. */
static void sample(struct buf *file, bool gzip)
{
    static const char *const answers[3][2] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world", "hello world"},
        {"HTTP/1.1 200 OK\r\nX: y\r\ntransfer-encoding:  Chunked \r\n\r\n"
         "5;ext=1\r\nhello\r\n006\r\n world\r\n0\r\nTrailer: x\r\n\r\n",
         "hello world"},
        {"HTTP/1.1 304 Not Modified\nTransfer-Encoding: chunked\n\n", ""}};
    struct buf record = {0};
    struct warc_ids ids;
    struct warc_exchange x = {.url = "http://example.com/", .url_len = 19, .ip = "192.0.2.1"};
    int n = 0;
    warc_ids_init(&ids);
    warc_ids_next(&ids, &x.info);
    starts[n++] = 0;
    warc_add_info(&record, &(struct warc_info){.software = "crawld"}, &x.info, 0);
    add_record(file, &record, gzip);
    for (int i = 0; i < 3; i++) {
        uint8_t payload[SHA1_BYTES];
        sha1_of(answers[i][1], strlen(answers[i][1]), payload);
        x.payload_sha1 = payload;
        warc_ids_next(&ids, &x.response);
        warc_ids_next(&ids, &x.request);
        starts[n++] = buf_len(file);
        warc_add_response(&record, &x, answers[i][0], strlen(answers[i][0]));
        add_record(file, &record, gzip);
        starts[n++] = buf_len(file);
        warc_add_request(&record, &x, "GET / HTTP/1.1\r\n\r\n", 18);
        add_record(file, &record, gzip);
    }
    starts[n] = buf_len(file);
    buf_done(&record);
}

static struct warcread *open_bytes(const void *p, size_t n)
{
    struct warcread *w;
    int fd = memfd_create("warc", MFD_CLOEXEC);
    ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
    lseek(fd, 0, SEEK_SET);
    int mine = dup2(fd, 99);
    close(fd);
    ck_assert_int_eq(warcread_new(mine, &w), 0);
    return w;
}

/* Reads all; returns what the last warcread_next() said. */
static int read_all(const void *p, size_t n, int *ret_count, int *ret_good, uint64_t *ret_offset)
{
    struct warcread *w = open_bytes(p, n);
    struct warc_record r;
    int got;
    *ret_count = *ret_good = 0;
    while ((got = warcread_next(w, &r)) > 0) {
        ++*ret_count;
        *ret_good += r.digest_ok;
    }
    ck_assert_int_eq(warcread_next(w, &r), got);
    if (got == -EBADMSG)
        ck_assert_ptr_nonnull(warcread_why(w, ret_offset));
    warcread_free(w);
    return got;
}

static int read_text(const char *text)
{
    int count, good;
    uint64_t offset;
    return read_all(text, strlen(text), &count, &good, &offset);
}

static void check_sample(bool gzip)
{
    static const char *const types[] = {"warcinfo", "response", "request", "response",
                                        "request",  "response", "request"};
    struct buf b = {0};
    struct warc_record r;
    sample(&b, gzip);
    struct warcread *w = open_bytes(buf_data(&b), buf_len(&b));
    for (int i = 0; i < RECORDS; i++) {
        ck_assert_int_eq(warcread_next(w, &r), 1);
        ck_assert_str_eq(r.type, types[i]);
        ck_assert_uint_eq(r.offset, starts[i]);
        ck_assert_uint_eq(r.stored_bytes, starts[i + 1] - starts[i]);
        ck_assert(r.digest_ok);
        if (i)
            ck_assert_str_eq(r.target, "http://example.com/");
        else
            ck_assert_ptr_null(r.target);
    }
    ck_assert_uint_eq(r.block_bytes, 18);
    ck_assert_int_eq(warcread_next(w, &r), 0);
    warcread_free(w);
    buf_done(&b);
}

START_TEST(reads_what_the_writer_wrote)
{
    check_sample(false);
    check_sample(true);
}
END_TEST

static void check_truncations(bool gzip)
{
    struct buf b = {0};
    sample(&b, gzip);
    for (size_t n = 0; n <= buf_len(&b); n++) {
        int count, good, whole = 0;
        uint64_t offset = UINT64_MAX;
        while (whole < RECORDS && starts[whole + 1] <= n)
            whole++;
        int got = read_all(buf_data(&b), n, &count, &good, &offset);
        ck_assert_int_eq(count, whole);
        ck_assert_int_eq(good, whole);
        ck_assert_int_eq(got, n == starts[whole] ? 0 : -EBADMSG);
        if (got)
            ck_assert_uint_eq(offset, starts[whole]);
    }
    buf_done(&b);
}

START_TEST(every_truncation_is_found_and_says_where_the_cut_record_begins)
{
    check_truncations(false);
    check_truncations(true);
}
END_TEST

/* But for a member's time, flags and system and up to seven unused bits, which say nothing. */
START_TEST(every_changed_byte_of_a_gzip_file_is_found)
{
    struct buf b = {0};
    int unnoticed = 0;
    sample(&b, true);
    for (size_t i = 0; i < buf_len(&b); i++) {
        char was = buf_data(&b)[i];
        int count, good;
        uint64_t offset;
        buf_data(&b)[i] = (char)(was ^ 0x14);
        if (read_all(buf_data(&b), buf_len(&b), &count, &good, &offset) == 0) {
            unnoticed++;
            ck_assert_int_eq(good, RECORDS);
        }
        buf_data(&b)[i] = was;
    }
    ck_assert_int_le(unnoticed, RECORDS * 7);
    buf_done(&b);
}
END_TEST

START_TEST(every_changed_byte_of_a_plain_block_is_found)
{
    struct buf b = {0};
    int count, good;
    uint64_t offset;
    sample(&b, false);
    char *from = buf_data(&b) + starts[3];
    char *block = memmem(from, starts[4] - starts[3], "\r\n\r\n", 4);
    for (char *p = block + 4; p < buf_data(&b) + starts[4] - 4; p++) {
        *p ^= 1;
        ck_assert_int_eq(read_all(buf_data(&b), buf_len(&b), &count, &good, &offset), 0);
        ck_assert_int_eq(good, count - 1);
        *p ^= 1;
    }
    char *payload = memmem(from, starts[4] - starts[3], "WARC-Payload-Digest: sha1:", 26);
    payload[26] ^= 1;
    ck_assert_int_eq(read_all(buf_data(&b), buf_len(&b), &count, &good, &offset), 0);
    ck_assert_int_eq(good, count - 1);
    buf_done(&b);
}
END_TEST

START_TEST(hostile_bytes_are_refused_or_read_but_never_believed)
{
    struct buf b = {0};
    uint32_t x = 4711;
    for (int round = 0; round < 3000; round++) {
        int count, good;
        uint64_t offset;
        buf_clear(&b);
        sample(&b, round % 2);
        for (int k = 0; k <= round % 5; k++) {
            x = x * 1664525 + 1013904223;
            buf_data(&b)[(x >> 8) % buf_len(&b)] = (char)x;
        }
        int got = read_all(buf_data(&b), buf_len(&b), &count, &good, &offset);
        ck_assert(got == 0 || got == -EBADMSG);
        ck_assert_int_le(good, RECORDS);
    }
    buf_done(&b);
}
END_TEST

#define HEAD                                                                                       \
    "WARC/1.1\r\nWARC-Type: resource\r\nWARC-Record-ID: <urn:uuid:1>\r\n"                          \
    "WARC-Date: 2026-01-01T00:00:00Z\r\n"

START_TEST(bad_headers_are_refused)
{
    ck_assert_int_eq(read_text(HEAD "Content-Length: 2\r\n\r\nab\r\n\r\n"), 0);
    static const char *const bad[] = {
        HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab\r\n\r\n",
        HEAD "Content-Length: 99999999999999999999\r\n\r\nab\r\n\r\n",
        HEAD "Content-Length: 999999999999999999\r\n\r\nab\r\n\r\n",
        HEAD "Content-Length: -2\r\n\r\nab\r\n\r\n",
        HEAD "Content-Length: 2x\r\n\r\nab\r\n\r\n",
        HEAD "Content-Length:\r\n\r\nab\r\n\r\n",
        HEAD "Content-Length: 1\r\n\r\nab\r\n\r\n",
        HEAD "Content-Length: 3\r\n\r\nab\r\n\r\n",
        HEAD "\r\nab\r\n\r\n",
        HEAD "nonsense\r\nContent-Length: 2\r\n\r\nab\r\n\r\n",
        "WARC/0.9\r\nWARC-Type: resource\r\nContent-Length: 2\r\n\r\nab\r\n\r\n",
        "WARC/1.1\r\nWARC-Type: resource\r\nContent-Length: 2\r\n\r\nab\r\n\r\n",
        "\r\n\r\n",
        "\x1f\x8b",
        "GIF89a",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(read_text(bad[i]), -EBADMSG);
}
END_TEST

START_TEST(an_endless_header_is_refused_with_bounded_memory)
{
    struct buf b = {0}, file = {0};
    struct warc_record r;
    uint64_t offset;
    buf_adds(&b, "WARC/1.1\r\nX: ");
    for (int i = 0; i < 20 << 20; i++)
        buf_addc(&b, 'a');
    add_record(&file, &b, true);
    struct warcread *w = open_bytes(buf_data(&file), buf_len(&file));
    ck_assert_int_eq(warcread_next(w, &r), -EBADMSG);
    ck_assert_str_eq(warcread_why(w, &offset), "header too long");
    warcread_free(w);
    buf_done(&b);
    buf_done(&file);
}
END_TEST

START_TEST(a_file_compressed_as_a_whole_is_refused)
{
    struct buf plain = {0}, file = {0};
    int count, good;
    uint64_t offset;
    sample(&plain, false);
    add_record(&file, &plain, true);
    ck_assert_int_eq(read_all(buf_data(&file), buf_len(&file), &count, &good, &offset), -EBADMSG);
    buf_done(&plain);
    buf_done(&file);
}
END_TEST

START_TEST(blocks_larger_than_all_buffers_are_checked)
{
    struct buf block = {0}, record = {0}, file = {0};
    struct warc_exchange x = {.url = "http://a/", .url_len = 9};
    uint8_t payload[SHA1_BYTES];
    int count, good;
    uint64_t offset;
    memset(&x.info, '0', 3 * sizeof x.info);
    buf_adds(&block, "HTTP/1.1 200 OK\r\n\r\n");
    size_t head = buf_len(&block);
    for (uint32_t i = 0; i < 1 << 20; i++)
        buf_add(&block, &i, sizeof i);
    sha1_of(buf_data(&block) + head, buf_len(&block) - head, payload);
    x.payload_sha1 = payload;
    for (int i = 0; i < 4; i++) {
        warc_add_response(&record, &x, buf_data(&block), buf_len(&block));
        add_record(&file, &record, i < 2);
        if (i % 2 == 0)
            continue;
        ck_assert_int_eq(read_all(buf_data(&file), buf_len(&file), &count, &good, &offset), 0);
        ck_assert_int_eq(good, 2);
        buf_clear(&file);
    }
    buf_done(&block);
    buf_done(&record);
    buf_done(&file);
}
END_TEST

UNIT_TESTS("warcread", reads_what_the_writer_wrote,
           every_truncation_is_found_and_says_where_the_cut_record_begins,
           every_changed_byte_of_a_gzip_file_is_found, every_changed_byte_of_a_plain_block_is_found,
           hostile_bytes_are_refused_or_read_but_never_believed, bad_headers_are_refused,
           an_endless_header_is_refused_with_bounded_memory,
           a_file_compressed_as_a_whole_is_refused, blocks_larger_than_all_buffers_are_checked)
