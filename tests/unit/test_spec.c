/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/outcome.h"
#include "common/spec_row.h"
#include "common/stats.h"
#include "tests/unit/unit.h"

/* Parses the text; robots are ignored unless it says something about pace. */
static int parse(const char *text, struct job_spec *ret_spec, struct spec_error *ret_error)
{
    json_error_t bad;
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &bad);
    ck_assert_msg(object != NULL, "%s: %s", text, bad.text);
    if (json_is_object(object) && !json_object_get(object, "pace"))
        json_object_set_new(object, "pace", json_pack("{s:s}", "robots", "ignore"));
    int r = spec_parse(object, ret_spec, ret_error);
    json_decref(object);
    return r;
}

static struct job_spec parsed(const char *text)
{
    struct job_spec s;
    struct spec_error e = {0};
    int r = parse(text, &s, &e);
    ck_assert_msg(r == 0, "%s: %s (%s)", text, e.message, e.hint);
    return s;
}

START_TEST(an_empty_specification_has_the_defaults)
{
    struct job_spec s = parsed("{}");
    ck_assert_str_eq(s.name, "");
    ck_assert_ptr_null(s.template);
    ck_assert_uint_eq(s.pace.delay_ms, 1000);
    ck_assert_uint_eq(s.pace.connections_per_host, 1);
    ck_assert_uint_eq(s.pace.connections_per_ip, 4);
    ck_assert_str_eq(s.request.method, "GET");
    ck_assert_str_eq(s.request.user_agent, "");
    ck_assert_str_eq(s.request.accept_encoding, "gzip, deflate, br, zstd");
    ck_assert_uint_eq(s.timeouts.total_ms, 120000);
    ck_assert_uint_eq(s.timeouts.idle_ms, 20000);
    ck_assert_uint_eq(s.retry.attempts, 3);
    ck_assert_uint_eq(s.max_body_bytes, 10485760);
    ck_assert_int_eq(s.store.compress, SPEC_GZIP);
    ck_assert(s.dedup && !s.keep_open);
    spec_done(&s);
}
END_TEST

START_TEST(presets_set_many_keys_and_single_keys_override_them)
{
    struct job_spec s = parsed("{\"pace\": {\"connections_per_ip\": 7, \"preset\": \"probe\"}}");
    ck_assert_uint_eq(s.pace.delay_ms, 0);
    ck_assert_uint_eq(s.pace.connections_per_host, 1);
    ck_assert_uint_eq(s.pace.connections_per_ip, 7);
    ck_assert_uint_eq(s.retry.attempts, 1);
    ck_assert_int_eq(s.pace.robots, SPEC_ROBOTS_IGNORE);
    spec_done(&s);
    s = parsed("{\"pace\": {\"preset\": \"own\"}, \"retry\": {\"attempts\": 9}}");
    ck_assert_uint_eq(s.pace.delay_ms, 0);
    ck_assert_uint_eq(s.pace.connections_per_host, 0);
    ck_assert_uint_eq(s.pace.connections_per_ip, 0);
    ck_assert_uint_eq(s.retry.attempts, 9);
    spec_done(&s);
}
END_TEST

START_TEST(the_total_timeout_clips_the_others)
{
    struct job_spec s =
        parsed("{\"timeouts\": {\"total_ms\": 2000, \"dns_ms\": 500, \"tls_ms\": 0}}");
    ck_assert_uint_eq(s.timeouts.dns_ms, 500);
    ck_assert_uint_eq(s.timeouts.connect_ms, 2000);
    ck_assert_uint_eq(s.timeouts.tls_ms, 0);
    ck_assert_uint_eq(s.timeouts.first_byte_ms, 2000);
    ck_assert_uint_eq(s.timeouts.idle_ms, 2000);
    spec_done(&s);
    s = parsed("{\"timeouts\": {\"total_ms\": 0}}");
    ck_assert_uint_eq(s.timeouts.first_byte_ms, 20000);
    spec_done(&s);
}
END_TEST

static const char *const whole =
    "{\"name\":\"a.b_c-1\",\"seeds\":[\"http://a/\",\"http://b/\\u00fc\"],"
    "\"template\":\"http://{sub}.example.com/{n}?{}\",\"combine\":\"product\","
    "\"words\":{\"sub\":[\"a\",\"\",\"\\u4e0d\"],\"n\":{\"from\":10,\"to\":-11,\"step\":-5}},"
    "\"limits\":{\"pages\":5,\"bytes\":6,\"seconds\":7,\"pages_per_host\":8},"
    "\"pace\":{\"preset\":\"own\",\"delay_ms\":3,\"in_flight\":11,\"robots\":\"ignore\"},"
    "\"request\":{\"method\":\"POST\",\"headers\":{\"Accept\":\"*/*\",\"X-Empty\":\"\"},"
    "\"body\":\"a\\nb\",\"user_agent\":\"me\",\"accept_encoding\":\"\"},"
    "\"timeouts\":{\"total_ms\":15000},\"retry\":{\"attempts\":2,\"give_up_s\":0},"
    "\"redirects\":{\"max\":3},\"max_body_bytes\":0,"
    "\"keep\":{\"status\":[200,\"2xx\",\"404\"],\"body_has\":[\"x\"],\"body_lacks\":[\"\\u4e0d\"],"
    "\"mime\":[\"text/html\"],\"min_bytes\":1,\"max_bytes\":2},"
    "\"store\":{\"format\":\"none\",\"compress\":\"none\",\"pages\":\"all\",\"rotate_bytes\":9},"
    "\"dedup\":false,\"keep_open\":true}";

START_TEST(its_json_read_again_gives_the_same)
{
    struct job_spec s = parsed(whole), again;
    struct spec_error e;
    json_t *first = spec_json(&s);
    ck_assert_int_eq(spec_parse(first, &again, &e), 0);
    json_t *second = spec_json(&again);
    ck_assert(json_equal(first, second));
    ck_assert_uint_eq(again.seeds.count, 2);
    ck_assert_str_eq(again.seeds.v[1].p, "http://b/\xc3\xbc");
    ck_assert_uint_eq(again.words_count, 2);
    ck_assert_uint_eq(again.words[0].count, 3);
    ck_assert(again.words[1].range);
    ck_assert_uint_eq(again.words[1].count, 5);
    ck_assert_uint_eq(again.request.headers.count, 2);
    ck_assert_str_eq(again.request.headers.v[1].p, "X-Empty: ");
    ck_assert_uint_eq(again.request.body.len, 3);
    ck_assert_uint_eq(again.keep.status[1].low, 200);
    ck_assert_uint_eq(again.keep.status[1].high, 299);
    ck_assert_uint_eq(again.keep.status[2].high, 404);
    ck_assert(!again.dedup && again.keep_open);
    json_decref(first);
    json_decref(second);
    spec_done(&s);
    spec_done(&again);
}
END_TEST

START_TEST(every_built_key_is_in_the_json_of_a_full_specification)
{
    struct job_spec s = parsed(whole);
    json_t *object = spec_json(&s);
    for (size_t i = 0; i < spec_rows_count; i++) {
        char group[64];
        const char *path = spec_rows[i].path, *dot = strchr(path, '.');
        snprintf(group, sizeof group, "%.*s", dot ? (int)(dot - path) : 63, path);
        const json_t *v = json_object_get(object, group);
        if (dot)
            v = json_object_get(v, dot + 1);
        ck_assert_msg((v != NULL) == spec_rows[i].built, "%s", path);
    }
    json_decref(object);
    spec_done(&s);
}
END_TEST

START_TEST(placeholders_are_found_in_order)
{
    struct job_spec s = parsed(whole);
    struct spec_placeholder at;
    ck_assert(spec_placeholder_next(&s, s.template, &at));
    ck_assert_uint_eq(at.words, 0);
    ck_assert_int_eq(at.open - s.template, 7);
    ck_assert(spec_placeholder_next(&s, at.end, &at));
    ck_assert_uint_eq(at.words, 1);
    ck_assert(spec_placeholder_next(&s, at.end, &at));
    ck_assert_uint_eq(at.words, 0);
    ck_assert_str_eq(at.end, "");
    ck_assert(!spec_placeholder_next(&s, at.end, &at));
    spec_done(&s);
}
END_TEST

static const struct refusal {
    const char *text, *field, *message, *hint; /* message and hint: what they must hold */
} refusals[] = {
    {"[]", "", "JSON object", ""},
    {"{\"nane\": \"x\"}", "nane", "no such key", "did you mean name?"},
    {"{\"delay_ms\": 1}", "delay_ms", "no such key", "did you mean pace.delay_ms?"},
    {"{\"pace\": {\"dealy_ms\": 1}}", "pace.dealy_ms", "no such key", "pace.delay_ms"},
    {"{\"pace.delay_ms\": 1}", "pace.delay_ms", "no such key", "{\"pace\": {\"delay_ms\""},
    {"{\"zzzzzz\": 1}", "zzzzzz", "no such key", ""},
    {"{\"a\\nb\\u001b[m\": 1}", "a?b?[m", "no such key", ""},
    {"{\"pace\": 1}", "pace", "must be an object, is a number", ""},
    {"{\"pace\": {\"preset\": \"rude\"}}", "pace.preset", "not known", "polite, probe, own"},
    {"{\"pace\": {\"preset\": 1}}", "pace.preset", "must be a string", ""},
    {"{\"name\": \"-a\"}", "name", "not a name", "a-z"},
    {"{\"name\": \"A\"}", "name", "not a name", ""},
    {"{\"name\": \"../x\"}", "name", "not a name", ""},
    {"{\"name\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", "name",
     "65 bytes is out of range 0 to 64", ""},
    {"{\"name\": 5}", "name", "must be a string, is a number", ""},
    {"{\"seeds\": \"http://a/\"}", "seeds", "must be a list of strings, is a string", ""},
    {"{\"seeds\": [\"a\", 1]}", "seeds[1]", "must be a string", ""},
    {"{\"seeds\": [\"\"]}", "seeds[0]", "out of range", ""},
    {"{\"seeds\": [\"a\\u0000b\"]}", "seeds[0]", "NUL", ""},
    {"{\"template\": \"http://a/\\n\"}", "template", "control character", ""},
    {"{\"template\": \"http://{x}/\"}", "template", "{x} has no words", "%7B"},
    {"{\"template\": \"http://{}/\"}", "template", "{} has no words", ""},
    {"{\"template\": \"http://{sbu}/\", \"words\": {\"sub\": []}}", "template", "{sbu}", "{sub}"},
    {"{\"template\": \"http://{a\", \"words\": {\"a\": []}}", "template", "{ without }", ""},
    {"{\"words\": {\"a\": [\"b\"]}}", "words", "no template", ""},
    {"{\"template\": \"http://a/\", \"words\": {\"a\": []}}", "words.a", "not in the template", ""},
    {"{\"words\": {\"a b\": []}}", "words.a b", "not the name of a placeholder", ""},
    {"{\"words\": {\"a\": 1}}", "words.a", "must be a list", ""},
    {"{\"words\": {\"a\": {\"from\": 1}}}", "words.a", "not a range", "\"step\""},
    {"{\"words\": {\"a\": {\"from\": 1, \"to\": 2, \"x\": 3}}}", "words.a", "not a range", ""},
    {"{\"words\": {\"a\": {\"from\": 1, \"to\": 2, \"step\": 0}}}", "words.a", "empty or endless",
     ""},
    {"{\"words\": {\"a\": {\"from\": 2, \"to\": 1}}}", "words.a", "empty or endless", ""},
    {"{\"words\": {\"a\": {\"from\": -9223372036854775808, \"to\": 9223372036854775807}}}",
     "words.a", "too many", ""},
    {"{\"template\": \"http://{a}{b}\", \"words\": {\"a\": {\"from\": 1, \"to\": 9000000000000},"
     "\"b\": {\"from\": 1, \"to\": 9000000000000}}}",
     "words", "more than", ""},
    {"{\"template\": \"http://{a}{b}\", \"combine\": \"zip\", \"words\": {\"a\": [\"1\"], \"b\":"
     "[\"1\", \"2\"]}}",
     "combine", "a has 1 values, b has 2", "one length"},
    {"{\"combine\": \"cross\"}", "combine", "not known", "product, zip"},
    {"{\"limits\": {\"pages\": -1}}", "limits.pages", "-1 is out of range 0", ""},
    {"{\"limits\": {\"pages\": 1.5}}", "limits.pages", "must be a whole number", ""},
    {"{\"limits\": {\"pages\": true}}", "limits.pages", "must be a whole number, is true", ""},
    {"{\"pace\": {\"delay_ms\": 86400001}}", "pace.delay_ms", "out of range 0 to 86400000 ms", ""},
    {"{\"request\": {\"method\": \"GE T\"}}", "request.method", "no method", ""},
    {"{\"request\": {\"method\": \"connect\"}}", "request.method", "no method", ""},
    {"{\"request\": {\"user_agent\": \"a\\r\\nb\"}}", "request.user_agent", "control", ""},
    {"{\"request\": {\"headers\": [\"A: b\"]}}", "request.headers", "must be an object", ""},
    {"{\"request\": {\"headers\": {\"A\": 1}}}", "request.headers.A", "must be a string", ""},
    {"{\"request\": {\"headers\": {\"A\": \"b\\r\\nc: d\"}}}", "request.headers.A", "line break",
     ""},
    {"{\"request\": {\"headers\": {\"A\": \"b\\nc\"}}}", "request.headers.A", "line break", ""},
    {"{\"request\": {\"headers\": {\"A\": \"b\\u0001c\"}}}", "request.headers.A", "control", ""},
    {"{\"request\": {\"headers\": {\"A:\": \"b\"}}}", "request.headers.A:", "name of a header", ""},
    {"{\"request\": {\"headers\": {\"\": \"b\"}}}", "request.headers.", "name of a header", ""},
    {"{\"request\": {\"headers\": {\"A\\r\\nB\": \"b\"}}}", "request.headers.A??B", "name", ""},
    {"{\"request\": {\"headers\": {\"host\": \"b\"}}}", "request.headers.host", "cannot be set",
     ""},
    {"{\"request\": {\"headers\": {\"Content-Length\": \"1\"}}}", "request.headers.Content-Length",
     "cannot be set", ""},
    {"{\"request\": {\"headers\": {\"Transfer-encoding\": \"b\"}}}",
     "request.headers.Transfer-encoding", "cannot be set", ""},
    {"{\"request\": {\"headers\": {\"CONNECTION\": \"b\"}}}", "request.headers.CONNECTION",
     "cannot be set", ""},
    {"{\"retry\": {\"attempts\": 0}}", "retry.attempts", "out of range 1 to 100", ""},
    {"{\"keep\": {\"status\": 200}}", "keep.status", "list of statuses", ""},
    {"{\"keep\": {\"status\": [200, \"6xx\"]}}", "keep.status[1]", "not an HTTP status", "2xx"},
    {"{\"keep\": {\"status\": [99]}}", "keep.status[0]", "not an HTTP status", ""},
    {"{\"keep\": {\"status\": [4294967496]}}", "keep.status[0]", "not an HTTP status", ""},
    {"{\"keep\": {\"min_bytes\": 2, \"max_bytes\": 1}}", "keep.min_bytes", "above", ""},
    {"{\"dedup\": 1}", "dedup", "must be true or false", ""},
};

static void check_refusal(const struct refusal *t)
{
    struct job_spec s;
    struct spec_error e = {0};
    ck_assert_msg(parse(t->text, &s, &e) == -EINVAL, "%s", t->text);
    ck_assert_str_eq(e.field, t->field);
    ck_assert_msg(strstr(e.message, t->message) != NULL, "%s: %s", t->text, e.message);
    ck_assert_msg(*t->hint ? strstr(e.hint, t->hint) != NULL : 1, "%s: %s", t->text, e.hint);
    ck_assert(!e.unsupported);
}

START_TEST(what_is_wrong_is_refused_with_path_reason_and_hint)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        check_refusal(&refusals[i]);
}
END_TEST

static const struct unbuilt {
    const char *text, *field; /* field NULL: accepted, it switches nothing on */
} unbuilt[] = {
    {"{\"pace\": {}}", "pace.robots"},
    {"{\"pace\": {\"robots\": \"obey\"}}", "pace.robots"},
    {"{\"pace\": {\"robots\": \"archive\"}}", "pace.robots"},
    {"{\"pace\": {\"preset\": \"own\", \"robots\": \"obey\"}}", "pace.robots"},
    {"{\"pace\": {\"preset\": \"own\", \"rate_per_s\": 1}}", "pace.rate_per_s"},
    {"{\"pace\": {\"preset\": \"own\", \"bytes_per_s\": 1}}", "pace.bytes_per_s"},
    {"{\"pace\": {\"preset\": \"own\", \"bytes_per_s\": 0, \"rate_per_s\": 0}}", NULL},
    {"{\"follow\": {\"depth\": 1}}", "follow.depth"},
    {"{\"follow\": {\"scope\": \"any\"}}", "follow.scope"},
    {"{\"follow\": {\"include\": [\"x\"]}}", "follow.include"},
    {"{\"follow\": {\"exclude\": [\"x\"]}}", "follow.exclude"},
    {"{\"follow\": {\"sitemaps\": true}}", "follow.sitemaps"},
    {"{\"follow\": {\"nofollow\": \"ignore\"}}", "follow.nofollow"},
    {"{\"follow\": {\"max_links_per_page\": 1}}", "follow.max_links_per_page"},
    {"{\"follow\": {\"log_excluded\": true}}", "follow.log_excluded"},
    {"{\"follow\": {\"depth\": 0, \"scope\": \"host\", \"include\": [], \"exclude\": [], "
     "\"sitemaps\": false, \"nofollow\": \"obey\", \"max_links_per_page\": 5000, "
     "\"log_excluded\": false}}",
     NULL},
    {"{\"request\": {\"proxy\": \"http://a/\"}}", "request.proxy"},
    {"{\"request\": {\"cookies\": true}}", "request.cookies"},
    {"{\"request\": {\"http\": \"2\"}}", "request.http"},
    {"{\"request\": {\"http\": 1}}", "request.http"},
    {"{\"request\": {\"accept_encoding\": \"gzip, sdch\"}}", "request.accept_encoding"},
    {"{\"request\": {\"accept_encoding\": \"gzipp\"}}", "request.accept_encoding"},
    {"{\"request\": {\"accept_encoding\": \"gzip;q=1, br ;q=0.5,*;q=0\"}}", NULL},
    {"{\"request\": {\"accept_encoding\": \"\"}}", NULL},
    {"{\"request\": {\"proxy\": \"\", \"cookies\": false, \"http\": \"auto\", "
     "\"accept_encoding\": \"identity\"}}",
     NULL},
    {"{\"request\": {\"http\": \"1.1\"}}", NULL},
    {"{\"redirects\": {\"mode\": \"enqueue\"}}", "redirects.mode"},
    {"{\"keep\": {\"body_matches\": [\"a\"]}}", "keep.body_matches"},
    {"{\"store\": {\"compress\": \"zstd\"}}", "store.compress"},
    {"{\"sink\": {\"name\": \"x\"}}", "sink"},
    {"{\"priority\": 1}", "priority"},
    {"{\"recrawl\": {\"every_s\": 60}}", "recrawl.every_s"},
    {"{\"keep\": {\"body_matches\": []}, \"priority\": 0, \"recrawl\": {\"every_s\": 0}}", NULL},
};

static void check_unbuilt(const struct unbuilt *t)
{
    struct job_spec s;
    struct spec_error e = {0};
    int r = parse(t->text, &s, &e);
    if (!t->field) {
        ck_assert_msg(r == 0, "%s: %s", t->text, e.message);
        spec_done(&s);
        return;
    }
    ck_assert_msg(r == -EINVAL, "%s", t->text);
    ck_assert_str_eq(e.field, t->field);
    ck_assert_msg(strstr(e.message, "not built yet") != NULL, "%s", e.message);
    ck_assert(e.unsupported);
}

START_TEST(what_is_not_built_is_refused_as_unsupported_unless_switched_off)
{
    for (size_t i = 0; i < sizeof unbuilt / sizeof *unbuilt; i++)
        check_unbuilt(&unbuilt[i]);
}
END_TEST

START_TEST(robots_obey_is_refused_with_the_way_out)
{
    struct job_spec s;
    struct spec_error e;
    ck_assert_int_eq(parse("{\"pace\": {\"preset\": \"polite\"}}", &s, &e), -EINVAL);
    ck_assert_str_eq(e.message, "pace.robots: obey is not built yet");
    ck_assert_str_eq(e.hint, "say robots: ignore (or --robots ignore) for servers that allow it; "
                             "--pace own and probe do");
}
END_TEST

/* Field, message and hint are UTF-8 whatever was given. */
static void check_utf8(const struct spec_error *e)
{
    const char *const texts[] = {e->field, e->message, e->hint};
    for (int i = 0; i < 3; i++) {
        json_t *v = json_string(texts[i]);
        ck_assert_ptr_nonnull(v);
        json_decref(v);
    }
}

START_TEST(errors_are_cut_between_characters)
{
    static const char *const around[][2] = {
        {"{\"", "\": 1}"},
        {"{\"pace\": {\"robots\": \"ignore\", \"", "\": 1}}"},
        {"{\"name\": \"", "\"}"},
        {"{\"template\": \"{", "}\"}"},
        {"{\"words\": {\"", "\": []}}"},
        {"{\"combine\": \"", "\"}"},
        {"{\"request\": {\"headers\": {\"", "\": \"x\"}}}"},
        {"{\"request\": {\"accept_encoding\": \"", "\"}}"},
    };
    for (size_t i = 0; i < sizeof around / sizeof *around; i++)
        for (int length = 10; length < 110; length++) {
            struct buf text = {0};
            struct job_spec s;
            struct spec_error e;
            buf_adds(&text, around[i][0]);
            for (int k = 0; k < length; k++)
                buf_adds(&text, k ? "\xe4\xb8\x8d" : "x");
            buf_adds(&text, around[i][1]);
            ck_assert_int_eq(parse(buf_str(&text), &s, &e), -EINVAL);
            check_utf8(&e);
            buf_done(&text);
        }
}
END_TEST

/* Every byte of a full specification replaced by every one of these. */
START_TEST(any_damage_is_refused_or_read_as_what_it_now_says)
{
    static const char bytes[] = "\"{}[]:,-0x9 e\\\x7f";
    char *text = strdup(whole);
    for (size_t i = 0; i < strlen(whole); i++) {
        for (const char *c = bytes; *c; c++) {
            struct job_spec s, again;
            struct spec_error e;
            text[i] = *c;
            json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
            if (object && spec_parse(object, &s, &e) == 0) {
                json_t *first = spec_json(&s);
                ck_assert_int_eq(spec_parse(first, &again, &e), 0);
                json_t *second = spec_json(&again);
                ck_assert(json_equal(first, second));
                json_decref(first);
                json_decref(second);
                spec_done(&s);
                spec_done(&again);
            } else if (object) {
                check_utf8(&e);
            }
            json_decref(object);
        }
        text[i] = whole[i];
    }
    free(text);
}
END_TEST

START_TEST(every_row_is_whole_and_its_default_lies_in_its_bounds)
{
    struct job_spec s = parsed("{}");
    for (size_t i = 0; i < spec_rows_count; i++) {
        const struct spec_row *row = &spec_rows[i];
        ck_assert_msg(*row->path && *row->unit && *row->help, "%s", row->path);
        ck_assert_msg(strcmp(row->path, "seeds") ? *row->flag : 1, "%s has no flag", row->path);
        for (size_t k = 0; k < i; k++) {
            ck_assert_str_ne(row->path, spec_rows[k].path);
            ck_assert_msg(!*row->flag || strcmp(row->flag, spec_rows[k].flag), "%s", row->flag);
        }
        json_t *v = row->built ? spec_row_json(row, &s) : NULL;
        struct job_spec again = {0};
        struct spec_error e;
        if (v)
            ck_assert_msg(spec_row_read(row, v, &again, &e) == 0, "%s: %s", row->path, e.message);
        if (row->built)
            spec_row_done(row, &again);
        json_decref(v);
    }
    spec_done(&s);
}
END_TEST

START_TEST(every_counter_and_reason_has_a_name_of_its_own_and_help)
{
    for (int i = 0; i < STAT_COUNT; i++) {
        ck_assert(*stat_name(i));
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(stat_name(i), stat_name(k));
    }
    for (int i = 0; i < REASON_COUNT; i++) {
        ck_assert(*reason_help(i) && (*reason_name(i) || i == REASON_NONE));
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(reason_name(i), reason_name(k));
    }
}
END_TEST

UNIT_TESTS("spec", an_empty_specification_has_the_defaults,
           presets_set_many_keys_and_single_keys_override_them, the_total_timeout_clips_the_others,
           its_json_read_again_gives_the_same,
           every_built_key_is_in_the_json_of_a_full_specification, placeholders_are_found_in_order,
           what_is_wrong_is_refused_with_path_reason_and_hint,
           what_is_not_built_is_refused_as_unsupported_unless_switched_off,
           robots_obey_is_refused_with_the_way_out, errors_are_cut_between_characters,
           any_damage_is_refused_or_read_as_what_it_now_says,
           every_row_is_whole_and_its_default_lies_in_its_bounds,
           every_counter_and_reason_has_a_name_of_its_own_and_help)
