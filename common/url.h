/* SPDX-License-Identifier: MIT */
/* URLs after the WHATWG URL standard: parsed, resolved against a base, written canonically.
 *
 *      struct url u = {0};                  one allocation, kept and used again by the next parse
 *      int error = url_parse(s, n, &base, &u);
 *      if (error)
 *          say(url_strerror(error));        u is empty then
 *      url_hostname(&u), url_target(&u) …   slices of u.href, valid until the next parse or done
 *      url_done(&u);
 *
 * Bytes that are not ASCII are taken as they are (UTF-8 or not) and percent-encoded, except in the
 * host of http and its like, which becomes ASCII by IDNA (common/idna.h). */
#ifndef COMMON_URL_H
#define COMMON_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits that callers check before they parse. */
#define URL_MAX_GIVEN 8192 /* bytes of a URL a user gives */
#define URL_MAX_FOUND 2048 /* bytes of a URL found on a page */

/* Limits of the parser itself. */
#define URL_MAX_INPUT (1 << 20)
#define URL_MAX_BASE  (4 * URL_MAX_INPUT)

/* Why a URL was refused; the numbers are no errnos. */
#define URL_ERRORS(ROW)                                                                            \
    ROW(TOO_LONG, "longer than the parser takes")                                                  \
    ROW(RELATIVE, "no scheme")                                                                     \
    ROW(OPAQUE_BASE, "relative to a base that has no hierarchy")                                   \
    ROW(NO_HOST, "no host")                                                                        \
    ROW(HOST_CHARACTER, "forbidden character in the host")                                         \
    ROW(HOST_IDNA, "host is no international domain name")                                         \
    ROW(IPV4, "bad IPv4 address")                                                                  \
    ROW(IPV6, "bad IPv6 address")                                                                  \
    ROW(PORT, "bad port")                                                                          \
    ROW(SCHEME, "scheme is not http or https")

enum url_error {
    URL_E_FIRST = -2000,
#define URL_ERROR(name, text) URL_E_##name,
    URL_ERRORS(URL_ERROR)
#undef URL_ERROR
};

enum url_scheme {
    URL_OTHER,
    URL_HTTP,
    URL_HTTPS,
    URL_WS,
    URL_WSS,
    URL_FTP,
    URL_FILE,
};

enum url_part {
    URL_PROTOCOL, /* "http:" */
    URL_USERNAME,
    URL_PASSWORD,
    URL_HOSTNAME, /* IPv6 with its brackets */
    URL_PORT,     /* digits, only when it is not the scheme's default */
    URL_PATH,
    URL_QUERY,    /* without '?' */
    URL_FRAGMENT, /* without '#' */
    URL_PART_COUNT,
};

struct url_slice {
    const char *p; /* borrowed from the url; not terminated */
    size_t n;
};

/* Zeroed it is an empty URL. All but href is valid only after a parse that returned 0. */
struct url {
    char *href;                   /* owned; NUL behind it */
    size_t cap;                   /* bytes allocated */
    uint32_t href_len;            /* bytes */
    uint32_t at[URL_PART_COUNT];  /* offset of each part in href */
    uint32_t len[URL_PART_COUNT]; /* bytes; 0 when absent */
    uint32_t authority_end;       /* offset behind host and port, or behind ':' */
    bool has_host, has_port, has_query, has_fragment; /* present, perhaps empty */
    bool opaque_path;                                 /* no hierarchy: "mailto:a" */
    uint8_t scheme;                                   /* enum url_scheme */
    uint8_t ip_family;                                /* of the host: 4, 6, or 0 for a name */
    uint8_t ip[16];                                   /* its first 4 or 16 bytes, network order */
    uint16_t port;                                    /* given or the scheme's default; else 0 */
};

/* Parses n bytes (of any value); base may be NULL. Neither in nor base may lie in ret_url. Returns
 * 0 or an enum url_error. Allocates only when ret_url has held no URL as long before. */
int url_parse(const char *in, size_t n, const struct url *base, struct url *ret_url);

void url_done(struct url *u);

/* A phrase for users: "no host". */
const char *url_strerror(int error);

/* The key of the seen set: the href of an http or https URL without its fragment. Returns 0 or
 * URL_E_SCHEME. */
int url_canon(const struct url *u, struct url_slice *ret_key);

static inline bool url_is_http(const struct url *u)
{
    return u->scheme == URL_HTTP || u->scheme == URL_HTTPS;
}

static inline struct url_slice url_part(const struct url *u, enum url_part part)
{
    return (struct url_slice){u->href + u->at[part], u->len[part]};
}

static inline struct url_slice url_hostname(const struct url *u)
{
    return url_part(u, URL_HOSTNAME);
}

/* Host and, when it is not the default, port: the Host field of a request. */
struct url_slice url_host(const struct url *u);

/* What an http request asks for: path and, when present, '?' and query. Never empty then. */
struct url_slice url_target(const struct url *u);

/* '?' or '#' and what follows; empty when nothing follows (as the standard's getters). */
struct url_slice url_search(const struct url *u);
struct url_slice url_hash(const struct url *u);

#endif
