/* SPDX-License-Identifier: MIT */
/* Looking at a parsed URL. */
#include "common/url.h"

const char *url_strerror(int error)
{
    static const char *const texts[] = {
#define URL_ERROR(name, text) text,
        URL_ERRORS(URL_ERROR)
#undef URL_ERROR
    };
    int i = error - URL_E_FIRST - 1;
    return i >= 0 && i < (int)(sizeof texts / sizeof *texts) ? texts[i] : "not a URL";
}

int url_canon(const struct url *u, struct url_slice *ret_key)
{
    if (!url_is_http(u))
        return URL_E_SCHEME;
    ret_key->p = u->href;
    ret_key->n = u->has_fragment ? u->at[URL_FRAGMENT] - 1 : u->href_len;
    return 0;
}

struct url_slice url_host(const struct url *u)
{
    uint32_t at = u->at[URL_HOSTNAME];
    return (struct url_slice){u->href + at, u->has_host ? u->authority_end - at : 0};
}

struct url_slice url_target(const struct url *u)
{
    uint32_t at = u->at[URL_PATH];
    uint32_t end = u->has_query ? u->at[URL_QUERY] + u->len[URL_QUERY] : at + u->len[URL_PATH];
    return (struct url_slice){u->href + at, end - at};
}

static struct url_slice with_mark(const struct url *u, enum url_part part)
{
    struct url_slice s = url_part(u, part);
    return s.n ? (struct url_slice){s.p - 1, s.n + 1} : s;
}

struct url_slice url_search(const struct url *u)
{
    return with_mark(u, URL_QUERY);
}

struct url_slice url_hash(const struct url *u)
{
    return with_mark(u, URL_FRAGMENT);
}
