/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>

#include "daemon/supervisor/args.h"
#include "tests/unit/unit.h"

static int parse(char *const *argv, struct args *ret_args, struct buf *ret_error)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    return args_parse(argc, (char **)argv, ret_args, ret_error);
}

#define ARGV(...) ((char *const[]){(char *)"crawld", __VA_ARGS__, NULL})
#define S(text)   ((char *)(text))

START_TEST(options_that_name_a_key_are_set_in_other_words)
{
    struct args a;
    struct buf error = {0};
    ck_assert_int_eq(parse(ARGV(S("--state-dir"), S("/s"), S("--socket=/c"), S("--log-level"),
                                S("debug"), S("--set"), S("contact=a=b"), S("-c"), S("f")),
                           &a, &error),
                     0);
    ck_assert_str_eq(a.config, "f");
    ck_assert_uint_eq(a.sets_count, 4);
    ck_assert_str_eq(a.sets[0].key, "state_dir");
    ck_assert_str_eq(a.sets[1].value, "/c");
    ck_assert_str_eq(a.sets[2].key, "log_level");
    ck_assert_str_eq(a.sets[3].key, "contact");
    ck_assert_str_eq(a.sets[3].value, "a=b");
    ck_assert(!a.check && !a.dump && !a.version && !a.help);
    args_done(&a);
}
END_TEST

START_TEST(what_only_tells_is_flagged)
{
    struct args a;
    struct buf error = {0};
    ck_assert_int_eq(parse(ARGV(S("-tT"), S("--version"), S("-h")), &a, &error), 0);
    ck_assert(a.check && a.dump && a.version && a.help && !a.config);
    args_done(&a);
    ck_assert_int_eq(parse(ARGV(S("--check-config"), S("--dump-config")), &a, &error), 0);
    ck_assert(a.check && a.dump);
    args_done(&a);
}
END_TEST

static void check_refusal(char *const *argv, const char *message)
{
    struct args a;
    struct buf error = {0};
    ck_assert_int_eq(parse(argv, &a, &error), -EINVAL);
    ck_assert_msg(strstr(buf_str(&error), message) != NULL, "%s", buf_str(&error));
    buf_done(&error);
}

START_TEST(usage_errors_name_what_was_meant)
{
    check_refusal(ARGV(S("--sokcet=/x")), "no such option --sokcet=/x, did you mean --socket?");
    check_refusal(ARGV(S("-x")), "no such option -x");
    check_refusal(ARGV(S("-tx")), "no such option -tx");
    check_refusal(ARGV(S("--set")), "--set needs a value");
    check_refusal(ARGV(S("--set"), S("workers")), "say KEY=VALUE");
    check_refusal(ARGV(S("--set"), S("=1")), "say KEY=VALUE");
    check_refusal(ARGV(S("--state-dir"), S("/s"), S("start")), "no arguments are taken: start");
}
END_TEST

UNIT_TESTS("args", options_that_name_a_key_are_set_in_other_words, what_only_tells_is_flagged,
           usage_errors_name_what_was_meant)
