/* SPDX-License-Identifier: MIT */
#include "daemon/parse/charset.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name, *iconv, *labels;
    enum charset_kind kind;
} rows[CHARSET_COUNT] = {
    [CHARSET_NONE] = {"", "", "", CHARSET_KIND_REPLACEMENT},
#define CHARSET(symbol, name, kind, iconv, labels)                                                 \
    [CHARSET_##symbol] = {name, iconv, labels, CHARSET_KIND_##kind},
#include "daemon/parse/charset.def"
#undef CHARSET
};

const char *charset_name(enum charset c)
{
    return rows[c].name;
}

enum charset_kind charset_kind(enum charset c)
{
    return rows[c].kind;
}

const char *charset_iconv(enum charset c)
{
    return rows[c].iconv;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static bool has_label(const char *labels, const char *label, size_t n)
{
    for (const char *p = labels; *p; p += *p == ' ') {
        size_t len = strcspn(p, " ");
        if (len == n && !strncasecmp(p, label, n))
            return true;
        p += len;
    }
    return false;
}

enum charset charset_find(const char *label, size_t n)
{
    for (; n && is_space(*label); n--)
        label++;
    while (n && is_space(label[n - 1]))
        n--;
    if (!n || memchr(label, '\0', n))
        return CHARSET_NONE;
    for (int c = CHARSET_NONE + 1; c < CHARSET_COUNT; c++)
        if (has_label(rows[c].labels, label, n))
            return (enum charset)c;
    return CHARSET_NONE;
}
