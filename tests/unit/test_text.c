/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "common/xalloc.h"
#include "daemon/parse/text.h"
#include "tests/coded.h"
#include "tests/unit/unit.h"

#define GBK_PAGE   "<title>404</title><p>\xd2\xb3\xc3\xe6\xb2\xbb\xb4\xe6\xd4\xda</p>"
#define UTF8_PAGE  "<title>404</title><p>页面不存在</p>"
#define PAGE_BYTES (sizeof GBK_PAGE - 1)

static struct text *t;
static struct buf utf8;

struct source {
    const char *codings, *content_type;
    bool cut;
};

static void begin(const struct source *s, size_t wire_bytes)
{
    struct codings codings;
    struct mime mime;
    if (!t)
        t = text_new();
    codings_parse(s->codings, strlen(s->codings), &codings);
    mime_parse(s->content_type, &mime);
    buf_clear(&utf8);
    text_begin(t, &(struct text_source){&codings, &mime, wire_bytes, s->cut});
}

static enum text_verdict feed(const char *p, size_t n, bool last)
{
    char *copy = xmalloc(n ? n : 1);
    struct inflate_span in = {copy, n}, piece;
    enum text_verdict v;
    memcpy(copy, p, n);
    while ((v = text_next(t, &in, last, &piece)) == TEXT_DATA) {
        ck_assert_uint_le(piece.len, 4 * TEXT_PIECE_BYTES);
        buf_add(&utf8, piece.p, piece.len);
    }
    ck_assert(v == TEXT_FAILED || !in.len);
    free(copy);
    return v;
}

static enum text_verdict read_cut(const struct source *s, const char *p, size_t n, size_t cut)
{
    begin(s, n);
    enum text_verdict v = feed(p, cut, false);
    return v == TEXT_FAILED ? v : feed(p + cut, n - cut, true);
}

static void done(void)
{
    text_free(t);
    t = NULL;
    buf_done(&utf8);
}

static void every_cut(const struct source *s, const char *p, size_t n, const char *want,
                      const char *charset)
{
    for (size_t cut = 0; cut <= n; cut++) {
        ck_assert_int_eq(read_cut(s, p, n, cut), TEXT_DONE);
        ck_assert_msg(!strcmp(buf_str(&utf8), want), "cut at %zu: %s", cut, buf_str(&utf8));
        ck_assert_str_eq(text_charset(t), charset);
    }
    begin(s, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(feed(p + i, 1, false), TEXT_MORE);
    ck_assert_int_eq(feed("", 0, true), TEXT_DONE);
    ck_assert_str_eq(buf_str(&utf8), want);
}

START_TEST(a_page_of_any_coding_and_charset_becomes_text_wherever_it_is_cut)
{
    static const char *const names[] = {"gzip", "deflate", "br", "zstd"};
    struct source plain = {"", "text/html; charset=gbk", false};
    every_cut(&plain, GBK_PAGE, PAGE_BYTES, UTF8_PAGE, "gbk");
    for (int c = 0; c < CODING_COUNT; c++) {
        struct source s = {names[c], "text/html; charset=gb18030", false};
        struct buf b = {0};
        coded(&b, (enum coding)c, GBK_PAGE, PAGE_BYTES);
        every_cut(&s, buf_data(&b), buf_len(&b), UTF8_PAGE, "gb18030");
        ck_assert_uint_eq(text_decoded_bytes(t), PAGE_BYTES);
        buf_done(&b);
    }
    done();
}
END_TEST

START_TEST(what_is_not_declared_is_found_out)
{
    struct source s = {"", "text/html", false};
    every_cut(&s, "<meta charset=gb2312>" GBK_PAGE, PAGE_BYTES + 21,
              "<meta charset=gb2312>" UTF8_PAGE, "gbk");
    every_cut(&s, GBK_PAGE, PAGE_BYTES, UTF8_PAGE, "gb18030");
    every_cut(&s, UTF8_PAGE, sizeof UTF8_PAGE - 1, UTF8_PAGE, "utf-8");
    every_cut(&s,
              "\xef\xbb\xbf"
              "a",
              4, "a", "utf-8");
    every_cut(&s, "\xff\xfe\x0d\x4e", 4, "不", "utf-16le");
    every_cut(&s, "", 0, "", "utf-8");
    done();
}
END_TEST

/* The first piece is ASCII; characters come later, and one lies across two pieces. */
START_TEST(what_the_first_piece_leaves_open_a_later_one_tells)
{
    for (size_t before = TEXT_PIECE_BYTES - 60; before < TEXT_PIECE_BYTES + 3; before++) {
        struct source s = {"", "text/html", false};
        struct buf in = {0};
        memset(buf_reserve(&in, before), 'x', before);
        buf_grew(&in, before);
        for (int i = 0; i < 20000; i++)
            buf_add(&in, "\xb2\xbb\xb4\xe6\xd4\xda", 6);
        ck_assert_int_eq(read_cut(&s, buf_data(&in), buf_len(&in), before / 2), TEXT_DONE);
        ck_assert_uint_eq(buf_len(&utf8), before + 20000 * 9);
        for (size_t i = 0; i < 20000; i += 999)
            ck_assert(!memcmp(buf_data(&utf8) + before + i * 9, "不存在", 9));
        ck_assert_str_eq(text_charset(t), "gb18030");
        buf_done(&in);
    }
    done();
}
END_TEST

START_TEST(a_broken_coding_or_a_bomb_fails_and_a_charset_never_does)
{
    struct buf b = {0}, zeros = {0};
    struct source s = {"gzip", "text/html; charset=gbk", false};
    coded(&b, CODING_GZIP, GBK_PAGE, PAGE_BYTES);
    ck_assert_int_eq(read_cut(&s, buf_data(&b), buf_len(&b) - 1, 5), TEXT_FAILED);
    ck_assert_int_eq(text_reason(t), REASON_BAD_ENCODING);
    ck_assert_str_eq(text_why(t), "cut short");
    ck_assert_int_eq(read_cut(&s, GBK_PAGE, PAGE_BYTES, 5), TEXT_FAILED);
    memset(buf_reserve(&zeros, 4 << 20), 0, 4 << 20);
    buf_clear(&b);
    coded(&b, CODING_GZIP, buf_data(&zeros), 4 << 20);
    ck_assert_int_eq(read_cut(&s, buf_data(&b), buf_len(&b), 5), TEXT_FAILED);
    ck_assert_int_eq(text_reason(t), REASON_BOMB);
    s.codings = "gzip, gzip, gzip";
    ck_assert_int_eq(read_cut(&s, "", 0, 0), TEXT_FAILED);
    ck_assert_int_eq(text_reason(t), REASON_BAD_ENCODING);
    s.codings = "";
    ck_assert_int_eq(read_cut(&s, "\xff\xb2", 2, 1), TEXT_DONE);
    ck_assert_str_eq(buf_str(&utf8), "\xef\xbf\xbd\xef\xbf\xbd");
    buf_done(&b);
    buf_done(&zeros);
    done();
}
END_TEST

START_TEST(a_coding_nobody_knows_is_read_as_it_is)
{
    struct source s = {"gzip, utf-8", "text/html; charset=gbk", false};
    every_cut(&s, GBK_PAGE, PAGE_BYTES, UTF8_PAGE, "gbk");
    done();
}
END_TEST

START_TEST(a_body_cut_on_purpose_gives_what_came)
{
    struct buf b = {0};
    struct source s = {"gzip", "text/html; charset=gbk", true};
    coded_deflate(&b, GBK_PAGE, PAGE_BYTES, 15 + 16);
    for (size_t n = 0; n <= buf_len(&b); n++) {
        ck_assert_int_eq(read_cut(&s, buf_data(&b), n, n / 2), TEXT_DONE);
        ck_assert_uint_le(text_decoded_bytes(t), PAGE_BYTES);
    }
    ck_assert_str_eq(buf_str(&utf8), UTF8_PAGE);
    buf_done(&b);
    done();
}
END_TEST

UNIT_TESTS("text", a_page_of_any_coding_and_charset_becomes_text_wherever_it_is_cut,
           what_is_not_declared_is_found_out, what_the_first_piece_leaves_open_a_later_one_tells,
           a_broken_coding_or_a_bomb_fails_and_a_charset_never_does,
           a_coding_nobody_knows_is_read_as_it_is, a_body_cut_on_purpose_gives_what_came)
