/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/url.h"
#include "tests/unit/unit.h"

struct example {
    const char *base, *in;
    const char *href; /* NULL: refused */
    int error;
};

static void check_example(const struct example *e)
{
    struct url base = {0}, u = {0};
    if (e->base)
        ck_assert_int_eq(url_parse(e->base, strlen(e->base), NULL, &base), 0);
    int error = url_parse(e->in, strlen(e->in), e->base ? &base : NULL, &u);
    ck_assert_msg(error == e->error, "%s: %d", e->in, error);
    ck_assert_str_eq(u.href, e->href ? e->href : "");
    ck_assert_uint_eq(u.href_len, strlen(u.href));
    url_done(&u);
    url_done(&base);
}

static void check_examples(const struct example *e, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_example(&e[i]);
}

#define CHECK(examples) check_examples(examples, sizeof examples / sizeof *examples)

static void check_part(const struct url *u, enum url_part part, const char *text)
{
    struct url_slice s = url_part(u, part);
    ck_assert_uint_eq(s.n, strlen(text));
    ck_assert_mem_eq(s.p, text, s.n);
}

static void check_slice(struct url_slice s, const char *text)
{
    ck_assert_uint_eq(s.n, strlen(text));
    ck_assert_mem_eq(s.p, text, s.n);
}

START_TEST(splits_a_url_into_its_parts)
{
    static const char in[] = "HTTPS://Me:pa%3ass@Example.COM:0444/a/./b/../c?q=1&r#top";
    struct url u = {0};
    ck_assert_int_eq(url_parse(in, sizeof in - 1, NULL, &u), 0);
    check_part(&u, URL_PROTOCOL, "https:");
    check_part(&u, URL_USERNAME, "Me");
    check_part(&u, URL_PASSWORD, "pa%3ass");
    check_part(&u, URL_HOSTNAME, "example.com");
    check_part(&u, URL_PORT, "444");
    check_part(&u, URL_PATH, "/a/c");
    check_part(&u, URL_QUERY, "q=1&r");
    check_part(&u, URL_FRAGMENT, "top");
    check_slice(url_host(&u), "example.com:444");
    check_slice(url_target(&u), "/a/c?q=1&r");
    check_slice(url_search(&u), "?q=1&r");
    check_slice(url_hash(&u), "#top");
    ck_assert_uint_eq(u.scheme, URL_HTTPS);
    ck_assert_uint_eq(u.port, 444);
    url_done(&u);
}
END_TEST

START_TEST(absent_parts_are_empty_and_the_port_is_the_schemes)
{
    struct url u = {0};
    ck_assert_int_eq(url_parse("http://a", 8, NULL, &u), 0);
    check_part(&u, URL_USERNAME, "");
    check_part(&u, URL_PORT, "");
    check_part(&u, URL_QUERY, "");
    check_slice(url_host(&u), "a");
    check_slice(url_target(&u), "/");
    check_slice(url_search(&u), "");
    check_slice(url_hash(&u), "");
    ck_assert(!u.has_port && !u.has_query && !u.has_fragment && !u.ip_family);
    ck_assert_uint_eq(u.port, 80);
    ck_assert_int_eq(url_parse("https://a:0/?#", 14, NULL, &u), 0);
    ck_assert(u.has_port && u.has_query && u.has_fragment);
    ck_assert_uint_eq(u.port, 0);
    check_slice(url_target(&u), "/?");
    check_slice(url_search(&u), "");
    url_done(&u);
}
END_TEST

START_TEST(writes_one_form_for_all_spellings)
{
    static const struct example examples[] = {
        {NULL, "HTTP://EXAMPLE.com:80", "http://example.com/"},
        {NULL, "  http:\\\\example.com\\a\\b \n", "http://example.com/a/b"},
        {NULL, "ht\ntp://exa\tmple.com/\r", "http://example.com/"},
        {NULL, "http:example.com", "http://example.com/"},
        {NULL, "http:////example.com//", "http://example.com//"},
        {NULL, "http://e%78ample.com/%7e~", "http://example.com/%7e~"},
        {NULL, "http://:@a/", "http://a/"},
        {NULL, "http://u@v@a/", "http://u%40v@a/"},
        {NULL, "http://a:/", "http://a/"},
        {NULL, "http://a/%2e%2E/./b/%2e", "http://a/b/"},
        {NULL, "http://a/b/../../..", "http://a/"},
        {NULL, "http://a/...", "http://a/..."},
        {NULL, "http://a/caf\xc3\xa9 \"<>`{}'|", "http://a/caf%C3%A9%20%22%3C%3E%60%7B%7D'|"},
        {NULL, "http://a/\xff", "http://a/%FF"},
        {NULL, "http://a/?'\" `{}\xe9", "http://a/?%27%22%20`{}%E9"},
        {NULL, "a:/?'", "a:/?'"},
        {NULL, "http://a/# `{}", "http://a/#%20%60{}"},
        {NULL, "http://a/%zz%", "http://a/%zz%"},
        {NULL, "mailto:A@b  ?x", "mailto:A@b %20?x"},
        {NULL, "a:/.//b", "a:/.//b"},
        {NULL, "a:/x/..//b", "a:/.//b"},
        {NULL, "A+-.1://B%c3\xa9", "a+-.1://B%c3%A9"},
        {NULL, "file:c|/x/../..", "file:///c:/"},
        {NULL, "file://localhost/a", "file:///a"},
    };
    CHECK(examples);
}
END_TEST

START_TEST(reads_every_spelling_of_an_address)
{
    static const struct example examples[] = {
        {NULL, "http://127.1", "http://127.0.0.1/"},
        {NULL, "http://0x7F.0.0x1", "http://127.0.0.1/"},
        {NULL, "http://017700000001.", "http://127.0.0.1/"},
        {NULL, "http://2130706433", "http://127.0.0.1/"},
        {NULL, "http://%31%32%37.1", "http://127.0.0.1/"},
        {NULL, "http://0x", "http://0.0.0.0/"},
        {NULL, "http://4294967295", "http://255.255.255.255/"},
        {NULL, "http://1.2.3.4.example", "http://1.2.3.4.example/"},
        {NULL, "http://0xg", "http://0xg/"},
        {NULL, "a://127.1", "a://127.1"},
        {NULL, "http://4294967296", NULL, URL_E_IPV4},
        {NULL, "http://99999999999999999999999999999", NULL, URL_E_IPV4},
        {NULL, "http://256.1.1.1", NULL, URL_E_IPV4},
        {NULL, "http://1.2.3.256", NULL, URL_E_IPV4},
        {NULL, "http://1.2.3.4.5", NULL, URL_E_IPV4},
        {NULL, "http://1.2.3.4.0", NULL, URL_E_IPV4},
        {NULL, "http://1..2", NULL, URL_E_IPV4},
        {NULL, "http://08", NULL, URL_E_IPV4},
        {NULL, "http://a.09", NULL, URL_E_IPV4},
        {NULL, "http://[1:0:0:2:0:0:0:3]", "http://[1:0:0:2::3]/"},
        {NULL, "http://[0:0:0:0:0:0:0:0]", "http://[::]/"},
        {NULL, "http://[1:0:3:4:5:6:7:8]", "http://[1:0:3:4:5:6:7:8]/"},
        {NULL, "http://[::FFFF:1.2.3.4]:81", "http://[::ffff:102:304]:81/"},
        {NULL, "http://[1::]", "http://[1::]/"},
        {NULL, "a://[::1]", "a://[::1]"},
        {NULL, "http://[::1", NULL, URL_E_IPV6},
        {NULL, "http://[]", NULL, URL_E_IPV6},
        {NULL, "http://[:1]", NULL, URL_E_IPV6},
        {NULL, "http://[1:]", NULL, URL_E_IPV6},
        {NULL, "http://[1::2::3]", NULL, URL_E_IPV6},
        {NULL, "http://[1:2:3:4:5:6:7]", NULL, URL_E_IPV6},
        {NULL, "http://[1:2:3:4:5:6:7:8:9]", NULL, URL_E_IPV6},
        {NULL, "http://[1:2:3:4:5:6:7::8]", NULL, URL_E_IPV6},
        {NULL, "http://[12345::]", NULL, URL_E_IPV6},
        {NULL, "http://[::1.2.3]", NULL, URL_E_IPV6},
        {NULL, "http://[::1.2.3.04]", NULL, URL_E_IPV6},
        {NULL, "http://[::1.2.3.256]", NULL, URL_E_IPV6},
        {NULL, "http://[1:2:3:4:5:6:7:1.2.3.4]", NULL, URL_E_IPV6},
        {NULL, "http://[fe80::1%25eth0]", NULL, URL_E_IPV6},
        {NULL, "http://[::1]x", NULL, URL_E_IPV6},
    };
    CHECK(examples);
}
END_TEST

START_TEST(hands_out_the_bytes_of_an_address)
{
    static const uint8_t four[] = {192, 0, 2, 255}, six[16] = {0x20, 1, 0xd, 0xb8, [15] = 9};
    struct url u = {0};
    ck_assert_int_eq(url_parse("http://192.0.767", 16, NULL, &u), 0);
    ck_assert_uint_eq(u.ip_family, 4);
    ck_assert_mem_eq(u.ip, four, 4);
    ck_assert_int_eq(url_parse("http://[2001:db8::9]", 20, NULL, &u), 0);
    ck_assert_uint_eq(u.ip_family, 6);
    ck_assert_mem_eq(u.ip, six, 16);
    struct url v = {0};
    ck_assert_int_eq(url_parse("/x", 2, &u, &v), 0);
    ck_assert_uint_eq(v.ip_family, 6);
    ck_assert_mem_eq(v.ip, six, 16);
    ck_assert_int_eq(url_parse("//name", 6, &u, &v), 0);
    ck_assert_uint_eq(v.ip_family, 0);
    url_done(&u);
    url_done(&v);
}
END_TEST

START_TEST(resolves_references_against_a_base)
{
    static const char base[] = "http://u:p@h:81/a/b;c/d?q#f";
    static const struct example examples[] = {
        {base, "", "http://u:p@h:81/a/b;c/d?q"},
        {base, "#x", "http://u:p@h:81/a/b;c/d?q#x"},
        {base, "?x", "http://u:p@h:81/a/b;c/d?x"},
        {base, "e", "http://u:p@h:81/a/b;c/e"},
        {base, "./", "http://u:p@h:81/a/b;c/"},
        {base, "..", "http://u:p@h:81/a/"},
        {base, "../../../e?y#z", "http://u:p@h:81/e?y#z"},
        {base, "/e", "http://u:p@h:81/e"},
        {base, "\\e", "http://u:p@h:81/e"},
        {base, "//e", "http://e/"},
        {base, "/\\/e:80/f", "http://e/f"},
        {base, "http:e", "http://u:p@h:81/a/b;c/e"},
        {base, "http:/e", "http://u:p@h:81/e"},
        {base, "https:e", "https://e/"},
        {base, "https:///e", "https://e/"},
        {base, "mailto:e", "mailto:e"},
        {base, ":e", "http://u:p@h:81/a/b;c/:e"},
        {base, "//", NULL, URL_E_NO_HOST},
        {"http://h/a//b", "..", "http://h/a/"},
        {"a:b", "#c", "a:b#c"},
        {"a:b", "c", NULL, URL_E_OPAQUE_BASE},
        {"a:b", "", NULL, URL_E_OPAQUE_BASE},
        {"a:/b", "..//c", "a:/.//c"},
        {"a:/.//c", "d", "a:/.//d"},
        {"a:/.//c", "../d", "a:/d"},
        {"a://h", "x", "a://h/x"},
        {"a://h/y", "//i", "a://i"},
        {"a://h/y", "///i", "a:///i"},
        {"file:///C:/a/b", "..", "file:///C:/"},
        {"file:///C:/a/b", "/x", "file:///C:/x"},
        {"file:///C:/a/b", "/D:/x", "file:///D:/x"},
        {"file:///C:/a/b", "D|/x", "file:///D:/x"},
        {"file://h/a", "b", "file://h/b"},
    };
    CHECK(examples);
}
END_TEST

START_TEST(names_of_any_script_become_ascii)
{
    static const struct example examples[] = {
        {NULL,
         "http://b\xc3\xbc"
         "cher.example/",
         "http://xn--bcher-kva.example/", 0},
        {NULL,
         "http://B\xc3\x9c"
         "CHER.Example/",
         "http://xn--bcher-kva.example/", 0},
        {NULL,
         "http://bu\xcc\x88"
         "cher.example/",
         "http://xn--bcher-kva.example/", 0},
        {NULL, "http://b%C3%BCcher.example/", "http://xn--bcher-kva.example/", 0},
        {NULL, "http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/", 0},
        {NULL, "http://\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88/",
         "http://xn--r8jz45g.xn--zckzah/", 0},
        {NULL, "http://fa\xc3\x9f.de/", "http://xn--fa-hia.de/", 0},
        {NULL, "http://\xd7\x90\xd7\x91.example/", "http://xn--4dbc.example/", 0},
        {NULL,
         "http://a\xe3\x80\x82"
         "b/",
         "http://a.b/", 0},
        {NULL,
         "http://a\xc2\xad"
         "b/",
         "http://ab/", 0},
        {NULL, "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.1/", "http://127.0.0.1/", 0},
        {NULL, "http://-\xc3\xa9-..x/", "http://xn-----bja..x/", 0},
        {NULL, "http://xn--board-ngr.example/", "http://xn--board-ngr.example/", 0},
        {NULL, "file://\xc3\xa9/", "file://xn--9ca/", 0},
        {NULL, "a://\xc3\xa9/", "a://%C3%A9/", 0},
        {NULL,
         "http://\xd7\x90"
         "1a/",
         NULL, URL_E_HOST_IDNA}, /* direction */
        {NULL,
         "http://a\xe2\x80\x8d"
         "b/",
         NULL, URL_E_HOST_IDNA},                               /* joiner */
        {NULL, "http://\xef\xbf\xbd/", NULL, URL_E_HOST_IDNA}, /* disallowed */
        {NULL, "http://\xcc\x88/", NULL, URL_E_HOST_IDNA},     /* mark in front */
        {NULL, "http://\xc3\xa9.xn--a/", NULL, URL_E_HOST_IDNA},
        {NULL, "http://\xc2\xad/", NULL, URL_E_NO_HOST},
        {NULL, "http://\xef\xbc\x8f/", NULL, URL_E_HOST_CHARACTER}, /* a wide slash */
        {NULL,
         "http://\xef\xbc\x85"
         "41/",
         NULL, URL_E_HOST_CHARACTER},
    };
    CHECK(examples);
}
END_TEST

/* A square of six katakana becomes a label of sixteen letters. */
START_TEST(a_name_that_dns_cannot_carry_is_bounded)
{
    struct url u = {0};
    char in[4000] = "http://";
    for (int i = 0; i < 12; i++)
        strcat(in, "\xe3\x8c\x96.");
    ck_assert_int_eq(url_parse(in, strlen(in), NULL, &u), 0);
    ck_assert_uint_eq(url_hostname(&u).n, 12 * 17);
    for (int i = 12; i < 700; i++)
        strcat(in, "\xe3\x8c\x96.");
    ck_assert_int_eq(url_parse(in, strlen(in), NULL, &u), URL_E_TOO_LONG);
    ck_assert_int_eq(url_parse(in, 7 + 4 * 500, NULL, &u), URL_E_TOO_LONG);
    url_done(&u);
}
END_TEST

START_TEST(refuses_with_a_reason)
{
    static const struct example examples[] = {
        {NULL, "", NULL, URL_E_RELATIVE},
        {NULL, "example.com", NULL, URL_E_RELATIVE},
        {NULL, "1http://a", NULL, URL_E_RELATIVE},
        {NULL, "http:", NULL, URL_E_NO_HOST},
        {NULL, "http:///", NULL, URL_E_NO_HOST},
        {NULL, "http://?a", NULL, URL_E_NO_HOST},
        {NULL, "http://u@/", NULL, URL_E_NO_HOST},
        {NULL, "http://:80/", NULL, URL_E_NO_HOST},
        {NULL, "a://:80", NULL, URL_E_NO_HOST},
        {NULL, "a://u@", NULL, URL_E_NO_HOST},
        {NULL, "http://a b", NULL, URL_E_HOST_CHARACTER},
        {NULL, "http://a%20b", NULL, URL_E_HOST_CHARACTER},
        {NULL, "http://a%00b", NULL, URL_E_HOST_CHARACTER},
        {NULL, "http://a%b", NULL, URL_E_HOST_CHARACTER},
        {NULL, "http://a%2525b", NULL, URL_E_HOST_CHARACTER},
        {NULL, "a://b^", NULL, URL_E_HOST_CHARACTER},
        {NULL, "file://a:1/", NULL, URL_E_HOST_CHARACTER},
        {NULL, "http://caf\xc3", NULL, URL_E_HOST_IDNA},
        {NULL, "http://caf%c3", NULL, URL_E_HOST_IDNA},
        {NULL, "http://a:65536", NULL, URL_E_PORT},
        {NULL, "http://a:99999999999999999999", NULL, URL_E_PORT},
        {NULL, "http://a:8o", NULL, URL_E_PORT},
        {NULL, "http://a:-1", NULL, URL_E_PORT},
    };
    CHECK(examples);
    ck_assert_str_eq(url_strerror(URL_E_NO_HOST), "no host");
    ck_assert_str_eq(url_strerror(URL_E_TOO_LONG), "longer than the parser takes");
    ck_assert_str_eq(url_strerror(-1), "not a URL");
}
END_TEST

START_TEST(key_of_the_seen_set_has_no_fragment_and_is_http)
{
    struct url u = {0};
    struct url_slice key;
    ck_assert_int_eq(url_parse("Http://A:80/b?c#d", 17, NULL, &u), 0);
    ck_assert_int_eq(url_canon(&u, &key), 0);
    check_slice(key, "http://a/b?c");
    ck_assert_int_eq(url_parse("https://a?#", 11, NULL, &u), 0);
    ck_assert_int_eq(url_canon(&u, &key), 0);
    check_slice(key, "https://a/?");
    ck_assert_int_eq(url_parse("ftp://a/", 8, NULL, &u), 0);
    ck_assert_int_eq(url_canon(&u, &key), URL_E_SCHEME);
    url_done(&u);
}
END_TEST

static void check_same(const char *in, size_t n, const struct url *base, struct url *u)
{
    char *copy = malloc(n ? n : 1); /* exact, so that reading past the end is found out */
    struct url again = {0};
    memcpy(copy, in, n);
    if (url_parse(copy, n, base, u) == 0) {
        ck_assert_uint_eq(strlen(u->href), u->href_len);
        int error = url_parse(u->href, u->href_len, NULL, &again);
        ck_assert_int_eq(error, u->href_len > URL_MAX_INPUT ? URL_E_TOO_LONG : 0);
        ck_assert_str_eq(again.href, error ? "" : u->href);
        if (!error)
            ck_assert_mem_eq(again.len, u->len, sizeof u->len);
    } else {
        ck_assert_uint_eq(u->href_len, 0);
    }
    url_done(&again);
    free(copy);
}

START_TEST(every_truncation_is_refused_or_parses_to_itself)
{
    static const char *const samples[] = {
        "http://user:p%40ss@www.Example.com:8080/a/%2e%2e/b/./c?d=\"e\"#f`",
        "\thttps:\\\\0x7f.1:443\\..\\x\n?y\r#z ",
        "http://[1:2::ffff:255.255.255.255]:65535/?",
        "file://C|/a/../D:/..//x",
        "non-special://h%00\xff:1/.//..//b/%",
        "web+x:/..//a/./..//b",
        "mailto:a b ?c#\xc3\xa9",
        "../../.%2E/a/./b?c#d",
        "//u:@[::1]:/%zz",
    };
    static const char *const bases[] = {NULL, "http://h/a/b/c?d#e", "file:///C:/a/b", "a:/.//b/c",
                                        "m:opaque#f"};
    struct url base = {0}, u = {0};
    for (size_t b = 0; b < sizeof bases / sizeof *bases; b++) {
        if (bases[b])
            ck_assert_int_eq(url_parse(bases[b], strlen(bases[b]), NULL, &base), 0);
        for (size_t s = 0; s < sizeof samples / sizeof *samples; s++)
            for (size_t n = 0; n <= strlen(samples[s]); n++)
                check_same(samples[s], n, bases[b] ? &base : NULL, &u);
    }
    url_done(&u);
    url_done(&base);
}
END_TEST

START_TEST(every_byte_anywhere_is_refused_or_parses_to_itself)
{
    static const char sample[] = "http://u:p@h.example:8080/a/b?c=d#e";
    char text[sizeof sample];
    struct url u = {0};
    for (size_t at = 0; at < sizeof sample - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(text, sample, sizeof sample);
            text[at] = (char)byte;
            check_same(text, sizeof sample - 1, NULL, &u);
        }
    }
    url_done(&u);
}
END_TEST

START_TEST(a_nul_is_encoded_in_a_path_and_refused_in_a_host)
{
    struct url u = {0};
    ck_assert_int_eq(url_parse("http://a/\0b", 11, NULL, &u), 0);
    ck_assert_str_eq(u.href, "http://a/%00b");
    ck_assert_int_eq(url_parse("http://a\0b/", 11, NULL, &u), URL_E_HOST_CHARACTER);
    ck_assert_int_eq(url_parse("\0", 1, NULL, &u), URL_E_RELATIVE);
    url_done(&u);
}
END_TEST

START_TEST(takes_a_mebibyte_of_anything_and_no_byte_more)
{
    static const char *const starts[] = {
        "http://",  "http://h/", "http://u:",  "http://h:", "x:", "x://",
        "http://[", "file:",     "http://h/?", "#",         ""};
    static const char *const fills[] = {"\xff", "a",  "/", "/..", "/a/..", "@",    ":",  "1", ".",
                                        "%",    "\t", " ", "0.",  "[",     "%2e/", "\\", "|"};
    size_t n = URL_MAX_INPUT;
    char *in = malloc(n + 1);
    struct url base = {0}, u = {0};
    ck_assert_int_eq(url_parse("http://h/a", 10, NULL, &base), 0);
    for (size_t s = 0; s < sizeof starts / sizeof *starts; s++) {
        for (size_t f = 0; f < sizeof fills / sizeof *fills; f++) {
            size_t at = strlen(starts[s]), step = strlen(fills[f]);
            memcpy(in, starts[s], at);
            for (; at < n; at++)
                in[at] = fills[f][at % step];
            check_same(in, n, &base, &u);
        }
    }
    ck_assert_int_eq(url_parse(in, n + 1, NULL, &u), URL_E_TOO_LONG);
    ck_assert_int_eq(url_parse(in, SIZE_MAX, &base, &u), URL_E_TOO_LONG);
    url_done(&u);
    url_done(&base);
    free(in);
}
END_TEST

START_TEST(a_base_that_grew_too_long_is_refused)
{
    struct url base = {.href = NULL, .href_len = URL_MAX_BASE + 1}, u = {0};
    ck_assert_int_eq(url_parse("a", 1, &base, &u), URL_E_TOO_LONG);
    url_done(&u);
}
END_TEST

START_TEST(a_used_struct_keeps_its_memory_and_nothing_else)
{
    struct url u = {0};
    ck_assert_int_eq(url_parse("https://u:p@[::1]:1/b?c#d", 25, NULL, &u), 0);
    const char *memory = u.href;
    ck_assert_int_eq(url_parse("m:x", 3, NULL, &u), 0);
    ck_assert_ptr_eq(u.href, memory);
    ck_assert_str_eq(u.href, "m:x");
    ck_assert(!u.has_host && !u.has_port && !u.has_query && !u.has_fragment && !u.ip_family);
    ck_assert(u.opaque_path && !u.port);
    ck_assert_int_eq(url_parse("::", 2, NULL, &u), URL_E_RELATIVE);
    ck_assert_ptr_eq(u.href, memory);
    ck_assert_str_eq(u.href, "");
    url_done(&u);
    ck_assert_ptr_null(u.href);
    url_done(&u);
}
END_TEST

UNIT_TESTS("url", splits_a_url_into_its_parts, absent_parts_are_empty_and_the_port_is_the_schemes,
           writes_one_form_for_all_spellings, reads_every_spelling_of_an_address,
           hands_out_the_bytes_of_an_address, resolves_references_against_a_base,
           names_of_any_script_become_ascii, a_name_that_dns_cannot_carry_is_bounded,
           refuses_with_a_reason, key_of_the_seen_set_has_no_fragment_and_is_http,
           every_truncation_is_refused_or_parses_to_itself,
           every_byte_anywhere_is_refused_or_parses_to_itself,
           a_nul_is_encoded_in_a_path_and_refused_in_a_host,
           takes_a_mebibyte_of_anything_and_no_byte_more, a_base_that_grew_too_long_is_refused,
           a_used_struct_keeps_its_memory_and_nothing_else)
