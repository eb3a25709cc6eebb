/* SPDX-License-Identifier: MIT */
#include "daemon/frontier/generator.h"

#include <jansson.h>
#include <string.h>

#include "tests/unit/unit.h"

static struct job_spec spec;

static struct generator *parsed(const char *json)
{
    struct spec_error error = {0};
    json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    json_object_set_new(object, "pace", json_pack("{s:s}", "robots", "ignore"));
    ck_assert_msg(object && !spec_parse(object, &spec, &error), "%s: %s", json, error.message);
    json_decref(object);
    return generator_new(&spec);
}

static void done(struct generator *g)
{
    generator_free(g);
    spec_done(&spec);
}

static void check_url(const struct generator *g, uint64_t i, const char *want)
{
    struct buf b = {0};
    generator_url(g, i, &b);
    ck_assert_str_eq(buf_str(&b), want);
    buf_done(&b);
}

/* All URLs in order, with blanks between. */
static void check_all(const char *json, const char *want)
{
    struct generator *g = parsed(json);
    struct buf b = {0};
    for (uint64_t i = 0; i < generator_count(g); i++) {
        if (i)
            buf_addc(&b, ' ');
        generator_url(g, i, &b);
    }
    ck_assert_str_eq(buf_str(&b), want);
    buf_done(&b);
    done(g);
}

START_TEST(the_last_list_of_the_template_runs_fastest)
{
    check_all("{\"template\": \"h/{a}/{b}/{c}\", \"words\": {\"c\": [\"x\", \"y\"], "
              "\"a\": [\"1\", \"2\"], \"b\": [\"p\", \"q\", \"r\"]}}",
              "h/1/p/x h/1/p/y h/1/q/x h/1/q/y h/1/r/x h/1/r/y "
              "h/2/p/x h/2/p/y h/2/q/x h/2/q/y h/2/r/x h/2/r/y");
}
END_TEST

START_TEST(zip_steps_all_lists_together)
{
    check_all("{\"template\": \"{a}-{n}-{a}\", \"combine\": \"zip\", \"words\": "
              "{\"a\": [\"x\", \"y\", \"z\"], \"n\": {\"from\": 5, \"to\": 1, \"step\": -2}}}",
              "x-5-x y-3-y z-1-z");
}
END_TEST

START_TEST(ranges_step_and_fall_and_are_negative)
{
    check_all("{\"template\": \"{n}\", \"words\": {\"n\": {\"from\": -3, \"to\": 4, \"step\": 3}}}",
              "-3 0 3");
    check_all(
        "{\"template\": \"{n}\", \"words\": {\"n\": {\"from\": 2, \"to\": -2, \"step\": -2}}}",
        "2 0 -2");
    check_all("{\"template\": \"{n}\", \"words\": {\"n\": {\"from\": 7, \"to\": 7}}}", "7");
}
END_TEST

START_TEST(a_range_over_all_numbers_does_not_overflow)
{
    struct generator *g =
        parsed("{\"template\": \"{n}\", \"words\": {\"n\": {\"from\": "
               "-9223372036854775808, \"to\": 9223372036854775807, \"step\": 5}}}");
    ck_assert_uint_eq(generator_count(g), UINT64_MAX / 5 + 1);
    check_url(g, 0, "-9223372036854775808");
    check_url(g, UINT64_MAX / 5, "9223372036854775807");
    done(g);
    g = parsed("{\"template\": \"{n}\", \"words\": {\"n\": {\"from\": "
               "9223372036854775807, \"to\": -9223372036854775808, \"step\": -5}}}");
    check_url(g, UINT64_MAX / 5, "-9223372036854775808");
    done(g);
}
END_TEST

START_TEST(empty_braces_are_the_first_list)
{
    check_all(
        "{\"template\": \"{}{b}\", \"words\": {\"z\": [\"1\", \"2\"], \"b\": [\"x\", \"y\"]}}",
        "1x 1y 2x 2y");
}
END_TEST

START_TEST(a_list_named_twice_has_one_value_in_a_url)
{
    check_all("{\"template\": \"{a}{b}.{a}{}\", \"words\": {\"a\": [\"1\", \"2\"], "
              "\"b\": [\"x\", \"y\"]}}",
              "1x.11 2x.22 1y.11 2y.22");
}
END_TEST

START_TEST(values_may_hold_anything)
{
    check_all("{\"template\": \"{a}\", \"words\": {\"a\": [\"{b}\", \"\", \"%s\", \"\\u4e2d\"]}}",
              "{b}  %s \xe4\xb8\xad");
}
END_TEST

START_TEST(without_placeholder_there_is_one_url_and_without_template_none)
{
    check_all("{\"template\": \"http://h/\"}", "http://h/");
    struct generator *g = parsed("{\"seeds\": [\"http://h/\"]}");
    ck_assert_ptr_null(g);
    done(g);
}
END_TEST

START_TEST(no_value_means_no_url)
{
    check_all("{\"template\": \"{a}{b}\", \"words\": {\"a\": [], \"b\": [\"x\"]}}", "");
    check_all("{\"template\": \"{a}{b}\", \"combine\": \"zip\", "
              "\"words\": {\"a\": [], \"b\": [\"x\"]}}",
              "");
}
END_TEST

START_TEST(counts_beyond_64_bits_saturate)
{
    struct spec_words lists[3] = {
        {.name = (char[]){"a"}, .range = true, .from = 0, .step = 1, .count = UINT64_C(1) << 40},
        {.name = (char[]){"b"}, .range = true, .from = 0, .step = 1, .count = UINT64_C(1) << 40},
        {.name = (char[]){"c"}, .range = true, .from = 0, .step = 1, .count = 3},
    };
    char template[] = "{a}/{b}/{c}";
    struct job_spec s = {.template = template, .words = lists, .words_count = 3};
    struct generator *g = generator_new(&s);
    ck_assert_uint_eq(generator_count(g), UINT64_MAX);
    check_url(g, 3 * ((UINT64_C(1) << 40) + 7) + 2, "1/7/2");
    generator_free(g);
    s.combine = SPEC_ZIP;
    g = generator_new(&s);
    ck_assert_uint_eq(generator_count(g), 3);
    generator_free(g);
}
END_TEST

START_TEST(the_last_of_a_huge_product_is_as_cheap_as_the_first)
{
    struct generator *g =
        parsed("{\"template\": \"{a}.{b}\", \"words\": {\"a\": {\"from\": 1, \"to\": 2000000000}, "
               "\"b\": {\"from\": 1, \"to\": 2000000000}}}");
    ck_assert_uint_eq(generator_count(g), UINT64_C(4000000000000000000));
    check_url(g, generator_count(g) - 1, "2000000000.2000000000");
    check_url(g, 2000000000, "2.1");
    done(g);
}
END_TEST

UNIT_TESTS("generator", the_last_list_of_the_template_runs_fastest, zip_steps_all_lists_together,
           ranges_step_and_fall_and_are_negative, a_range_over_all_numbers_does_not_overflow,
           empty_braces_are_the_first_list, a_list_named_twice_has_one_value_in_a_url,
           values_may_hold_anything, without_placeholder_there_is_one_url_and_without_template_none,
           no_value_means_no_url, counts_beyond_64_bits_saturate,
           the_last_of_a_huge_product_is_as_cheap_as_the_first)
