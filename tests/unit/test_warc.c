/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/sha1.h"
#include "daemon/store/warc.h"
#include "tests/unit/unit.h"

#define WALL_NS INT64_C(1763636717123456789) /* 2025-11-20T11:05:17.123Z */

static const uint8_t some_sha1[SHA1_BYTES] = {0xda, 0x39, 0xa3, 0xee, 0x5e, 0x6b, 0x4b,
                                              0x0d, 0x32, 0x55, 0xbf, 0xef, 0x95, 0x60,
                                              0x18, 0x90, 0xaf, 0xd8, 0x07, 0x09};

static struct warc_exchange exchange(void)
{
    struct warc_exchange x = {.url = "http://example.com/", .url_len = 19, .ip = "2001:db8::1"};
    x.wall_ns = WALL_NS;
    memcpy(x.info.text, "00000000-0000-4000-8000-000000000001", WARC_ID_CHARS);
    memcpy(x.response.text, "00000000-0000-4000-8000-000000000002", WARC_ID_CHARS);
    memcpy(x.request.text, "00000000-0000-4000-8000-000000000003", WARC_ID_CHARS);
    return x;
}

START_TEST(a_response_record_has_these_bytes)
{
    struct warc_exchange x = exchange();
    struct buf b = {0};
    x.payload_sha1 = some_sha1;
    x.truncated = "length";
    warc_add_response(&b, &x, "HTTP/1.1 204 \r\n\r\n", 17);
    ck_assert_str_eq(buf_str(&b),
                     "WARC/1.1\r\n"
                     "WARC-Type: response\r\n"
                     "WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-000000000002>\r\n"
                     "WARC-Date: 2025-11-20T11:05:17.123Z\r\n"
                     "WARC-Target-URI: http://example.com/\r\n"
                     "WARC-IP-Address: 2001:db8::1\r\n"
                     "WARC-Warcinfo-ID: <urn:uuid:00000000-0000-4000-8000-000000000001>\r\n"
                     "WARC-Concurrent-To: <urn:uuid:00000000-0000-4000-8000-000000000003>\r\n"
                     "Content-Type: application/http; msgtype=response\r\n"
                     "WARC-Truncated: length\r\n"
                     "WARC-Payload-Digest: sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ\r\n"
                     "WARC-Block-Digest: sha1:LRD35RZ6DDAU5ZMWEXWDYDHHQOGGAPYW\r\n"
                     "Content-Length: 17\r\n"
                     "\r\n"
                     "HTTP/1.1 204 \r\n\r\n"
                     "\r\n\r\n");
    buf_done(&b);
}
END_TEST

START_TEST(a_request_record_has_these_bytes)
{
    struct warc_exchange x = exchange();
    struct buf b = {0};
    x.payload_sha1 = some_sha1;
    x.truncated = "time";
    x.ip = NULL;
    warc_add_request(&b, &x, "", 0);
    ck_assert_str_eq(buf_str(&b),
                     "WARC/1.1\r\n"
                     "WARC-Type: request\r\n"
                     "WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-000000000003>\r\n"
                     "WARC-Date: 2025-11-20T11:05:17.123Z\r\n"
                     "WARC-Target-URI: http://example.com/\r\n"
                     "WARC-Warcinfo-ID: <urn:uuid:00000000-0000-4000-8000-000000000001>\r\n"
                     "WARC-Concurrent-To: <urn:uuid:00000000-0000-4000-8000-000000000002>\r\n"
                     "Content-Type: application/http; msgtype=request\r\n"
                     "WARC-Block-Digest: sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ\r\n"
                     "Content-Length: 0\r\n"
                     "\r\n"
                     "\r\n\r\n");
    buf_done(&b);
}
END_TEST

START_TEST(a_warcinfo_record_says_who_made_the_file)
{
    struct warc_id id;
    struct buf b = {0};
    memcpy(id.text, "00000000-0000-4000-8000-000000000001", WARC_ID_CHARS);
    const struct warc_info info = {.file_name = "a.warc.gz",
                                   .software = "crawld/1",
                                   .operator_contact = "me\r\nevil: yes",
                                   .robots = "obey",
                                   .user_agent = "crawld (+https://example.org)"};
    warc_add_info(&b, &info, &id, WALL_NS);
    const char *block = strstr(buf_str(&b), "\r\n\r\n") + 4;
    ck_assert_str_eq(
        block, "software: crawld/1\r\n"
               "format: WARC File Format 1.1\r\n"
               "conformsTo: "
               "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/\r\n"
               "operator: me  evil: yes\r\n"
               "robots: obey\r\n"
               "http-header-user-agent: crawld (+https://example.org)\r\n"
               "\r\n\r\n");
    char *length = strstr(buf_data(&b), "Content-Length: ");
    ck_assert_int_eq(atoi(length + 16), (int)strlen(block) - 4);
    ck_assert_ptr_nonnull(strstr(buf_data(&b), "\r\nWARC-Filename: a.warc.gz\r\n"));
    ck_assert_ptr_nonnull(strstr(buf_data(&b), "\r\nContent-Type: application/warc-fields\r\n"));
    ck_assert_ptr_null(strstr(buf_data(&b), "Target-URI"));
    ck_assert_ptr_null(strstr(buf_data(&b), "Warcinfo-ID"));
    buf_done(&b);
}
END_TEST

START_TEST(what_cannot_stand_in_a_url_is_escaped)
{
    struct warc_exchange x = exchange();
    struct buf b = {0};
    x.url = "http://a/ \r\nX: \xff\x7f";
    x.url_len = 17;
    warc_add_request(&b, &x, "", 0);
    ck_assert_ptr_nonnull(
        strstr(buf_str(&b), "\r\nWARC-Target-URI: http://a/%20%0D%0AX:%20%FF%7F\r\n"));
    buf_done(&b);
}
END_TEST

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, WARC_ID_CHARS);
}

START_TEST(record_ids_are_uuids_of_version_4_and_differ)
{
    static struct warc_id many[20000];
    struct warc_ids ids[2];
    warc_ids_init(&ids[0]);
    warc_ids_init(&ids[1]);
    for (int i = 0; i < 20000; i++) {
        warc_ids_next(&ids[i % 2], &many[i]);
        for (int k = 0; k < WARC_ID_CHARS; k++)
            if (k == 8 || k == 13 || k == 18 || k == 23)
                ck_assert_int_eq(many[i].text[k], '-');
            else
                ck_assert_ptr_nonnull(strchr("0123456789abcdef", many[i].text[k]));
        ck_assert_int_eq(many[i].text[14], '4');
        ck_assert_ptr_nonnull(strchr("89ab", many[i].text[19]));
    }
    qsort(many, 20000, sizeof *many, compare_ids);
    for (int i = 1; i < 20000; i++)
        ck_assert_int_ne(compare_ids(&many[i - 1], &many[i]), 0);
}
END_TEST

UNIT_TESTS("warc", a_response_record_has_these_bytes, a_request_record_has_these_bytes,
           a_warcinfo_record_says_who_made_the_file, what_cannot_stand_in_a_url_is_escaped,
           record_ids_are_uuids_of_version_4_and_differ)
