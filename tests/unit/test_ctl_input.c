/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/input.h"
#include "tests/unit/unit.h"

static const char hard[] = "\xef\xbb\xbfone\r\n\n \t\r\ntwo\n\xff\nth\0ree\n\xc3\xbc\nlast";

/* Feeds the bytes through a pipe in pieces of `step` and writes what comes out. */
static void read_in_steps(size_t step, struct buf *ret)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    struct input in = {.fd = ends[0]};
    struct line line;
    size_t at = 0, len = sizeof hard - 1;
    for (int r = -EAGAIN; r;) {
        if (r == -EAGAIN && at < len) {
            size_t n = len - at < step ? len - at : step;
            ck_assert_int_eq(write(ends[1], hard + at, n), (ssize_t)n);
            at += n;
            if (at == len)
                close(ends[1]);
        }
        for (struct buf *b = &in.buf; (r = input_next(&in, &line)) == 1; b = &in.buf) {
            (void)b;
            buf_addf(ret, "%llu %d ", (unsigned long long)line.number, line.good);
            buf_add(ret, line.p, line.len);
            buf_addc(ret, '|');
        }
        ck_assert(r == 0 || r == -EAGAIN);
    }
    input_done(&in);
}

START_TEST(lines_are_the_same_however_they_arrive)
{
    static const char want[] = "1 1 one|4 1 two|5 0 \xff|6 0 th\0ree|7 1 \xc3\xbc|8 1 last|";
    static const size_t steps[] = {3, 7, sizeof hard};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct buf got = {0};
        read_in_steps(steps[i], &got);
        ck_assert_uint_eq(buf_len(&got), sizeof want - 1);
        ck_assert_mem_eq(buf_data(&got), want, sizeof want - 1);
        buf_done(&got);
    }
}
END_TEST

static int temporary(const char *data, size_t len)
{
    char path[] = "/tmp/test_ctl_input-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

START_TEST(a_long_line_is_cut_and_the_next_one_is_whole)
{
    for (size_t over = 0; over < 3; over++) {
        struct buf text = {0};
        for (size_t i = 0; i < INPUT_LINE_MAX + (over == 2 ? 1000000 : over); i++)
            buf_addc(&text, 'x');
        buf_adds(&text, "\r\nnext\n");
        struct input in = {.fd = temporary(buf_data(&text), buf_len(&text))};
        struct line line;
        ck_assert_int_eq(input_next(&in, &line), 1);
        ck_assert_uint_eq(line.len, INPUT_LINE_MAX);
        ck_assert_int_eq(line.good, over == 0);
        ck_assert_int_eq(input_next(&in, &line), 1);
        ck_assert_uint_eq(line.number, 2);
        ck_assert(line.good && line.len == 4 && !memcmp(line.p, "next", 4));
        ck_assert_int_eq(input_next(&in, &line), 0);
        input_done(&in);
        buf_done(&text);
    }
}
END_TEST

UNIT_TESTS("ctl_input", lines_are_the_same_however_they_arrive,
           a_long_line_is_cut_and_the_next_one_is_whole)
