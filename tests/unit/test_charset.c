/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "daemon/parse/charset.h"
#include "daemon/parse/mime.h"
#include "tests/unit/unit.h"

static const char *name_of(const char *label)
{
    return charset_name(charset_find(label, strlen(label)));
}

START_TEST(labels_mean_what_the_standard_says)
{
    static const char *const rows[][2] = {
        {"utf8", "utf-8"},
        {"UTF-8", "utf-8"},
        {" \t\r\n\fGB2312 ", "gbk"},
        {"gb18030", "gb18030"},
        {"latin1", "windows-1252"},
        {"ISO-8859-1", "windows-1252"},
        {"iso-8859-9", "windows-1254"},
        {"x-sjis", "shift_jis"},
        {"ks_c_5601-1987", "euc-kr"},
        {"tis-620", "windows-874"},
        {"unicode", "utf-16le"},
        {"unicodeFFFE", "utf-16be"},
        {"iso-2022-kr", "replacement"},
        {"hz-gb-2312", "replacement"},
        {"866", "ibm866"},
        {"x-user-defined", "x-user-defined"},
        {"", ""},
        {" ", ""},
        {"utf", ""},
        {"utf-8 utf8", ""},
        {"utf-7", ""},
        {"gbk2", ""},
        {"utf-32", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_str_eq(name_of(rows[i][0]), rows[i][1]);
    ck_assert_int_eq(charset_find("utf-8\0", 6), CHARSET_NONE);
}
END_TEST

START_TEST(every_charset_is_found_by_its_name)
{
    for (int c = CHARSET_NONE + 1; c < CHARSET_COUNT; c++) {
        const char *name = charset_name((enum charset)c);
        ck_assert_int_eq(charset_find(name, strlen(name)), c);
    }
    ck_assert_int_eq(CHARSET_COUNT, 41);
}
END_TEST

START_TEST(content_types_are_taken_apart)
{
    static const char *const rows[][3] = {
        {"Text/HTML; charset=\"UTF-8\"", "text/html", "utf-8"},
        {"text/html;charset=GBK", "text/html", "gbk"},
        {"text/html; boundary=x; Charset=gbk; charset=big5", "text/html", "gbk"},
        {"text/html", "text/html", ""},
        {"", "", ""},
        {";charset=utf-8", "", "utf-8"},
        {"text/html; charset=", "text/html", ""},
        {"text/html; charset", "text/html", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mime m;
        mime_parse(rows[i][0], &m);
        ck_assert_str_eq(m.type, rows[i][1]);
        ck_assert_str_eq(m.charset, rows[i][2]);
    }
    ck_assert(mime_is_html("") && mime_is_html("text/html") && !mime_is_html("text/plain"));
    ck_assert(mime_is_xml("application/xhtml+xml") && mime_is_xml("text/xml"));
    ck_assert(!mime_is_xml("xml") && !mime_is_xml("text/html"));
    ck_assert(mime_is_dense("image/jpeg") && mime_is_dense("video/mp4"));
    ck_assert(!mime_is_dense("image/svg+xml") && !mime_is_dense("text/html") && !mime_is_dense(""));
}
END_TEST

UNIT_TESTS("charset", labels_mean_what_the_standard_says, every_charset_is_found_by_its_name,
           content_types_are_taken_apart)
