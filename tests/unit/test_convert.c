/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "daemon/parse/convert.h"
#include "common/utf8.h"
#include "tests/unit/unit.h"

#define FFFD "\xef\xbf\xbd"

struct text {
    enum charset charset;
    const char *bytes;
    size_t n;
    const char *utf8;
};

#define TEXT(charset, bytes, utf8)                                                                 \
    {                                                                                              \
        CHARSET_##charset, bytes, sizeof(bytes) - 1, utf8                                          \
    }

static const struct text texts[] = {
    TEXT(UTF_8, "a\xe4\xb8\x8d\xf0\xa0\x80\x80z", "a\xe4\xb8\x8d\xf0\xa0\x80\x80z"),
    TEXT(GBK, "<p>\xd2\xb3\xc3\xe6\xb2\xbb\xb4\xe6\xd4\xda</p>", "<p>页面不存在</p>"),
    TEXT(GB18030, "\xb2\xbb\xb4\xe6\xd4\xda\x95\x32\x82\x36!", "不存在𠀀!"),
    TEXT(BIG5, "\xba\xf4\xad\xb6\xa4\xa3\xa6\x73\xa6\x62\\", "網頁不存在\\"),
    TEXT(BIG5, "\x88\x62\x88\x64.", "\xc3\x8a\xcc\x84\xc3\x8a\xcc\x8c."),
    TEXT(EUC_JP, "\xc2\xb8\xba\xdf\xa4\xb7\xa4\xde\xa4\xbb\xa4\xf3~", "存在しません~"),
    TEXT(SHIFT_JIS, "\x95\x5c\x8e\xa6\x83\x5c\\\xb1", "表示ソ\\ｱ"),
    TEXT(EUC_KR, "\xbe\xf8\xb4\xc2 \xc2\xca", "없는 쪽"),
    TEXT(ISO_2022_JP, "a\x1b$B\x42\x38\x3a\x5f\x1b(Bx", "a存在x"),
    TEXT(UTF_16LE, "\x0d\x4e\x40\xd8\x00\xdcx\0", "不𠀀x"),
    TEXT(UTF_16BE, "\x4e\x0d\xd8\x40\xdc\x00\0x", "不𠀀x"),
    TEXT(WINDOWS_1252, "caf\xe9 \x80 \x81", "café € \xc2\x81"),
    TEXT(WINDOWS_1251, "\xd1\xf2\xf0", "Стр"),
    TEXT(KOI8_R, "\xf3\xd4\xd2", "Стр"),
    TEXT(IBM866, "\x91\xe2\xe0", "Стр"),
    TEXT(X_MAC_CYRILLIC, "\x91\xf2\xf0", "Стр"),
    TEXT(WINDOWS_874, "\xe4\xc1\xe8", "ไม่"),
    TEXT(ISO_8859_2, "\xb1\xb3", "ął"),
    TEXT(ISO_8859_8_I, "\xf9\xa1", "ש" FFFD),
    TEXT(WINDOWS_1255, "\xf9\xec\xe5\xed", "שלום"),
    TEXT(WINDOWS_1258, "Vi\xea\xf2t", "Viê\xcc\xa3t"),
    TEXT(MACINTOSH, "\x8e", "é"),
    TEXT(X_USER_DEFINED, "a\x80\xff", "a\xef\x9e\x80\xef\x9f\xbf"),
    TEXT(REPLACEMENT, "~{<:Ky2;~}", FFFD),
    TEXT(REPLACEMENT, "", ""),
    /* what is no character */
    TEXT(UTF_8, "a\xff\xc0\x80\xe4\xb8z\xed\xa0\x80", "a" FFFD FFFD FFFD FFFD "z" FFFD FFFD FFFD),
    TEXT(UTF_8, "\xf0\xa0\x80", FFFD),
    TEXT(UTF_8, "\xf0\x80\x80\x80", FFFD FFFD FFFD FFFD),
    TEXT(GBK, "\xff<b>\xb2", FFFD "<b>" FFFD),
    TEXT(GBK, "\xb2<b>", FFFD "<b>"),
    TEXT(SHIFT_JIS, "\x81<b>", FFFD "<b>"),
    TEXT(EUC_JP, "\xa4\x20\x8f", FFFD " " FFFD),
    TEXT(UTF_16LE, "\x00\xd8x\0y", FFFD "x" FFFD),
    TEXT(ISO_2022_JP, "\x80z", FFFD "z"),
};

/* Cut at a and b, each piece behind what the one before left over. */
static void run_cut(struct convert *c, const struct text *t, size_t a, size_t b, struct buf *out)
{
    const size_t ends[] = {a, b, t->n};
    size_t at = 0;
    convert_begin(c, t->charset);
    for (int i = 0; i < 3; i++) {
        size_t n = ends[i] - at;
        char *copy = xmalloc(n ? n : 1);
        memcpy(copy, t->bytes + at, n);
        size_t used = convert_run(c, copy, n, i == 2, out);
        ck_assert_uint_le(used, n);
        ck_assert_uint_lt(n - used, 4);
        ck_assert(i < 2 || used == n);
        at += used;
        free(copy);
    }
}

START_TEST(every_charset_becomes_utf8_wherever_it_is_cut)
{
    struct convert *c = convert_new();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t a = 0; a <= texts[i].n; a++)
            for (size_t b = a; b <= texts[i].n; b++) {
                struct buf out = {0};
                run_cut(c, &texts[i], a, b, &out);
                ck_assert_msg(!strcmp(buf_str(&out), texts[i].utf8),
                              "%s cut at %zu %zu: %s, not %s", charset_name(texts[i].charset), a, b,
                              buf_str(&out), texts[i].utf8);
                buf_done(&out);
            }
    convert_free(c);
}
END_TEST

START_TEST(a_text_begun_anew_knows_nothing_of_the_last_one)
{
    struct convert *c = convert_new();
    struct buf out = {0};
    convert_begin(c, CHARSET_ISO_2022_JP);
    convert_run(c, "\x1b$B", 3, false, &out);
    convert_begin(c, CHARSET_ISO_2022_JP);
    convert_run(c, "abc", 3, true, &out);
    ck_assert_str_eq(buf_str(&out), "abc");
    convert_begin(c, CHARSET_BIG5);
    convert_run(c, "\x88\x62", 2, false, &out);
    buf_clear(&out);
    convert_begin(c, CHARSET_BIG5);
    convert_run(c, "x", 1, true, &out);
    ck_assert_str_eq(buf_str(&out), "x");
    buf_done(&out);
    convert_free(c);
}
END_TEST

START_TEST(every_charset_gives_utf8_for_any_bytes)
{
    struct convert *c = convert_new();
    uint32_t x = 1;
    for (int charset = CHARSET_NONE + 1; charset < CHARSET_COUNT; charset++)
        for (int round = 0; round < 200; round++) {
            char bytes[200];
            struct buf out = {0};
            for (size_t i = 0; i < sizeof bytes; i++) {
                x = x * 1664525 + 1013904223;
                bytes[i] = (char)(x >> 24);
            }
            convert_begin(c, (enum charset)charset);
            size_t used = convert_run(c, bytes, sizeof bytes, true, &out);
            ck_assert_uint_eq(used, sizeof bytes);
            ck_assert_msg(utf8_valid(buf_data(&out), buf_len(&out), true), "%s",
                          charset_name((enum charset)charset));
            buf_done(&out);
        }
    convert_free(c);
}
END_TEST

START_TEST(long_runs_of_ascii_and_of_characters_come_through)
{
    struct convert *c = convert_new();
    struct buf in = {0}, want = {0}, out = {0};
    for (int i = 0; i < 3000; i++) {
        bool ascii = i / 100 % 2;
        buf_adds(&in, ascii ? "<br/>" : "\xb2\xbb\xb4\xe6\xd4\xda");
        buf_adds(&want, ascii ? "<br/>" : "不存在");
    }
    convert_begin(c, CHARSET_GBK);
    ck_assert_uint_eq(convert_run(c, buf_data(&in), buf_len(&in), true, &out), buf_len(&in));
    ck_assert_str_eq(buf_str(&out), buf_str(&want));
    buf_done(&in);
    buf_done(&want);
    buf_done(&out);
    convert_free(c);
}
END_TEST

UNIT_TESTS("convert", every_charset_becomes_utf8_wherever_it_is_cut,
           a_text_begun_anew_knows_nothing_of_the_last_one, every_charset_gives_utf8_for_any_bytes,
           long_runs_of_ascii_and_of_characters_come_through)
