/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/warcfile.h"
#include "ctl/payload.h"
#include "tests/unit/unit.h"

static size_t gzip(const char *text, char *out, size_t cap)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    size_t n = libdeflate_gzip_compress(c, text, strlen(text), out, cap);
    libdeflate_free_compressor(c);
    ck_assert_uint_gt(n, 0);
    return n;
}

static void expect_body(const char *http, size_t len, const char *body, const char *coding)
{
    struct buf got = {0};
    char left[PAYLOAD_CODING];
    ck_assert_int_eq(payload_read(http, len, &got, left), 0);
    ck_assert_str_eq(buf_str(&got), body);
    ck_assert_str_eq(left, coding);
    buf_done(&got);
}

#define EXPECT_BODY(http, body, coding) expect_body(http, sizeof(http) - 1, body, coding)

START_TEST(heads_are_stripped_and_chunks_joined)
{
    EXPECT_BODY("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", "body", "");
    EXPECT_BODY("HTTP/1.0 200\n\nbody", "body", "");
    EXPECT_BODY(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n4\r\nabcd\r\nA;x=y\r\n0123456789\r\n"
        "0\r\n\r\n",
        "abcd0123456789", "");
    EXPECT_BODY("HTTP/1.1 204 No\r\n\r\n", "", "");
}
END_TEST

START_TEST(broken_chunks_give_what_came)
{
    EXPECT_BODY("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab", "ab", "");
    EXPECT_BODY("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nab", "ab",
                "");
    EXPECT_BODY("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\nzz", "", "");
    EXPECT_BODY("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3", "ab", "");
}
END_TEST

START_TEST(codings_are_taken_off_and_what_is_left_is_named)
{
    char http[1024] = "HTTP/1.1 200\r\nContent-Encoding: GZip\r\n\r\n";
    size_t head = strlen(http), n = gzip("hello hello hello", http + head, sizeof http - head);
    expect_body(http, head + n, "hello hello hello", "");
    char left[PAYLOAD_CODING];
    struct buf got = {0};
    ck_assert_int_eq(payload_read(http, head + n - 1, &got, left), 0);
    ck_assert_str_eq(left, "gzip");
    ck_assert_uint_eq(buf_len(&got), n - 1);
    buf_done(&got);
    EXPECT_BODY("HTTP/1.1 200\r\nContent-Encoding: br\r\n\r\nxyz", "xyz", "br");
    EXPECT_BODY("HTTP/1.1 200\r\nContent-Encoding: SDCH, identity\r\n\r\nxyz", "xyz",
                "sdch, identity");
    EXPECT_BODY("HTTP/1.1 200\r\nContent-Encoding: identity\r\n\r\nxyz", "xyz", "");
    EXPECT_BODY("HTTP/1.1 200\r\nContent-Encoding: deflate\r\n\r\n\x4b\x4c\x4a\x06\0", "abc", "");
    EXPECT_BODY("HTTP/1.1 200\r\nContent-Encoding: br\r\n\r\n\x0b\x01\x80\x61\x62\x63\x03", "abc",
                "");
}
END_TEST

START_TEST(what_is_no_http_is_refused)
{
    static const char *const bad[] = {"", "HTTP", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\nA: b\r\n",
                                      "GET / x\r\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf got = {0};
        char left[PAYLOAD_CODING];
        ck_assert_int_eq(payload_read(bad[i], strlen(bad[i]), &got, left), -EBADMSG);
        buf_done(&got);
    }
}
END_TEST

static void write_at(int dir, const char *name, const char *data, size_t n)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, data, n), (ssize_t)n);
    close(fd);
}

START_TEST(records_are_read_from_finished_and_open_files)
{
    static const char record[] =
        "WARC/1.1\r\nWARC-Type: response\r\ncontent-length: 5\r\n\r\nhello\r\n\r\n";
    char path[] = "/tmp/test_ctl_payload-XXXXXX", packed[512];
    ck_assert_ptr_nonnull(mkdtemp(path));
    int dir = open(path, O_RDONLY | O_DIRECTORY), fd;
    size_t n = gzip(record, packed, sizeof packed);
    write_at(dir, "a.warc", record, sizeof record - 1);
    write_at(dir, "b.warc.gz.open", packed, n);
    const struct {
        const char *name;
        size_t length;
    } files[] = {{"a.warc", sizeof record - 1}, {"b.warc.gz", n}};
    for (int i = 0; i < 2; i++) {
        struct buf got = {0};
        const char *block;
        size_t len;
        ck_assert_int_eq(warcfile_open(dir, files[i].name, &fd), 0);
        ck_assert_int_eq(warcfile_record(fd, 0, files[i].length, &got), 0);
        ck_assert_int_eq(warcfile_block(&got, &block, &len), 0);
        ck_assert(len == 5 && !memcmp(block, "hello", 5));
        buf_done(&got);
        ck_assert_int_eq(warcfile_record(fd, 1, files[i].length, &got), -EBADMSG);
        ck_assert_int_eq(warcfile_record(fd, 0, UINT64_MAX, &got), -EFBIG);
        close(fd);
    }
    ck_assert_int_eq(warcfile_open(dir, "../x", &fd), -EINVAL);
    ck_assert_int_eq(warcfile_open(dir, "c.warc", &fd), -ENOENT);
    unlinkat(dir, "a.warc", 0);
    unlinkat(dir, "b.warc.gz.open", 0);
    close(dir);
    rmdir(path);
}
END_TEST

START_TEST(a_record_cut_anywhere_is_refused)
{
    static const char record[] = "WARC/1.1\r\nContent-Length: 5\r\n\r\nhello";
    for (size_t n = 0; n < sizeof record - 1; n++) {
        struct buf cut = {0};
        const char *block;
        size_t len;
        buf_add(&cut, record, n);
        ck_assert_int_eq(warcfile_block(&cut, &block, &len), -EBADMSG);
        buf_done(&cut);
    }
    static const char huge[] = "WARC/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\nhello";
    struct buf b = {0};
    const char *block;
    size_t len;
    buf_add(&b, huge, sizeof huge - 1);
    ck_assert_int_eq(warcfile_block(&b, &block, &len), -EBADMSG);
    buf_done(&b);
}
END_TEST

UNIT_TESTS("ctl_payload", heads_are_stripped_and_chunks_joined, broken_chunks_give_what_came,
           codings_are_taken_off_and_what_is_left_is_named, what_is_no_http_is_refused,
           records_are_read_from_finished_and_open_files, a_record_cut_anywhere_is_refused)
