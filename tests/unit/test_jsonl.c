/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <string.h>

#include "common/jsonl.h"
#include "tests/unit/unit.h"

START_TEST(splits_lines_however_they_are_cut)
{
    const char *text = "one\n\r\n \t \ntwo\r\n\nthree three\npart";
    for (size_t step = 1; step <= strlen(text); step++) {
        struct buf in = {0}, got = {0};
        struct jsonl l;
        jsonl_init(&l, JSONL_LINE_BYTES);
        const char *line;
        size_t len;
        for (size_t at = 0; at < strlen(text); at += step) {
            size_t n = strlen(text) - at < step ? strlen(text) - at : step;
            buf_add(&in, text + at, n);
            while (jsonl_next(&l, &in, &line, &len) == JSONL_LINE) {
                buf_add(&got, line, len);
                buf_addc(&got, '|');
            }
        }
        ck_assert_str_eq(buf_str(&got), "one|two|three three|");
        ck_assert_uint_eq(buf_len(&in), 4);
        buf_done(&in);
        buf_done(&got);
    }
}
END_TEST

static enum jsonl_verdict split_long(size_t n, size_t step, const char *end)
{
    struct buf in = {0};
    struct jsonl l;
    jsonl_init(&l, JSONL_LINE_BYTES);
    const char *line;
    size_t len;
    enum jsonl_verdict v = JSONL_MORE;
    for (size_t at = 0; at < n && v == JSONL_MORE; at += step) {
        for (size_t i = at; i < n && i < at + step; i++)
            buf_addc(&in, 'a');
        v = jsonl_next(&l, &in, &line, &len);
    }
    buf_adds(&in, end);
    if (v == JSONL_MORE)
        v = jsonl_next(&l, &in, &line, &len);
    buf_done(&in);
    return v;
}

START_TEST(takes_lines_of_64_kib_and_not_a_byte_more)
{
    for (size_t step = 1; step < 200000; step *= 13) {
        ck_assert_int_eq(split_long(JSONL_LINE_BYTES, step, "\n"), JSONL_LINE);
        ck_assert_int_eq(split_long(JSONL_LINE_BYTES, step, ""), JSONL_MORE);
        ck_assert_int_eq(split_long(JSONL_LINE_BYTES + 1, step, "\n"), JSONL_TOO_LONG);
        ck_assert_int_eq(split_long(JSONL_LINE_BYTES + 1, step, ""), JSONL_TOO_LONG);
    }
}
END_TEST

/* "" when accepted, else the code's name. */
static const char *code_of(const char *line, size_t n)
{
    struct jsonl_request r;
    struct jsonl_error e;
    bool good = jsonl_request_parse(line, n, &r, &e);
    jsonl_request_done(&r);
    return good ? "" : error_name(e.code);
}

static void check_code(const char *line, const char *want)
{
    ck_assert_msg(!strcmp(code_of(line, strlen(line)), want), "%s: %s", line,
                  code_of(line, strlen(line)));
}

START_TEST(reads_id_op_and_args)
{
    struct jsonl_request r;
    struct jsonl_error e;
    const char *line = "{\"id\":\"x\",\"op\":\"job.list\",\"args\":{\"limit\":100}}";
    ck_assert(jsonl_request_parse(line, strlen(line), &r, &e));
    ck_assert_str_eq(json_string_value(r.id), "x");
    ck_assert_str_eq(r.op, "job.list");
    ck_assert_int_eq(json_integer_value(json_object_get(r.args, "limit")), 100);
    jsonl_request_done(&r);
    line = "{\"op\":\"ping\",\"id\":-7}";
    ck_assert(jsonl_request_parse(line, strlen(line), &r, &e));
    ck_assert_int_eq(json_integer_value(r.id), -7);
    ck_assert(json_is_object(r.args));
    jsonl_request_done(&r);
}
END_TEST

START_TEST(tells_bad_json_from_bad_requests)
{
    check_code("{", "bad_frame");
    check_code("nul", "bad_frame");
    check_code("{\"id\":1,\"op\":\"ping\"} x", "bad_frame");
    check_code("{\"id\":1,\"id\":2,\"op\":\"ping\"}", "bad_frame");
    check_code("{\"id\":1,\"op\":\"ping\",\"args\":{\"a\":1,\"a\":1}}", "bad_frame");
    check_code("{\"id\":1,\"op\":\"p\\u0000g\"}", "bad_frame");
    check_code("{\"id\":1,\"op\":\"p\xff\"}", "bad_frame");
    ck_assert_str_eq(code_of("{\"id\":1,\"op\":\"p\0\"}", 18), "bad_frame");
    check_code("[]", "bad_request");
    check_code("1", "bad_request");
    check_code("null", "bad_request");
    check_code("{}", "bad_request");
    check_code("{\"id\":1}", "bad_request");
    check_code("{\"op\":\"ping\"}", "bad_request");
    check_code("{\"id\":1.5,\"op\":\"ping\"}", "bad_request");
    check_code("{\"id\":null,\"op\":\"ping\"}", "bad_request");
    check_code("{\"id\":1,\"op\":2}", "bad_request");
    check_code("{\"id\":1,\"op\":\"ping\",\"args\":[]}", "bad_request");
    check_code("{\"id\":1,\"op\":\"ping\",\"extra\":1}", "bad_request");
    check_code("{\"id\":1,\"op\":\"ping\",\"args\":{\"a\":1e999}}", "bad_request");
    check_code("{\"id\":9223372036854775808,\"op\":\"ping\"}", "bad_request");
    check_code("{\"id\":9223372036854775807,\"op\":\"ping\"}", "");
}
END_TEST

START_TEST(takes_16_levels_and_not_one_more)
{
    char line[200000];
    for (int deep = JSONL_DEPTH; deep <= JSONL_DEPTH + 1; deep++) {
        char *p = line + sprintf(line, "{\"id\":1,\"op\":\"x\",\"args\":{\"v\":");
        for (int i = 2; i < deep; i++)
            *p++ = '[';
        p += sprintf(p, "\"]]]]]\\\"[[[[[[[[[[[[[[[[[[[[\"");
        for (int i = 2; i < deep; i++)
            *p++ = ']';
        strcpy(p, "}}");
        check_code(line, deep > JSONL_DEPTH ? "bad_frame" : "");
    }
    memset(line, '[', sizeof line);
    ck_assert_str_eq(code_of(line, sizeof line), "bad_frame");
}
END_TEST

START_TEST(a_bad_request_still_has_its_id)
{
    struct jsonl_request r;
    struct jsonl_error e;
    const char *line = "{\"extra\":1,\"op\":3,\"id\":5}";
    ck_assert(!jsonl_request_parse(line, strlen(line), &r, &e));
    ck_assert_int_eq(json_integer_value(r.id), 5);
    ck_assert_str_eq(e.message, "unknown key \"extra\"");
    jsonl_request_done(&r);
}
END_TEST

START_TEST(builds_replies_of_one_line)
{
    struct buf b = {0};
    json_t *id = json_string("a\"b"), *result = json_pack("{s:i}", "n", 1);
    jsonl_reply_ok(&b, id, result);
    jsonl_reply_ok(&b, NULL, NULL);
    jsonl_reply_error(&b, id, ERROR_NOT_FOUND, "no\njob \xff", "look", "args.job");
    jsonl_reply_error(&b, NULL, ERROR_BAD_FRAME, "x", NULL, NULL);
    jsonl_add(&b, result);
    ck_assert_str_eq(buf_str(&b),
                     "{\"id\":\"a\\\"b\",\"ok\":true,\"result\":{\"n\":1}}\n"
                     "{\"id\":null,\"ok\":true,\"result\":null}\n"
                     "{\"id\":\"a\\\"b\",\"ok\":false,\"error\":{\"code\":\"not_found\","
                     "\"message\":\"no\\u000ajob \xef\xbf\xbd\",\"hint\":\"look\","
                     "\"field\":\"args.job\"}}\n"
                     "{\"id\":null,\"ok\":false,\"error\":{\"code\":\"bad_frame\","
                     "\"message\":\"x\"}}\n"
                     "{\"n\":1}\n");
    json_decref(id);
    json_decref(result);
    buf_done(&b);
}
END_TEST

START_TEST(error_names_are_read_back)
{
    for (int code = 0; code < ERROR_COUNT; code++) {
        ck_assert_int_eq(error_parse(error_name(code)), code);
        ck_assert_int_gt(error_exit_code(code), 0);
    }
    ck_assert_int_eq(error_parse("nope"), -1);
    ck_assert_int_eq(error_exit_code(ERROR_NOT_FOUND), 4);
}
END_TEST

UNIT_TESTS("jsonl", splits_lines_however_they_are_cut, takes_lines_of_64_kib_and_not_a_byte_more,
           reads_id_op_and_args, tells_bad_json_from_bad_requests, takes_16_levels_and_not_one_more,
           a_bad_request_still_has_its_id, builds_replies_of_one_line, error_names_are_read_back)
