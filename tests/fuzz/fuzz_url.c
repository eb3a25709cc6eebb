/* SPDX-License-Identifier: MIT */
/* Input: a URL, or a base, a NUL and a reference. Whatever is accepted must be plain ASCII, made of
 * its parts, and must parse to itself. */
#include <stdlib.h>
#include <string.h>

#include "common/host.h"
#include "common/url.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static void check_parts(const struct url *u)
{
    REQUIRE(u->href[u->href_len] == 0 && strlen(u->href) == u->href_len);
    for (uint32_t i = 0; i < u->href_len; i++)
        REQUIRE((u->href[i] > ' ' || (u->opaque_path && u->href[i] == ' ')) && u->href[i] < 0x7f);
    uint32_t end = 0;
    for (int part = 0; part < URL_PART_COUNT; part++) {
        if (!u->len[part])
            continue;
        REQUIRE(u->at[part] >= end && u->len[part] <= u->href_len - u->at[part]);
        end = u->at[part] + u->len[part];
    }
    REQUIRE(end == u->href_len || u->has_query || u->has_fragment || !u->len[URL_PATH]);
    REQUIRE(u->scheme == URL_OTHER || u->scheme == URL_FILE || u->len[URL_HOSTNAME]);
    struct url_slice key, target = url_target(u);
    if (url_canon(u, &key) == 0) {
        REQUIRE(!memchr(key.p, '#', key.n) && target.n && *target.p == '/');
        REQUIRE(target.p + target.n == key.p + key.n);
    }
}

static void check_again(const struct url *u)
{
    static struct url again;
    REQUIRE(url_parse(u->href, u->href_len, NULL, &again) == 0);
    REQUIRE(again.href_len == u->href_len && !memcmp(again.href, u->href, u->href_len));
    REQUIRE(!memcmp(again.len, u->len, sizeof u->len));
    for (int part = 0; part < URL_PART_COUNT; part++)
        REQUIRE(!u->len[part] || again.at[part] == u->at[part]);
    REQUIRE(again.authority_end == u->authority_end && again.port == u->port);
    REQUIRE(again.has_host == u->has_host && again.has_port == u->has_port);
    REQUIRE(again.has_query == u->has_query && again.has_fragment == u->has_fragment);
    REQUIRE(again.opaque_path == u->opaque_path && again.scheme == u->scheme);
    REQUIRE(again.ip_family == u->ip_family && !memcmp(again.ip, u->ip, sizeof u->ip));
}

static int parse_and_check(const char *in, size_t n, const struct url *base, struct url *u)
{
    int error = url_parse(in, n, base, u);
    if (error) {
        REQUIRE(strcmp(url_strerror(error), url_strerror(0)) && !u->href_len);
        return error;
    }
    REQUIRE(u->href_len < HOST_ROOM(n) + (base ? base->href_len : 0) + 32);
    check_parts(u);
    check_again(u);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct url base, u;
    const char *in = (const char *)data, *nul = size ? memchr(in, 0, size) : NULL;
    size_t first = nul ? (size_t)(nul - in) : size;
    if (parse_and_check(in, first, NULL, &base) == 0 && nul)
        parse_and_check(nul + 1, size - first - 1, &base, &u);
    parse_and_check(in, size, NULL, &u);
    return 0;
}
