/* SPDX-License-Identifier: MIT */
/* The authority ends at the first slash, '?' or '#'; its last '@' ends the credentials, the first
 * colon outside of brackets behind that ends the host. */
#include "common/host.h"
#include "common/percent.h"
#include "common/url_parser.h"

int url_host_read(struct parser *x, const char *p, const char *end)
{
    struct url *u = x->u;
    part_begin(x, URL_HOSTNAME);
    u->has_host = true;
    if (p == end)
        return 0;
    struct host host;
    int error = host_parse(p, (size_t)(end - p), is_special(x), x->w, &host);
    if (error)
        return error;
    x->w += host.len;
    u->ip_family = host.ip_family;
    memcpy(u->ip, host.ip, sizeof u->ip);
    part_end(x, URL_HOSTNAME);
    return 0;
}

static void read_credentials(struct parser *x, const char *p, const char *end)
{
    const char *colon = memchr(p, ':', (size_t)(end - p));
    const char *name_end = colon ? colon : end;
    if (end - p == (colon ? 1 : 0))
        return;
    part_begin(x, URL_USERNAME);
    x->w = percent_encode(x->w, p, name_end, PERCENT_USERINFO);
    part_end(x, URL_USERNAME);
    if (end - name_end > 1) {
        *x->w++ = ':';
        part_begin(x, URL_PASSWORD);
        x->w = percent_encode(x->w, name_end + 1, end, PERCENT_USERINFO);
        part_end(x, URL_PASSWORD);
    }
    *x->w++ = '@';
}

static int read_port(struct parser *x, const char *p, const char *end)
{
    uint32_t port = 0;
    bool given = p < end;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return URL_E_PORT;
        port = port * 10 + (uint32_t)(*p - '0');
        if (port > UINT16_MAX)
            return URL_E_PORT;
    }
    if (!given || (is_special(x) && port == url_schemes[x->u->scheme].port))
        return 0;
    x->u->port = (uint16_t)port;
    x->u->has_port = true;
    *x->w++ = ':';
    part_begin(x, URL_PORT);
    char digits[5], *d = digits + sizeof digits;
    do
        *--d = (char)('0' + port % 10);
    while (port /= 10);
    put(x, d, (size_t)(digits + sizeof digits - d));
    part_end(x, URL_PORT);
    return 0;
}

/* The colon in front of the port: the first one outside of brackets; end when there is none. */
static const char *host_end(const char *p, const char *end)
{
    bool bracket = false;
    for (; p < end; p++) {
        if (*p == ':' && !bracket)
            break;
        if (*p == '[')
            bracket = true;
        else if (*p == ']')
            bracket = false;
    }
    return p;
}

int url_authority_read(struct parser *x)
{
    const char *p = x->p, *end = p, *at = NULL;
    bool special = is_special(x);
    for (; end < x->end; end++) {
        if (!(percent_sets[(unsigned char)*end] & PERCENT_DELIMITER))
            continue;
        if (*end == '@')
            at = end;
        else if (*end != '\\' || special)
            break;
    }
    put(x, "//", 2);
    if (at) {
        read_credentials(x, p, at);
        p = at + 1;
    }
    const char *colon = host_end(p, end);
    if (p == colon && (special || at || colon < end))
        return URL_E_NO_HOST;
    int error = url_host_read(x, p, colon);
    if (!error && colon < end)
        error = read_port(x, colon + 1, end);
    if (error)
        return error;
    x->u->authority_end = offset(x);
    x->p = end;
    return 0;
}
