/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/unit.h"

static int real_stderr;
static char said[2 * LOG_LINE_BYTES];

static void listen_begin(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    ck_assert_int_ge(fd, 0);
    real_stderr = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

static const char *listen_end(void)
{
    ssize_t n = pread(STDERR_FILENO, said, sizeof said - 1, 0);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    ck_assert_int_ge(n, 0);
    said[n] = '\0';
    return said;
}

START_TEST(a_worker_writes_what_its_supervisor_reads)
{
    char line[64];
    log_to_supervisor();
    listen_begin();
    log_err("uplink=%s", "read");
    snprintf(line, sizeof line, "%.63s", listen_end());
    ck_assert_str_eq(line, "<3>uplink=read\n");

    unsetenv("JOURNAL_STREAM");
    log_init(LOG_NOTICE);
    listen_begin();
    log_child_line("worker-7", line, strlen(line) - 1);
    const char *passed = strchr(listen_end(), ' ');
    ck_assert_ptr_nonnull(passed);
    ck_assert_str_eq(passed, " err worker-7: uplink=read\n");
}
END_TEST

START_TEST(journald_gets_priorities_and_no_time)
{
    setenv("JOURNAL_STREAM", "8:1", 1);
    log_init(LOG_NOTICE);
    listen_begin();
    log_warning("a");
    log_child_line("worker-0", "plain", 5);
    log_child_line("worker-0", "<0>b", 4);
    ck_assert_str_eq(listen_end(), "<4>a\n<5>worker-0: plain\n<2>worker-0: b\n");
}
END_TEST

START_TEST(what_is_above_the_level_is_not_written)
{
    log_init(LOG_WARNING);
    listen_begin();
    log_notice("a");
    log_child_line("worker-0", "<6>b", 4);
    ck_assert_str_eq(listen_end(), "");
}
END_TEST

START_TEST(control_bytes_are_escaped_and_a_long_line_is_cut)
{
    char longest[2 * LOG_LINE_BYTES];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    setenv("JOURNAL_STREAM", "8:1", 1);
    log_init(LOG_NOTICE);
    listen_begin();
    log_err("a\nb\x1b[0m");
    log_err("%s", longest);
    const char *text = listen_end();
    ck_assert_int_eq(strncmp(text, "<3>a\\x0ab\\x1b[0m\n", 17), 0);
    ck_assert_uint_le(strlen(text), 17 + LOG_LINE_BYTES);
    ck_assert_int_eq(text[strlen(text) - 1], '\n');
}
END_TEST

UNIT_TESTS("log", a_worker_writes_what_its_supervisor_reads, journald_gets_priorities_and_no_time,
           what_is_above_the_level_is_not_written, control_bytes_are_escaped_and_a_long_line_is_cut)
