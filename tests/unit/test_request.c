/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "daemon/net/request.h"
#include "tests/unit/unit.h"

#define TEXT(s)                                                                                    \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }

static const struct request plain = {
    .method = TEXT("GET"),
    .target = TEXT("/a?b"),
    .host_port = TEXT("[::1]:8080"),
    .user_agent = TEXT("crawld/1"),
    .accept_encoding = TEXT("identity"),
};

static void check_built(const struct request *r, const char *want)
{
    struct buf b = {0};
    buf_adds(&b, "in front ");
    buf_consume(&b, 9);
    ck_assert_int_eq(request_build(r, &b), 0);
    ck_assert_str_eq(buf_str(&b), want);
    buf_done(&b);
}

START_TEST(builds_a_plain_get)
{
    check_built(&plain,
                "GET /a?b HTTP/1.1\r\nHost: [::1]:8080\r\nUser-Agent: crawld/1\r\n"
                "Accept: */*\r\nAccept-Encoding: identity\r\nConnection: keep-alive\r\n\r\n");
}
END_TEST

START_TEST(fields_of_the_job_replace_ours)
{
    const struct request_field fields[] = {
        {TEXT("accept"), TEXT("text/html")},
        {TEXT("USER-AGENT"), TEXT("other")},
        {TEXT("Authorization"), TEXT("Bearer x")},
        {TEXT("X-Empty"), TEXT("")},
    };
    struct request r = plain;
    r.fields = fields;
    r.field_count = 4;
    r.username = (struct request_text)TEXT("u");
    r.close = true;
    check_built(&r, "GET /a?b HTTP/1.1\r\nHost: [::1]:8080\r\nAccept-Encoding: identity\r\n"
                    "accept: text/html\r\nUSER-AGENT: other\r\nAuthorization: Bearer x\r\n"
                    "X-Empty: \r\nConnection: close\r\n\r\n");
}
END_TEST

START_TEST(a_body_has_its_length)
{
    struct request r = {.method = TEXT("POST"), .target = TEXT("/"), .host_port = TEXT("h")};
    check_built(&r, "POST / HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nConnection: keep-alive\r\n"
                    "Content-Length: 0\r\n\r\n");
    r.method = (struct request_text)TEXT("X");
    r.body = (struct request_text)TEXT("a\r\nb");
    check_built(&r, "X / HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nConnection: keep-alive\r\n"
                    "Content-Length: 4\r\n\r\na\r\nb");
}
END_TEST

static void check_auth(const char *username, const char *password, const char *want)
{
    struct request r = plain;
    r.username = (struct request_text){username, strlen(username)};
    r.password = (struct request_text){password, strlen(password)};
    struct buf b = {0};
    ck_assert_int_eq(request_build(&r, &b), 0);
    const char *found = strstr(buf_str(&b), "Authorization: Basic ");
    ck_assert_ptr_nonnull(found);
    ck_assert_msg(!strncmp(found + 21, want, strlen(want)), "%s", found);
    buf_done(&b);
}

START_TEST(userinfo_becomes_basic_authentication)
{
    check_auth("Aladdin", "open%20sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n");
    check_auth("u", "", "dTo=\r\n");
    check_auth("", "p", "OnA=\r\n");
    check_auth("a%", "%4", "YSU6JTQ=\r\n");
    check_auth("%zz", "%41%0d%0a", "JXp6OkENCg==\r\n");
}
END_TEST

/* Puts each bad byte into each part in turn. */
static void refuses_bytes_in(struct request *r, struct request_text *part, const char *bad,
                             size_t bad_count)
{
    char text[] = "x?x";
    struct request_text was = *part;
    *part = (struct request_text){text, 3};
    for (size_t i = 0; i < bad_count; i++) {
        struct buf b = {0};
        text[1] = bad[i];
        ck_assert_msg(request_build(r, &b) == -EINVAL, "byte %d taken", bad[i]);
        ck_assert_uint_eq(buf_len(&b), 0);
    }
    *part = was;
}

START_TEST(no_part_can_add_a_line)
{
    struct request_field field = {TEXT("A"), TEXT("b")};
    struct request r = plain;
    r.fields = &field;
    r.field_count = 1;
    r.username = r.password = (struct request_text)TEXT("u");
    struct request_text *const parts[] = {&r.method,          &r.target,   &r.host_port,
                                          &r.user_agent,      &r.username, &r.password,
                                          &r.accept_encoding, &field.name, &field.value};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        refuses_bytes_in(&r, parts[i], "\r\n\0", 3);
    refuses_bytes_in(&r, &r.method, " \t:/\x80", 5);
    refuses_bytes_in(&r, &r.target, " \t#\x7f\x80", 5);
    refuses_bytes_in(&r, &r.host_port, " \t/@#?\\\x7f\x80", 9);
    refuses_bytes_in(&r, &field.name, " \t:\x80", 4);
}
END_TEST

START_TEST(refuses_missing_parts_and_our_own_fields)
{
    static const struct request_field bad[] = {
        {TEXT("host"), TEXT("x")},
        {TEXT("Content-length"), TEXT("1")},
        {TEXT("TRANSFER-ENCODING"), TEXT("chunked")},
        {TEXT("Connection"), TEXT("close")},
        {TEXT(""), TEXT("x")},
    };
    struct buf b = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct request r = plain;
        r.fields = &bad[i];
        r.field_count = 1;
        ck_assert_int_eq(request_build(&r, &b), -EINVAL);
    }
    for (int i = 0; i < 3; i++) {
        struct request r = plain;
        (i == 0 ? &r.method : i == 1 ? &r.target : &r.host_port)->len = 0;
        ck_assert_int_eq(request_build(&r, &b), -EINVAL);
    }
    ck_assert_uint_eq(buf_len(&b), 0);
}
END_TEST

UNIT_TESTS("request", builds_a_plain_get, fields_of_the_job_replace_ours, a_body_has_its_length,
           userinfo_becomes_basic_authentication, no_part_can_add_a_line,
           refuses_missing_parts_and_our_own_fields)
