/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <string.h>

#include "daemon/fetch/keep.h"
#include "tests/unit/unit.h"

static struct spec_text has[] = {{(char *)"needle", 6}};
static struct spec_text lacks[] = {{(char *)"\xe4\xb8\x8d\xe5\xad\x98\xe5\x9c\xa8", 9},
                                   {(char *)"x", 1}};

static struct job_spec with_texts(void)
{
    struct job_spec s = {0};
    s.keep.body_has = (struct spec_texts){has, 1};
    s.keep.body_lacks = (struct spec_texts){lacks, 2};
    return s;
}

static enum reason judge_cut(const struct job_spec *s, const char *body, size_t n, size_t a,
                             size_t b)
{
    struct keep_scan k = {0};
    keep_scan_feed(&k, s, body, a);
    keep_scan_feed(&k, s, body + a, b - a);
    keep_scan_feed(&k, s, body + b, n - b);
    enum reason r = keep_judge(&k, s, 200, "text/html", n);
    keep_scan_done(&k);
    return r;
}

static void every_cut(const struct job_spec *s, const char *body, enum reason expected)
{
    size_t n = strlen(body);
    for (size_t a = 0; a <= n; a++)
        for (size_t b = a; b <= n; b++)
            ck_assert_msg(judge_cut(s, body, n, a, b) == expected, "%s cut at %zu %zu", body, a, b);
}

START_TEST(finds_texts_wherever_the_body_is_cut)
{
    struct job_spec s = with_texts();
    every_cut(&s, "hay needle hay", REASON_NONE);
    every_cut(&s, "needle", REASON_NONE);
    every_cut(&s, "needneedle", REASON_NONE);
    every_cut(&s, "hay needl hay", REASON_KEEP_BODY_HAS);
    every_cut(&s, "", REASON_KEEP_BODY_HAS);
    every_cut(&s, "needle \xe4\xb8\x8d\xe5\xad\x98\xe5\x9c\xa8.", REASON_KEEP_BODY_LACKS);
    every_cut(&s, "needle \xe4\xb8\x8d\xe5\xad\x98\xe5\x9c", REASON_NONE);
    every_cut(&s, "needle x", REASON_KEEP_BODY_LACKS);
}
END_TEST

START_TEST(finds_texts_fed_byte_by_byte)
{
    struct job_spec s = with_texts();
    struct keep_scan k = {0};
    static const char body[] = "....needneedle....";
    for (size_t i = 0; i < sizeof body - 1; i++)
        keep_scan_feed(&k, &s, body + i, 1);
    ck_assert_int_eq(keep_judge(&k, &s, 200, "", sizeof body - 1), REASON_NONE);
    keep_scan_done(&k);
}
END_TEST

START_TEST(the_first_rule_that_does_not_hold_is_the_reason)
{
    struct spec_status ok[] = {{200, 200}, {300, 399}};
    struct spec_text html[] = {{(char *)"text/", 5}};
    struct job_spec s = {0};
    struct keep_scan k = {0};
    s.keep.status = ok;
    s.keep.status_count = 2;
    s.keep.mime = (struct spec_texts){html, 1};
    s.keep.min_bytes = 10;
    s.keep.max_bytes = 20;
    ck_assert_int_eq(keep_judge(&k, &s, 404, "image/png", 5), REASON_KEEP_STATUS);
    ck_assert_int_eq(keep_judge(&k, &s, 200, "image/png", 5), REASON_KEEP_MIME);
    ck_assert_int_eq(keep_judge(&k, &s, 302, "text/html", 9), REASON_KEEP_MIN_BYTES);
    ck_assert_int_eq(keep_judge(&k, &s, 200, "text/html", 21), REASON_KEEP_MAX_BYTES);
    ck_assert_int_eq(keep_judge(&k, &s, 399, "text/html", 20), REASON_NONE);
    ck_assert_int_eq(keep_judge(&k, &s, 200, "text/html", 10), REASON_NONE);
}
END_TEST

UNIT_TESTS("keep", finds_texts_wherever_the_body_is_cut, finds_texts_fed_byte_by_byte,
           the_first_rule_that_does_not_hold_is_the_reason)
