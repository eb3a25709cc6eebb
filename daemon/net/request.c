/* SPDX-License-Identifier: MIT */
/* Every part is checked against the characters of its place before a byte is written: a table of
 * character classes, one bit per place. */
#include "daemon/net/request.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/percent.h"

enum {
    TOKEN = 1,  /* methods, field names: RFC 9110 section 5.6.2 */
    TARGET = 2, /* visible ASCII but '#' */
    HOST = 4,   /* letters, digits and -._~:[]!$&'()*+,;=% */
    VALUE = 8,  /* anything but NUL, CR, LF */
};

static const unsigned char classes[256] = {
    [1 ... 9] = VALUE,
    [11 ... 12] = VALUE,
    [14 ... ' '] = VALUE,
    ['!'] = TOKEN | TARGET | HOST | VALUE,
    ['"'] = TARGET | VALUE,
    ['#'] = TOKEN | VALUE,
    ['$' ... '\''] = TOKEN | TARGET | HOST | VALUE,
    ['(' ... ')'] = TARGET | HOST | VALUE,
    ['*' ... '+'] = TOKEN | TARGET | HOST | VALUE,
    [','] = TARGET | HOST | VALUE,
    ['-' ... '.'] = TOKEN | TARGET | HOST | VALUE,
    ['/'] = TARGET | VALUE,
    ['0' ... '9'] = TOKEN | TARGET | HOST | VALUE,
    [':' ... ';'] = TARGET | HOST | VALUE,
    ['<'] = TARGET | VALUE,
    ['='] = TARGET | HOST | VALUE,
    ['>' ... '@'] = TARGET | VALUE,
    ['A' ... 'Z'] = TOKEN | TARGET | HOST | VALUE,
    ['['] = TARGET | HOST | VALUE,
    ['\\'] = TARGET | VALUE,
    [']'] = TARGET | HOST | VALUE,
    ['^'] = TOKEN | TARGET | VALUE,
    ['_'] = TOKEN | TARGET | HOST | VALUE,
    ['`'] = TOKEN | TARGET | VALUE,
    ['a' ... 'z'] = TOKEN | TARGET | HOST | VALUE,
    ['{'] = TARGET | VALUE,
    ['|'] = TOKEN | TARGET | VALUE,
    ['}'] = TARGET | VALUE,
    ['~'] = TOKEN | TARGET | HOST | VALUE,
    [127 ... 255] = VALUE,
};

static bool all_of(struct request_text t, unsigned char class)
{
    for (size_t i = 0; i < t.len; i++)
        if (!(classes[(unsigned char)t.p[i]] & class))
            return false;
    return true;
}

static bool text_is(struct request_text t, const char *s)
{
    return t.len == strlen(s) && !strncasecmp(t.p, s, t.len);
}

static bool field_allowed(const struct request_field *f)
{
    static const char *const ours[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (text_is(f->name, ours[i]))
            return false;
    return f->name.len && all_of(f->name, TOKEN) && all_of(f->value, VALUE);
}

static bool allowed(const struct request *r)
{
    for (size_t i = 0; i < r->field_count; i++)
        if (!field_allowed(&r->fields[i]))
            return false;
    return r->method.len && all_of(r->method, TOKEN) && r->target.len &&
           all_of(r->target, TARGET) && r->host_port.len && all_of(r->host_port, HOST) &&
           all_of(r->user_agent, VALUE) && all_of(r->accept_encoding, VALUE) &&
           all_of(r->username, VALUE) && all_of(r->password, VALUE);
}

static bool has_field(const struct request *r, const char *name)
{
    for (size_t i = 0; i < r->field_count; i++)
        if (text_is(r->fields[i].name, name))
            return true;
    return false;
}

static void add_text(struct buf *out, struct request_text t)
{
    buf_add(out, t.p, t.len);
}

static void add_field(struct buf *out, const char *name, struct request_text value)
{
    buf_adds(out, name);
    buf_add(out, ": ", 2);
    add_text(out, value);
    buf_add(out, "\r\n", 2);
}

/* A field of ours, unless it is absent or the job gives its own. */
static void add_default(const struct request *r, struct buf *out, const char *name,
                        struct request_text value)
{
    if (value.p && !has_field(r, name))
        add_field(out, name, value);
}

static void add_decoded(struct buf *out, struct request_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        int byte = percent_decode(t.p + i, t.p + t.len);
        buf_addc(out, byte >= 0 ? (char)byte : t.p[i]);
        i += byte >= 0 ? 2 : 0;
    }
}

static void add_base64(struct buf *out, const unsigned char *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (; n; p += n < 3 ? n : 3, n -= n < 3 ? n : 3) {
        unsigned bits = p[0] << 16 | (n > 1 ? p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
        buf_addc(out, digits[bits >> 18]);
        buf_addc(out, digits[bits >> 12 & 63]);
        buf_addc(out, n > 1 ? digits[bits >> 6 & 63] : '=');
        buf_addc(out, n > 2 ? digits[bits & 63] : '=');
    }
}

/* RFC 7617. */
static void add_authorization(const struct request *r, struct buf *out)
{
    if ((!r->username.len && !r->password.len) || has_field(r, "Authorization"))
        return;
    struct buf pair = {0};
    add_decoded(&pair, r->username);
    buf_addc(&pair, ':');
    add_decoded(&pair, r->password);
    buf_adds(out, "Authorization: Basic ");
    add_base64(out, (const unsigned char *)buf_data(&pair), buf_len(&pair));
    buf_add(out, "\r\n", 2);
    buf_done(&pair);
}

static bool has_length(const struct request *r)
{
    return r->body.len || text_is(r->method, "POST") || text_is(r->method, "PUT") ||
           text_is(r->method, "PATCH");
}

int request_build(const struct request *r, struct buf *out)
{
    static const struct request_text any = {"*/*", 3}, kept = {"keep-alive", 10},
                                     close = {"close", 5};
    if (!allowed(r))
        return -EINVAL;
    add_text(out, r->method);
    buf_addc(out, ' ');
    add_text(out, r->target);
    buf_adds(out, " HTTP/1.1\r\n");
    add_field(out, "Host", r->host_port);
    add_default(r, out, "User-Agent", r->user_agent);
    add_default(r, out, "Accept", any);
    add_default(r, out, "Accept-Encoding", r->accept_encoding);
    add_authorization(r, out);
    for (size_t i = 0; i < r->field_count; i++) {
        add_text(out, r->fields[i].name);
        add_field(out, "", r->fields[i].value);
    }
    add_field(out, "Connection", r->close ? close : kept);
    if (has_length(r))
        buf_addf(out, "Content-Length: %zu\r\n", r->body.len);
    buf_add(out, "\r\n", 2);
    add_text(out, r->body);
    return 0;
}
