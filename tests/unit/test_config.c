/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "daemon/supervisor/config.h"
#include "tests/unit/unit.h"

static char path[] = "/tmp/test_configXXXXXX";

/* Loads a file of this text with the sets over it. */
static int load(const char *text, const char *key, const char *value, struct options *ret_options,
                struct buf *ret_errors)
{
    char file[] = "/tmp/test_configXXXXXX";
    int fd = mkstemp(file);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct args_set set = {(char *)key, value};
    struct args a = {.config = file, .sets = &set, .sets_count = key ? 1 : 0};
    int r = config_load(&a, ret_options, ret_errors);
    unlink(file);
    memcpy(path, file, sizeof path);
    return r;
}

START_TEST(the_file_is_read_and_the_command_line_goes_over_it)
{
    struct options o;
    struct buf errors = {0};
    int r = load("# a comment\nworkers = 4\ncontact = \"a@b\"\ncommit_interval=250ms\n"
                 "disk_reserve = 1GiB\nallow_cidr = {\"127.0.0.0/8\", '::1/128'}\nadmins = {}\n"
                 "log_level = debug\nuser_agent = 'x y'\nproxy = \"\"\n",
                 "workers", "5", &o, &errors);
    ck_assert_msg(r == 0, "%s", buf_str(&errors));
    ck_assert_int_eq(o.workers, 5);
    ck_assert_str_eq(o.contact, "a@b");
    ck_assert_int_eq(o.commit_interval_ms, 250);
    ck_assert_int_eq(o.disk_reserve_bytes, 1 << 30);
    ck_assert_uint_eq(o.allow_cidr.count, 2);
    ck_assert_str_eq(o.allow_cidr.v[1], "::1/128");
    ck_assert_uint_eq(o.admins.count, 0);
    ck_assert_uint_eq(o.readers.count, 1);
    ck_assert_int_eq(o.log_level, LOG_DEBUG);
    ck_assert_str_eq(o.user_agent, "x y");
    ck_assert_uint_eq(buf_len(&errors), 0);
    buf_done(&errors);
    options_done(&o);
}
END_TEST

static const struct {
    const char *text, *message; /* the file's name stands before it */
} bad[] = {
    {"workers = 1\n\nworkres = 3\n", ":3: no such option 'workres', did you mean workers?"},
    {"\nworkers = x\n", ":2: workers: \"x\" is not a whole number"},
    {"commit_interval = 5ms\n", ":1: commit_interval: 5ms is out of range 10ms to 1m"},
    {"allow_cidr = {\"127.0.0.0/8\",\n\"x\"}\n", ":2: allow_cidr: \"x\" is not a network"},
    {"workers = 1\nworkers = 2\n", ":2: workers: said twice"},
    {"proxy = \"http://a/\"\n", ":1: proxy: not built yet"},
    {"host \"a\" { delay = 1s }\n", ":1: host sections: not built yet"},
    {"sink \"a\" {\n exec = {\"x\"}\n user = \"y\" }\n", ":3: sink sections: not built yet"},
    {"host \"a\" { dealy = 1s }\n", ":1: no such option 'dealy'"},
    {"workers 1\n", ":1: "},
    {"workers = \"1\n", ":"},
    {"= = =\n", ":1: "},
    {"admins = {\"a\"", ":"},
};

START_TEST(errors_name_file_line_and_what_was_meant)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct options o;
        struct buf errors = {0};
        ck_assert_msg(load(bad[i].text, NULL, NULL, &o, &errors) == -EINVAL, "%s", bad[i].text);
        char *text = buf_str(&errors);
        ck_assert_msg(!strncmp(text, path, strlen(path)), "%s", text);
        ck_assert_msg(!strncmp(text + strlen(path), bad[i].message, strlen(bad[i].message)), "%s",
                      text);
        ck_assert_ptr_null(strchr(text, '\n'));
        buf_done(&errors);
    }
}
END_TEST

START_TEST(wrong_sets_are_refused)
{
    struct options o;
    struct buf errors = {0};
    ck_assert_int_eq(load("", "wokrers", "1", &o, &errors), -EINVAL);
    ck_assert_str_eq(buf_str(&errors), "--set wokrers: no such key, did you mean workers?");
    buf_clear(&errors);
    ck_assert_int_eq(load("", "workers", "-1", &o, &errors), -EINVAL);
    ck_assert_str_eq(buf_str(&errors), "--set workers: -1 is out of range 0 to 1024 processes");
    buf_done(&errors);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
    struct options o;
    struct buf errors = {0};
    struct args a = {.config = "/nonexistent/crawld.conf"};
    ck_assert_int_eq(config_load(&a, &o, &errors), -EINVAL);
    ck_assert_str_eq(buf_str(&errors), "/nonexistent/crawld.conf: No such file or directory");
    buf_clear(&errors);
    a.config = "/tmp";
    ck_assert_int_eq(config_load(&a, &o, &errors), -EINVAL);
    ck_assert_str_eq(buf_str(&errors), "/tmp: Is a directory");
    buf_done(&errors);
}
END_TEST

START_TEST(a_dump_read_again_gives_the_same)
{
    struct options o, again;
    struct buf first = {0}, second = {0}, errors = {0};
    ck_assert_int_eq(load("contact = 'a\"b@c'\nuser_agent = 'x \"y\" \\\\ ${HOME} $z #'\n"
                          "admins = {\"a\", \"@b\"}\ndurability = each\nworkers = 3\n"
                          "drain_timeout = 90s\noperators = {}\n",
                          NULL, NULL, &o, &errors),
                     0);
    config_dump(&o, false, &first);
    int r = load(buf_str(&first), NULL, NULL, &again, &errors);
    ck_assert_msg(r == 0, "%s", buf_str(&errors));
    ck_assert_str_eq(again.user_agent, "x \"y\" \\ ${HOME} $z #");
    config_dump(&again, false, &second);
    ck_assert_str_eq(buf_str(&first), buf_str(&second));
    buf_done(&first);
    buf_done(&second);
    options_done(&o);
    options_done(&again);
}
END_TEST

/* Made anew with: crawld -c /dev/null -T | sed 's/^[a-z]/#&/' > etc/crawld.conf */
START_TEST(the_installed_file_is_the_table)
{
    struct options o;
    struct buf want = {0}, have = {0};
    options_init(&o);
    config_dump(&o, true, &want);
    FILE *f = fopen(SOURCE_ROOT "/etc/crawld.conf", "r");
    ck_assert_ptr_nonnull(f);
    size_t n;
    while ((n = fread(buf_reserve(&have, 4096), 1, 4096, f)) > 0)
        buf_grew(&have, n);
    fclose(f);
    ck_assert_str_eq(buf_str(&have), buf_str(&want));
    buf_done(&want);
    buf_done(&have);
    options_done(&o);
}
END_TEST

UNIT_TESTS("config", the_file_is_read_and_the_command_line_goes_over_it,
           errors_name_file_line_and_what_was_meant, wrong_sets_are_refused,
           a_file_that_cannot_be_read_is_an_error, a_dump_read_again_gives_the_same,
           the_installed_file_is_the_table)
