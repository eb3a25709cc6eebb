/* SPDX-License-Identifier: MIT */
#include "common/jsonw.h"

#include <string.h>

size_t jsonw_utf8_sequence(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80)
        return 1;
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || len > n)
        return 0;
    unsigned char low = 0x80, high = 0xbf;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

static void add_control(struct buf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    buf_add(b, text, 6);
}

void jsonw_string(struct buf *b, const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + n;
    buf_addc(b, '"');
    while (p < end) {
        const unsigned char *plain = p;
        while (p < end && *p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
            p++;
        buf_add(b, plain, (size_t)(p - plain));
        if (p == end)
            break;
        if (*p == '"' || *p == '\\') {
            buf_addc(b, '\\');
            buf_addc(b, (char)*p++);
        } else if (*p < 0x20 || *p == 0x7f) {
            add_control(b, *p++);
        } else {
            size_t len = jsonw_utf8_sequence((const char *)p, (size_t)(end - p));
            buf_add(b, len ? (const char *)p : "\xef\xbf\xbd", len ? len : 3);
            p += len ? len : 1;
        }
    }
    buf_addc(b, '"');
}

void jsonw_key(struct buf *b, const char *key)
{
    char last = buf_len(b) ? b->p[b->len - 1] : '{';
    if (last != '{' && last != '[')
        buf_addc(b, ',');
    buf_addc(b, '"');
    buf_adds(b, key);
    buf_add(b, "\":", 2);
}

void jsonw_key_string(struct buf *b, const char *key, const char *s)
{
    jsonw_key(b, key);
    jsonw_string(b, s, strlen(s));
}

void jsonw_key_uint(struct buf *b, const char *key, uint64_t n)
{
    jsonw_key(b, key);
    buf_addu(b, n);
}

void jsonw_key_bool(struct buf *b, const char *key, bool value)
{
    jsonw_key(b, key);
    buf_adds(b, value ? "true" : "false");
}
