/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "ctl/filename.h"
#include "ctl/jsonp.h"
#include "ctl/text.h"
#include "tests/unit/unit.h"

#define EXPECT(b, text)                                                                            \
    do {                                                                                           \
        ck_assert_str_eq(buf_str(&(b)), text);                                                     \
        buf_clear(&(b));                                                                           \
    } while (0)

START_TEST(numbers_are_grouped_and_sizes_have_a_unit)
{
    struct buf b = {0};
    text_count(&b, 0);
    EXPECT(b, "0");
    text_count(&b, 999);
    EXPECT(b, "999");
    text_count(&b, 1234567);
    EXPECT(b, "1,234,567");
    text_count(&b, INT64_MIN);
    EXPECT(b, "-9,223,372,036,854,775,808");
    text_bytes(&b, 1023);
    EXPECT(b, "1023 B");
    text_bytes(&b, 1536);
    EXPECT(b, "1.5 KiB");
    text_bytes(&b, 1e30);
    ck_assert_ptr_nonnull(strstr(buf_str(&b), " PiB"));
    buf_done(&b);
}
END_TEST

START_TEST(lines_are_broken_at_blanks_and_words_never)
{
    struct buf b = {0};
    text_wrap(&b, "one two three four five six seven", 4, 30);
    EXPECT(b, "one two three four five\n    six seven");
    text_wrap(&b, "exactly twenty-six columns twenty", 4, 30);
    EXPECT(b, "exactly twenty-six columns\n    twenty");
    text_wrap(&b, "http://a-word-that-is-longer-than-a-line/ and more", 4, 30);
    EXPECT(b, "http://a-word-that-is-longer-than-a-line/\n    and more");
    text_wrap(&b, "no terminal, no end of the line", 4, 0);
    EXPECT(b, "no terminal, no end of the line");
    text_wrap(&b, "", 4, 30);
    EXPECT(b, "");
    buf_done(&b);
}
END_TEST

START_TEST(spans_grow_from_minutes_to_days)
{
    struct buf b = {0};
    text_span(&b, 7);
    EXPECT(b, "0:07");
    text_span(&b, 3723);
    EXPECT(b, "1:02:03");
    text_span(&b, 3 * 86400 + 4 * 3600 + 300);
    EXPECT(b, "3d 04:05");
    text_span(&b, -1);
    EXPECT(b, "0:00");
    text_span(&b, 1e300);
    ck_assert_uint_gt(buf_len(&b), 5);
    buf_done(&b);
}
END_TEST

START_TEST(control_bytes_and_broken_utf8_never_reach_the_terminal)
{
    struct buf b = {0};
    static const char nasty[] = "a\x1b[31m\n\xff\xc2\x9b\xc3\xbc\x7f\xe2\x82";
    text_escape(&b, nasty, sizeof nasty - 1);
    EXPECT(b, "a\\x1b[31m\\x0a\\xff\\xc2\\x9b\xc3\xbc\\x7f\\xe2\\x82");
    buf_done(&b);
}
END_TEST

START_TEST(columns_count_characters_not_bytes)
{
    ck_assert_uint_eq(text_columns("\xc3\xbc\xe2\x82\xacx"), 3);
    ck_assert_uint_eq(text_fit("\xc3\xbc\xe2\x82\xacx", 2), 5);
    ck_assert_uint_eq(text_fit("abc", 10), 3);
    ck_assert_uint_eq(text_fit("abc", 0), 0);
}
END_TEST

START_TEST(numbers_take_nothing_else)
{
    static const char *const bad[] = {"", " 1", "1x", "0x1", "-1", "11", "99999999999999999999"};
    int64_t n = -7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_lt(text_number(bad[i], 0, 10, &n), 0);
    ck_assert_int_eq(n, -7);
    ck_assert_int_eq(text_number("10", 0, 10, &n), 0);
    ck_assert_int_eq(n, 10);
}
END_TEST

START_TEST(file_names_are_safe_whatever_the_url)
{
    struct buf b = {0};
    filename_make(&b, 17, "http://h/a/b.html?x=/../y", "text/html");
    EXPECT(b, "000017-b.html");
    filename_make(&b, 1, "http://h/", "text/html; charset=utf-8");
    EXPECT(b, "000001-index.html");
    filename_make(&b, 1, "http://h", "image/png");
    EXPECT(b, "000001-index.png");
    filename_make(&b, 2, "http://h/..", "");
    EXPECT(b, "000002-..");
    filename_make(&b, 3, "http://h/a%2f%00\xff;rm -rf", "text/plain");
    EXPECT(b, "000003-a_2f_00__rm_-rf.txt");
    filename_make(&b, 4, "", "");
    EXPECT(b, "000004-index");
    char url[5000] = "http://h/";
    memset(url + 9, 'x', sizeof url - 10);
    url[sizeof url - 1] = '\0';
    filename_make(&b, 5, url, "text/html");
    ck_assert_uint_lt(buf_len(&b), 200);
    buf_done(&b);
}
END_TEST

START_TEST(paths_lead_into_objects_and_arrays)
{
    json_error_t error;
    json_t *v = json_loads("{\"a\":{\"b\":[1,{\"c\":\"x\"}]},\"d.e\":2}", 0, &error);
    ck_assert_int_eq(jsonp_int(v, "a.b.0"), 1);
    ck_assert_str_eq(jsonp_text(v, "a.b.1.c"), "x");
    ck_assert_int_eq(jsonp_int(v, "d.e"), 2);
    static const char *const missing[] = {"",      ".",       "a.",  "a.b.2",
                                          "a.b.x", "a.b.0.c", "x.y", "a.b.-1"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        ck_assert_ptr_null(jsonp_at(v, missing[i]));
    ck_assert_int_eq(jsonp_put(v, "n.o.p", json_integer(3)), 0);
    ck_assert_int_eq(jsonp_int(v, "n.o.p"), 3);
    ck_assert_int_lt(jsonp_put(v, "a.b.c", json_integer(3)), 0);
    json_decref(v);
}
END_TEST

UNIT_TESTS("ctl_text", numbers_are_grouped_and_sizes_have_a_unit, spans_grow_from_minutes_to_days,
           control_bytes_and_broken_utf8_never_reach_the_terminal,
           lines_are_broken_at_blanks_and_words_never, columns_count_characters_not_bytes,
           numbers_take_nothing_else, file_names_are_safe_whatever_the_url,
           paths_lead_into_objects_and_arrays)
