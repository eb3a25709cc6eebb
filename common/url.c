/* SPDX-License-Identifier: MIT */
/* The standard's state machine reads one code point at a time; this parser takes the same decisions
 * a part at a time, left to right, and writes each part to its final place in href:
 *
 *      http: // user : pass @ host : 81 /path ? query # fragment
 *      │        │      │      │      ││ │       │       │
 *      0        at[USERNAME] ...     ││ at[PATH]        at[FRAGMENT]
 *                               authority_end
 *
 * A relative reference starts as a copy of the base's parts. Space for the longest possible result
 * is reserved first, so that nothing below checks for it: three bytes for each byte of the input,
 * the base, a host's room and the punctuation; behind it lies a copy of the input when tabs and
 * newlines had to be taken out of it. */
#include "common/url.h"

#include <stdlib.h>
#include <string.h>

#include "common/host.h"
#include "common/percent.h"
#include "common/url_parser.h"
#include "common/url_path.h"
#include "common/xalloc.h"

const struct url_scheme_row url_schemes[] = {
    [URL_OTHER] = {"", 0, 0},     [URL_HTTP] = {"http:", 5, 80}, [URL_HTTPS] = {"https:", 6, 443},
    [URL_WS] = {"ws:", 3, 80},    [URL_WSS] = {"wss:", 4, 443},  [URL_FTP] = {"ftp:", 4, 21},
    [URL_FILE] = {"file:", 5, 0},
};

/* --- path, query, fragment ---------------------------------------------------------------------
 */

static struct url_path path_of(const struct parser *x)
{
    return (struct url_path){x->u->href + x->u->at[URL_PATH], x->w, is_special(x),
                             x->u->scheme == URL_FILE};
}

/* A path that starts with "//" and follows no host gets "/." in front, or it would be one. */
static void path_guard(struct parser *x)
{
    char *path = x->u->href + x->u->at[URL_PATH];
    size_t n = (size_t)(x->w - path);
    if (x->u->has_host || x->u->opaque_path || n < 2 || path[0] != '/' || path[1] != '/')
        return;
    memmove(path + 2, path, n);
    path[1] = '.';
    x->u->at[URL_PATH] += 2;
    x->w += 2;
}

static int read_tail(struct parser *x)
{
    struct url *u = x->u;
    path_guard(x);
    part_end(x, URL_PATH);
    if (x->p < x->end && *x->p == '?') {
        const char *hash = memchr(x->p, '#', (size_t)(x->end - x->p));
        const char *end = hash ? hash : x->end;
        u->has_query = true;
        *x->w++ = '?';
        part_begin(x, URL_QUERY);
        x->w = percent_encode(x->w, x->p + 1, end,
                              is_special(x) ? PERCENT_SPECIAL_QUERY : PERCENT_QUERY);
        part_end(x, URL_QUERY);
        x->p = end;
    } else if (u->has_query) {
        struct url_slice query = url_part(x->base, URL_QUERY);
        *x->w++ = '?';
        part_begin(x, URL_QUERY);
        put(x, query.p, query.n);
        part_end(x, URL_QUERY);
    }
    if (x->p < x->end) {
        u->has_fragment = true;
        *x->w++ = '#';
        part_begin(x, URL_FRAGMENT);
        x->w = percent_encode(x->w, x->p + 1, x->end, PERCENT_FRAGMENT);
        part_end(x, URL_FRAGMENT);
    }
    return 0;
}

/* p is at the path's first segment; the path may hold one of a base already. */
static int read_segments(struct parser *x)
{
    struct url_path path = path_of(x);
    x->p = url_path_append(&path, x->p, x->end);
    x->w = path.w;
    return read_tail(x);
}

/* p is behind the authority. */
static int read_path(struct parser *x)
{
    part_begin(x, URL_PATH);
    bool empty = x->p == x->end || *x->p == '?' || *x->p == '#';
    if (empty && !is_special(x))
        return read_tail(x);
    x->p += at_slash(x);
    return read_segments(x);
}

static int read_opaque(struct parser *x)
{
    const char *end = x->p;
    while (end < x->end && *end != '?' && *end != '#')
        end++;
    x->u->opaque_path = true;
    part_begin(x, URL_PATH);
    x->w = percent_encode(x->w, x->p, end, PERCENT_C0);
    if (end < x->end && end > x->p && end[-1] == ' ') {
        x->w--;
        put(x, "%20", 3);
    }
    x->p = end;
    return read_tail(x);
}

/* p is behind the two slashes. */
static int read_authority(struct parser *x)
{
    int error = url_authority_read(x);
    return error ? error : read_path(x);
}

/* --- relative to a base ------------------------------------------------------------------------
 */

static void copy_authority(struct parser *x)
{
    struct url *u = x->u;
    const struct url *base = x->base;
    char *href = u->href;
    size_t cap = u->cap;
    *u = *base;
    u->href = href;
    u->cap = cap;
    memset(u->len + URL_PATH, 0, sizeof u->len - URL_PATH * sizeof *u->len);
    u->has_query = u->has_fragment = false;
    x->w = href;
    put(x, base->href, base->authority_end);
}

static void copy_path(struct parser *x)
{
    struct url_slice path = url_part(x->base, URL_PATH);
    part_begin(x, URL_PATH);
    put(x, path.p, path.n);
}

/* The reference has no scheme or that of its special base, and starts with no slash. */
static int read_relative_path(struct parser *x)
{
    copy_authority(x);
    copy_path(x);
    if (x->p == x->end || *x->p == '#') {
        x->u->has_query = x->base->has_query;
        return read_tail(x);
    }
    if (*x->p == '?')
        return read_tail(x);
    struct url_path path = path_of(x);
    if (path.file && url_path_drive(x->p, x->end))
        path.w = path.start;
    else
        url_path_shorten(&path);
    x->w = path.w;
    return read_segments(x);
}

static int read_relative(struct parser *x)
{
    x->u->scheme = x->base->scheme;
    if (!at_slash(x))
        return read_relative_path(x);
    x->p++;
    if (!at_slash(x)) {
        copy_authority(x);
        part_begin(x, URL_PATH);
        return read_segments(x);
    }
    put(x, x->base->href, x->base->len[URL_PROTOCOL]);
    x->u->len[URL_PROTOCOL] = x->base->len[URL_PROTOCOL];
    x->u->port = url_schemes[x->u->scheme].port;
    while (is_special(x) && at_slash(x))
        x->p++;
    x->p += !is_special(x);
    return read_authority(x);
}

/* --- file --------------------------------------------------------------------------------------
 */

static void put_file(struct parser *x)
{
    x->w = x->u->href;
    put(x, "file:", 5);
    part_end(x, URL_PROTOCOL);
    put(x, "//", 2);
    part_begin(x, URL_HOSTNAME);
    x->u->has_host = true;
    x->u->authority_end = offset(x);
}

/* p is behind "//". */
static int read_file_host(struct parser *x)
{
    const char *end = x->p;
    while (end < x->end && !memchr("/\\?#", *end, 4))
        end++;
    put_file(x);
    if (end - x->p == 2 && url_path_drive(x->p, end)) {
        part_begin(x, URL_PATH);
        return read_segments(x);
    }
    int error = url_host_read(x, x->p, end);
    if (error)
        return error;
    struct url_slice host = url_hostname(x->u);
    if (host.n == 9 && !memcmp(host.p, "localhost", 9)) {
        x->w -= 9;
        x->u->len[URL_HOSTNAME] = 0;
    }
    x->u->authority_end = offset(x);
    x->p = end;
    return read_path(x);
}

/* p is behind one slash, which no other follows. */
static int read_file_rooted(struct parser *x, bool based)
{
    if (!based) {
        put_file(x);
        part_begin(x, URL_PATH);
        return read_segments(x);
    }
    copy_authority(x);
    part_begin(x, URL_PATH);
    struct url_slice path = url_part(x->base, URL_PATH);
    bool drive = path.n >= 3 && path.p[2] == ':' && url_path_drive(path.p + 1, path.p + path.n);
    if (drive && !url_path_drive(x->p, x->end))
        put(x, path.p, 3);
    return read_segments(x);
}

static int read_file(struct parser *x)
{
    bool based = x->base && x->base->scheme == URL_FILE;
    x->u->scheme = URL_FILE;
    if (at_slash(x)) {
        x->p++;
        if (!at_slash(x))
            return read_file_rooted(x, based);
        x->p++;
        return read_file_host(x);
    }
    if (based)
        return read_relative_path(x);
    put_file(x);
    part_begin(x, URL_PATH);
    return read_segments(x);
}

/* --- scheme ------------------------------------------------------------------------------------
 */

/* The length of the scheme at [p, end) with its colon; 0 when there is none. */
static size_t scheme_len(const char *p, const char *end)
{
    const char *start = p;
    for (; p < end; p++) {
        char c = *p, letter = (char)(c | 0x20);
        if (letter >= 'a' && letter <= 'z')
            continue;
        if (p == start)
            return 0;
        if (c == ':')
            return (size_t)(p + 1 - start);
        if ((c < '0' || c > '9') && c != '+' && c != '-' && c != '.')
            return 0;
    }
    return 0;
}

static void read_scheme(struct parser *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = x->p[i];
        x->w[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    for (int i = URL_HTTP; i <= URL_FILE; i++) {
        if (url_schemes[i].len == n && !memcmp(url_schemes[i].name, x->w, n)) {
            x->u->scheme = (uint8_t)i;
            x->u->port = url_schemes[i].port;
        }
    }
    x->p += n;
    x->w += n;
    part_end(x, URL_PROTOCOL);
    x->u->authority_end = offset(x);
}

static int read_without_scheme(struct parser *x)
{
    if (!x->base)
        return URL_E_RELATIVE;
    if (x->base->opaque_path)
        return x->p < x->end && *x->p == '#' ? read_relative_path(x) : URL_E_OPAQUE_BASE;
    return x->base->scheme == URL_FILE ? read_file(x) : read_relative(x);
}

static int read_url(struct parser *x)
{
    size_t n = scheme_len(x->p, x->end);
    if (!n)
        return read_without_scheme(x);
    read_scheme(x, n);
    if (x->u->scheme == URL_FILE)
        return read_file(x);
    bool two = x->end - x->p >= 2 && x->p[0] == '/' && x->p[1] == '/';
    if (!is_special(x)) {
        if (!at_slash(x))
            return read_opaque(x);
        if (!two)
            return read_path(x);
        x->p += 2;
        return read_authority(x);
    }
    if (!two && x->base && x->base->scheme == x->u->scheme) {
        x->w = x->u->href;
        return read_relative(x);
    }
    while (at_slash(x))
        x->p++;
    return read_authority(x);
}

/* --- the whole ---------------------------------------------------------------------------------
 */

/* Takes controls and spaces off both ends, and tabs and newlines out (into the copy at scratch). */
static void input_clean(struct parser *x, char *scratch)
{
    while (x->p < x->end && (unsigned char)*x->p <= ' ')
        x->p++;
    while (x->p < x->end && (unsigned char)x->end[-1] <= ' ')
        x->end--;
    size_t n = (size_t)(x->end - x->p);
    if (!memchr(x->p, '\t', n) && !memchr(x->p, '\n', n) && !memchr(x->p, '\r', n))
        return;
    char *w = scratch;
    for (; x->p < x->end; x->p++)
        if (*x->p != '\t' && *x->p != '\n' && *x->p != '\r')
            *w++ = *x->p;
    x->p = scratch;
    x->end = w;
}

/* Empties u with room for n bytes; the old content is not kept. */
static void url_reset(struct url *u, size_t n)
{
    char *href = u->href;
    size_t cap = u->cap;
    if (cap < n) {
        free(href);
        cap = n < 1024 ? 1024 : n;
        href = xmalloc(cap);
    }
    *u = (struct url){.href = href, .cap = cap};
}

int url_parse(const char *in, size_t n, const struct url *base, struct url *ret_url)
{
    struct url *u = ret_url;
    if (n > URL_MAX_INPUT || (base && base->href_len > URL_MAX_BASE)) {
        url_reset(u, 1);
        u->href[0] = 0;
        return URL_E_TOO_LONG;
    }
    size_t longest = HOST_ROOM(n) + (base ? base->href_len : 0) + 32;
    url_reset(u, longest + n);
    struct parser x = {in, in + n, u->href, base, u};
    if (n)
        input_clean(&x, u->href + longest);
    int error = read_url(&x);
    if (error) {
        url_reset(u, 1);
        u->href[0] = 0;
        return error;
    }
    u->href_len = offset(&x);
    u->href[u->href_len] = 0;
    return 0;
}

void url_done(struct url *u)
{
    free(u->href);
    *u = (struct url){0};
}
