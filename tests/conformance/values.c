/* SPDX-License-Identifier: MIT */
/* Arguments out of requests and values into answers. */
#include "tests/conformance/adapter.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

json_t *answer_error(const char *why)
{
    return json_pack("{s:s}", "error", why);
}

bool arg_text(const json_t *request, const char *key, const char **ret_text, size_t *ret_len)
{
    const json_t *v = json_object_get(request, key);
    if (!json_is_string(v))
        return false;
    *ret_text = json_string_value(v);
    *ret_len = json_string_length(v);
    return true;
}

bool arg_base64(const json_t *request, const char *key, struct buf *out)
{
    const char *s;
    size_t n;
    if (!arg_text(request, key, &s, &n) || n % 4)
        return false;
    size_t padding = n && s[n - 1] == '=' ? (s[n - 2] == '=' ? 2 : 1) : 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < n - padding; i++) {
        const char *d = s[i] ? strchr(digits, s[i]) : NULL;
        if (!d)
            return false;
        bits = bits << 6 | (uint32_t)(d - digits);
        if (i % 4)
            buf_addc(out, (char)(bits >> (6 - 2 * (i % 4))));
    }
    return true;
}

json_t *json_base64(const void *p, size_t n)
{
    const uint8_t *b = p;
    struct buf text = {0};
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = (uint32_t)b[i] << 16;
        bits |= i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0;
        bits |= i + 2 < n ? b[i + 2] : 0;
        buf_addc(&text, digits[bits >> 18]);
        buf_addc(&text, digits[bits >> 12 & 63]);
        buf_addc(&text, i + 1 < n ? digits[bits >> 6 & 63] : '=');
        buf_addc(&text, i + 2 < n ? digits[bits & 63] : '=');
    }
    json_t *v = json_stringn(buf_str(&text), buf_len(&text));
    buf_done(&text);
    return v;
}

json_t *json_text(const char *p, size_t n)
{
    json_t *v = json_stringn(n ? p : "", n);
    if (v)
        return v;
    struct buf text = {0};
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c > 0x7f)
            buf_addc(&text, (char)(0xc0 | c >> 6));
        buf_addc(&text, (char)(c > 0x7f ? 0x80 | (c & 0x3f) : c));
    }
    v = json_stringn(buf_str(&text), buf_len(&text));
    buf_done(&text);
    return v;
}
