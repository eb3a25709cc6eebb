/* SPDX-License-Identifier: MIT */
/* The standard's algorithm byte by byte. Where it says "advance" beyond the end, the scan is over:
 * `at` then stands at `end` and nothing is found any more. */
#include "daemon/parse/prescan.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct scan {
    const char *at, *end;
};

/* One attribute. A value of more bytes is no charset's name, and none of the other two either. */
#define VALUE_BYTES 256

struct attribute {
    char name[16]; /* lower case; a longer one is cut and then none we know */
    char value[VALUE_BYTES];
    size_t name_len, value_len; /* as they would be, uncut */
};

static bool is_space(char c)
{
    return c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' ';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool has(const struct scan *s, const char *text)
{
    size_t n = strlen(text);
    return (size_t)(s->end - s->at) >= n && !memcmp(s->at, text, n);
}

static bool has_word(const struct scan *s, const char *text)
{
    size_t n = strlen(text);
    return (size_t)(s->end - s->at) >= n && !strncasecmp(s->at, text, n);
}

/* To the next of these bytes, at least `skip` ahead; to the end if there is none. */
static void to_any(struct scan *s, size_t skip, const char *bytes)
{
    s->at += skip < (size_t)(s->end - s->at) ? skip : (size_t)(s->end - s->at);
    while (s->at < s->end && (!*s->at || !strchr(bytes, *s->at)))
        s->at++;
}

static void put(char *to, size_t room, size_t *len, char c)
{
    if (*len < room)
        to[*len] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    ++*len;
}

static void put_value(struct attribute *a, char c)
{
    put(a->value, sizeof a->value, &a->value_len, c);
}

static void skip_spaces(struct scan *s)
{
    while (s->at < s->end && is_space(*s->at))
        s->at++;
}

static void get_value(struct scan *s, struct attribute *a)
{
    skip_spaces(s);
    if (s->at < s->end && (*s->at == '"' || *s->at == '\'')) {
        char quote = *s->at++;
        while (s->at < s->end && *s->at != quote)
            put_value(a, *s->at++);
        s->at += s->at < s->end;
        return;
    }
    while (s->at < s->end && !is_space(*s->at) && *s->at != '>')
        put_value(a, *s->at++);
}

/* "Get an attribute"; false: no further one. */
static bool get_attribute(struct scan *s, struct attribute *a)
{
    a->name_len = a->value_len = 0;
    while (s->at < s->end && (is_space(*s->at) || *s->at == '/'))
        s->at++;
    if (s->at == s->end || *s->at == '>')
        return false;
    while (s->at < s->end && !is_space(*s->at) && *s->at != '/' && *s->at != '>' &&
           (*s->at != '=' || !a->name_len))
        put(a->name, sizeof a->name, &a->name_len, *s->at++);
    skip_spaces(s);
    if (s->at < s->end && *s->at == '=') {
        s->at++;
        get_value(s, a);
    }
    return s->at < s->end;
}

static bool name_is(const struct attribute *a, const char *name)
{
    return a->name_len == strlen(name) && !memcmp(a->name, name, a->name_len);
}

/* "Extracting a character encoding from a meta element". */
static enum charset from_content(const struct attribute *a)
{
    struct scan s = {a->value, a->value + a->value_len};
    while (s.at < s.end && !has_word(&s, "charset"))
        s.at++;
    while (s.at < s.end) {
        s.at += 7;
        skip_spaces(&s);
        if (s.at < s.end && *s.at == '=')
            break;
        while (s.at < s.end && !has_word(&s, "charset"))
            s.at++;
    }
    if (s.at >= s.end)
        return CHARSET_NONE;
    s.at++;
    skip_spaces(&s);
    const char *from = s.at;
    if (from < s.end && (*from == '"' || *from == '\'')) {
        const char *quote = memchr(from + 1, *from, (size_t)(s.end - from - 1));
        return quote ? charset_find(from + 1, (size_t)(quote - from - 1)) : CHARSET_NONE;
    }
    to_any(&s, 0, "\t\n\f\r ;");
    return charset_find(from, (size_t)(s.at - from));
}

/* What a page that was read as ASCII so far cannot be in. */
static enum charset as_declared(enum charset c)
{
    if (c == CHARSET_UTF_16BE || c == CHARSET_UTF_16LE)
        return CHARSET_UTF_8;
    return c;
}

/* The attributes of a meta element, the first of each name. */
struct meta {
    enum charset charset;
    bool has_charset, is_pragma; /* charset stands in `charset`; http-equiv is content-type */
    bool seen_equiv, seen_content, seen_charset;
};

static bool first_time(bool *seen)
{
    bool first = !*seen;
    *seen = true;
    return first;
}

static void meta_attribute(struct meta *m, const struct attribute *a)
{
    bool fits = a->value_len <= sizeof a->value;
    if (name_is(a, "http-equiv") && first_time(&m->seen_equiv)) {
        m->is_pragma = a->value_len == 12 && !memcmp(a->value, "content-type", 12);
    } else if (name_is(a, "content") && first_time(&m->seen_content)) {
        enum charset c = fits ? from_content(a) : CHARSET_NONE;
        if (c && !m->has_charset && !m->charset)
            m->charset = c;
    } else if (name_is(a, "charset") && first_time(&m->seen_charset)) {
        m->charset = fits ? charset_find(a->value, a->value_len) : CHARSET_NONE;
        m->has_charset = true;
    }
}

/* `at` stands behind "<meta". */
static enum charset get_meta(struct scan *s)
{
    struct meta m = {0};
    struct attribute a;
    while (get_attribute(s, &a))
        meta_attribute(&m, &a);
    if (s->at == s->end || (!m.has_charset && !m.is_pragma))
        return CHARSET_NONE;
    return m.charset == CHARSET_X_USER_DEFINED ? CHARSET_WINDOWS_1252 : as_declared(m.charset);
}

static void skip_comment(struct scan *s)
{
    const char *end = memmem(s->at + 2, (size_t)(s->end - s->at - 2), "-->", 3);
    s->at = end ? end + 2 : s->end;
}

static void skip_tag(struct scan *s)
{
    struct attribute a;
    to_any(s, 0, "\t\n\f\r >");
    while (get_attribute(s, &a))
        ;
}

/* `at` stands at '<' and is left at the last byte passed over. */
static enum charset get_tag(struct scan *s)
{
    size_t left = (size_t)(s->end - s->at);
    if (has(s, "<!--")) {
        skip_comment(s);
    } else if (has_word(s, "<meta") && left > 5 && (is_space(s->at[5]) || s->at[5] == '/')) {
        s->at += 5;
        return get_meta(s);
    } else if (left > 1 && is_alpha(s->at[s->at[1] == '/' && left > 2 ? 2 : 1])) {
        skip_tag(s);
    } else if (has(s, "<!") || has(s, "</") || has(s, "<?")) {
        to_any(s, 1, ">");
    }
    return CHARSET_NONE;
}

enum charset prescan_html(const char *p, size_t n)
{
    struct scan s = {p, p + (n < PRESCAN_BYTES ? n : PRESCAN_BYTES)};
    if (n >= 6 && !memcmp(p, "<\0?\0x", 6))
        return CHARSET_UTF_16LE;
    if (n >= 6 && !memcmp(p, "\0<\0?\0x", 6))
        return CHARSET_UTF_16BE;
    for (; s.at < s.end; s.at += s.at < s.end) {
        enum charset c = *s.at == '<' ? get_tag(&s) : CHARSET_NONE;
        if (c)
            return c;
    }
    return prescan_xml(p, n);
}

enum charset prescan_xml(const char *p, size_t n)
{
    static const char key[] = "encoding";
    struct scan s = {p, p + (n < PRESCAN_BYTES ? n : PRESCAN_BYTES)};
    if (!has(&s, "<?xml") || !memchr(p, '>', (size_t)(s.end - p)))
        return CHARSET_NONE;
    s.at = memmem(p, (size_t)(s.end - p), key, sizeof key - 1);
    if (!s.at)
        return CHARSET_NONE;
    for (s.at += sizeof key - 1; s.at < s.end && (uint8_t)*s.at <= ' '; s.at++)
        ;
    if (s.at == s.end || *s.at++ != '=')
        return CHARSET_NONE;
    while (s.at < s.end && (uint8_t)*s.at <= ' ')
        s.at++;
    if (s.at == s.end || (*s.at != '"' && *s.at != '\''))
        return CHARSET_NONE;
    const char *from = s.at + 1, *quote = memchr(from, *s.at, (size_t)(s.end - from));
    for (const char *c = from; quote && c < quote; c++)
        if ((uint8_t)*c <= ' ')
            return CHARSET_NONE;
    return quote ? as_declared(charset_find(from, (size_t)(quote - from))) : CHARSET_NONE;
}
