/* SPDX-License-Identifier: MIT */
#include "common/jsonw.h"

#include <string.h>

#include "common/utf8.h"

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
            int len = utf8_sequence((const char *)p, (size_t)(end - p));
            if (len > 0)
                buf_add(b, p, (size_t)len);
            else
                buf_adds(b, UTF8_UNKNOWN);
            p += len > 0 ? len : 1;
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
