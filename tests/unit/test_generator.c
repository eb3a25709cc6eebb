/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "daemon/frontier/generator.h"
#include "tests/unit/unit.h"

/* All URLs of the specification (robots are ignored), one per line. */
static void check_urls(const char *text, const char *want)
{
    struct job_spec spec;
    struct spec_error e = {0};
    struct buf urls = {0};
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(object);
    json_object_set_new(object, "pace", json_pack("{s:s}", "robots", "ignore"));
    ck_assert_msg(spec_parse(object, &spec, &e) == 0, "%s", e.message);
    json_decref(object);
    struct generator *g = generator_new(&spec);
    for (uint64_t i = 0; i < generator_count(g); i++) {
        generator_url(g, i, &urls);
        buf_addc(&urls, '\n');
    }
    ck_assert_str_eq(buf_str(&urls), want);
    generator_free(g);
    spec_done(&spec);
    buf_done(&urls);
}

START_TEST(the_last_placeholder_runs_fastest)
{
    check_urls("{\"template\": \"http://{a}/{b}\", \"words\": {\"a\": [\"x\", \"y\"],"
               "\"b\": {\"from\": 9, \"to\": 11}}}",
               "http://x/9\nhttp://x/10\nhttp://x/11\nhttp://y/9\nhttp://y/10\nhttp://y/11\n");
    check_urls("{\"template\": \"http://{b}/{a}\", \"words\": {\"a\": [\"x\", \"y\"],"
               "\"b\": [\"1\", \"2\"]}}",
               "http://1/x\nhttp://1/y\nhttp://2/x\nhttp://2/y\n");
}
END_TEST

START_TEST(empty_braces_are_the_first_list_and_a_list_may_stand_twice)
{
    check_urls("{\"template\": \"http://{}/{a}{a}?\", \"words\": {\"a\": [\"x\", \"\"]}}",
               "http://x/xx?\nhttp:///?\n");
}
END_TEST

START_TEST(zip_steps_all_lists_together)
{
    check_urls("{\"template\": \"{a}{b}\", \"combine\": \"zip\", \"words\": {\"a\": [\"x\", \"y\"],"
               "\"b\": {\"from\": 5, \"to\": 3, \"step\": -2}}}",
               "x5\ny3\n");
}
END_TEST

START_TEST(a_template_without_placeholders_is_one_url)
{
    check_urls("{\"template\": \"http://a/}\"}", "http://a/}\n");
}
END_TEST

START_TEST(a_list_still_empty_gives_no_url)
{
    check_urls("{\"template\": \"http://{a}/\", \"words\": {\"a\": []}}", "");
}
END_TEST

UNIT_TESTS("generator", the_last_placeholder_runs_fastest,
           empty_braces_are_the_first_list_and_a_list_may_stand_twice, zip_steps_all_lists_together,
           a_template_without_placeholders_is_one_url, a_list_still_empty_gives_no_url)
