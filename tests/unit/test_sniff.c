/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "daemon/parse/prescan.h"
#include "daemon/parse/sniff.h"
#include "tests/unit/unit.h"

static const char *sniffed_as(const char *content_type, const char *p, size_t n)
{
    struct mime mime;
    size_t mark;
    mime_parse(content_type, &mime);
    enum charset c = sniff_declared(p, n, &mime, &mark);
    return charset_name(c ? c : sniff_guess(p, n, true));
}

#define SNIFFED(content_type, text) sniffed_as(content_type, text, sizeof(text) - 1)

START_TEST(the_order_is_mark_header_declaration_bytes)
{
    ck_assert_str_eq(SNIFFED("text/html; charset=gbk", "\xef\xbb\xbf<meta charset=big5>"), "utf-8");
    ck_assert_str_eq(SNIFFED("text/html; charset=gbk", "\xff\xfe<\0"), "utf-16le");
    ck_assert_str_eq(SNIFFED("text/html; charset=gbk", "\xfe\xff\0<"), "utf-16be");
    ck_assert_str_eq(SNIFFED("text/html; charset=gbk", "<meta charset=big5>"), "gbk");
    ck_assert_str_eq(SNIFFED("text/html; charset=nonsense", "<meta charset=big5>"), "big5");
    ck_assert_str_eq(SNIFFED("text/html", "<meta charset=big5>\xe4\xb8\x8d"), "big5");
    ck_assert_str_eq(SNIFFED("text/html", "\xe4\xb8\x8d"), "utf-8");
    ck_assert_str_eq(SNIFFED("text/html", "plain"), "utf-8");
    ck_assert_str_eq(SNIFFED("text/html", ""), "utf-8");
    ck_assert_str_eq(SNIFFED("text/html", "caf\xe9"), "windows-1252");
}
END_TEST

START_TEST(only_html_and_xml_declare_inside)
{
    ck_assert_str_eq(SNIFFED("", "<meta charset=big5>"), "big5");
    ck_assert_str_eq(SNIFFED("text/plain", "<meta charset=big5>"), "utf-8");
    ck_assert_str_eq(SNIFFED("application/json", "\"<meta charset=big5>\""), "utf-8");
    ck_assert_str_eq(SNIFFED("text/xml", "<?xml version='1.0' encoding='big5'?><a/>"), "big5");
    ck_assert_str_eq(SNIFFED("application/rss+xml", "<a><meta charset=big5></a>"), "utf-8");
}
END_TEST

/* One sentence each: the page does not exist. */
START_TEST(scripts_other_than_latin_are_told_by_their_bytes)
{
    ck_assert_str_eq(SNIFFED("", "<p>\xc4\xfa\xb7\xc3\xce\xca\xb5\xc4\xd2\xb3\xc3\xe6\xb2\xbb\xb4"
                                 "\xe6\xd4\xda</p>"),
                     "gb18030");
    ck_assert_str_eq(SNIFFED("",
                             "<p>\xa4\xaa\xc3\xb5\xa4\xb7\xa4\xce\xa5\xda\xa1\xbc\xa5\xb8\xa4"
                             "\xcf\xb8\xab\xa4\xc4\xa4\xab\xa4\xea\xa4\xde\xa4\xbb\xa4\xf3</p>"),
                     "euc-jp");
    ck_assert_str_eq(SNIFFED("", "<p>\x82\xa8\x92T\x82\xb5\x82\xcc\x83y\x81[\x83W\x82\xcd\x8c\xa9"
                                 "\x82\xc2\x82\xa9\x82\xe8\x82\xdc\x82\xb9\x82\xf1</p>"),
                     "shift_jis");
    ck_assert_str_eq(SNIFFED("", "<p>\xd1\xf2\xf0\xe0\xed\xe8\xf6\xe0 \xed\xe5 \xed\xe0\xe9\xe4\xe5"
                                 "\xed\xe0</p>"),
                     "windows-1251");
    ck_assert_str_eq(SNIFFED("", "<h1>\xd2\xb3\xc3\xe6\xb2\xbb\xb4\xe6\xd4\xda</h1>"), "gb18030");
    ck_assert_str_eq(SNIFFED("", "<h1>\xb2\xbb\xb4\xe6\xd4\xda"), "gb18030");
    ck_assert_str_eq(SNIFFED("", "<p>La p\xe1gina solicitada no existe</p>"), "windows-1252");
    ck_assert_str_eq(SNIFFED("", "<p>fianc\xe9</p>"), "windows-1252");
}
END_TEST

START_TEST(a_guess_waits_for_enough_bytes_that_tell)
{
    static char page[2 * SNIFF_GUESS_BYTES];
    memset(page, 'x', sizeof page);
    ck_assert_int_eq(sniff_guess(page, sizeof page, false), CHARSET_NONE);
    ck_assert_int_eq(sniff_guess(page, sizeof page, true), CHARSET_UTF_8);
    memcpy(page + 100, "\xe4\xb8\x8d", 3);
    ck_assert_int_eq(sniff_guess(page, 100 + SNIFF_GUESS_BYTES - 1, false), CHARSET_NONE);
    ck_assert_int_eq(sniff_guess(page, 100 + SNIFF_GUESS_BYTES, false), CHARSET_UTF_8);
    ck_assert_int_eq(sniff_guess(page, 103, true), CHARSET_UTF_8);
    page[100 + SNIFF_GUESS_BYTES - 1] = '\xe4';
    ck_assert_int_eq(sniff_guess(page, 100 + SNIFF_GUESS_BYTES, false), CHARSET_UTF_8);
    ck_assert_int_ne(sniff_guess(page, 100 + SNIFF_GUESS_BYTES, true), CHARSET_UTF_8);
    ck_assert_int_eq(sniff_guess("caf\xc3", 4, true), CHARSET_WINDOWS_1252);
}
END_TEST

/* ---- the prescan ---- */

static const struct {
    const char *page, *charset;
} pages[] = {
    {"<meta charset=gbk>", "gbk"},
    {"<META\nCHARSET\t=\f'GBK'/>", "gbk"},
    {"<meta/charset=\"gbk\"/>", "gbk"},
    {"<meta charset=gbk", ""},
    {"<meta charset=\"gbk>", ""},
    {"<metax charset=gbk>", ""},
    {"<meta charset=none><meta charset=gbk>", "gbk"},
    {"<meta charset=big5 charset=gbk>", "big5"},
    {"<meta charset=utf-16le>", "utf-8"},
    {"<meta charset=x-user-defined>", "windows-1252"},
    {"<meta http-equiv=Content-Type content='text/html; charset=gbk'>", "gbk"},
    {"<meta content='text/html;charset = \"gbk\"' http-equiv=\"content-type\">", "gbk"},
    {"<meta http-equiv=content-type content='charset charset=gbk;'>", "gbk"},
    {"<meta http-equiv=content-type content='charset=\"gbk'>", ""},
    {"<meta http-equiv=content-type content='charset'>", ""},
    {"<meta content='text/html; charset=gbk'>", ""},
    {"<meta http-equiv=refresh content='0; charset=gbk'>", ""},
    {"<meta name=x content='charset=big5' charset=gbk>", "gbk"},
    {"<meta charset=gbk http-equiv=content-type content='charset=big5'>", "gbk"},
    {"<!-- <meta charset=big5> --><meta charset=gbk>", "gbk"},
    {"<!--><meta charset=gbk>", "gbk"},
    {"<!-- <meta charset=gbk>", ""},
    {"<!DOCTYPE <meta charset=big5><meta charset=gbk>", "gbk"},
    {"<?php <meta charset=big5> ?><meta charset=gbk>", "gbk"},
    {"</ <meta charset=big5><meta charset=gbk>", "gbk"},
    {"<a title='<meta charset=big5>'><meta charset=gbk>", "gbk"},
    {"</a title='<meta charset=big5>'><meta charset=gbk>", "gbk"},
    {"<title>x</title><script>if (a<b) ;</script><meta charset=gbk>", "gbk"},
    {"<a <meta charset=big5><meta charset=gbk>", "gbk"},
    {"<<meta charset=gbk>", "gbk"},
    {"<", ""},
    {"<!", ""},
    {"</", ""},
    {"<!--", ""},
    {"<meta ", ""},
    {"<?xml version=\"1.0\" encoding=\"gbk\"?>", "gbk"},
    {"<?xml version='1.0' encoding \n=\t'gbk'?><meta charset=big5>", "big5"},
    {"<?xml encoding='utf-16'?>", "utf-8"},
    {"<?xml encoding='g bk'?>", ""},
    {"<?xml encoding=gbk?>", ""},
    {"<?xml encoding='gbk'", ""},
    {"<?xml encoding='gbk?>", ""},
    {"<?xml encoding", ""},
    {" <?xml encoding='gbk'?>", ""},
};

START_TEST(pages_declare_their_charset_as_browsers_read_it)
{
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        const char *page = pages[i].page;
        const char *got = charset_name(prescan_html(page, strlen(page)));
        ck_assert_msg(!strcmp(got, pages[i].charset), "%s: %s", page, got);
    }
    ck_assert_int_eq(prescan_html("<\0?\0x\0", 6), CHARSET_UTF_16LE);
    ck_assert_int_eq(prescan_html("\0<\0?\0x", 6), CHARSET_UTF_16BE);
}
END_TEST

START_TEST(a_page_cut_anywhere_is_read_within_its_bounds)
{
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        for (size_t n = 0; n <= strlen(pages[i].page); n++) {
            char *copy = strndup(pages[i].page, n);
            copy = realloc(copy, n ? n : 1);
            prescan_html(copy, n);
            free(copy);
        }
}
END_TEST

START_TEST(a_declaration_counts_within_the_first_1024_bytes)
{
    static const char meta[] = "<meta charset=gbk>";
    for (size_t at = PRESCAN_BYTES - sizeof meta - 2; at < PRESCAN_BYTES + 2; at++) {
        struct buf b = {0};
        memset(buf_reserve(&b, at), ' ', at);
        buf_grew(&b, at);
        buf_adds(&b, meta);
        bool within = at + sizeof meta - 1 <= PRESCAN_BYTES;
        ck_assert_int_eq(prescan_html(buf_data(&b), buf_len(&b)),
                         within ? CHARSET_GBK : CHARSET_NONE);
        buf_done(&b);
    }
}
END_TEST

UNIT_TESTS("sniff", the_order_is_mark_header_declaration_bytes, only_html_and_xml_declare_inside,
           scripts_other_than_latin_are_told_by_their_bytes,
           a_guess_waits_for_enough_bytes_that_tell,
           pages_declare_their_charset_as_browsers_read_it,
           a_page_cut_anywhere_is_read_within_its_bounds,
           a_declaration_counts_within_the_first_1024_bytes)
