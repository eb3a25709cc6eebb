/* SPDX-License-Identifier: MIT */
/* Input: the host of an http URL. What is accepted must be lower-case ASCII without forbidden
 * characters, fit its room, and be accepted as it is again. */
#include <stdlib.h>
#include <string.h>

#include "common/host.h"
#include "common/url.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static int parse(const char *in, size_t n, char **ret_out, struct host *ret_host)
{
    *ret_out = malloc(HOST_ROOM(n)); /* exact, so that writing past the end is found out */
    int error = host_parse(in, n, true, *ret_out, ret_host);
    REQUIRE(error || (ret_host->len && ret_host->len <= HOST_ROOM(n)));
    return error;
}

static bool may_be_in_host(char c, uint8_t ip_family)
{
    if (ip_family == 6 && memchr("[]:", c, 3))
        return true;
    return c > ' ' && c < 0x7f && !memchr("#%/:<>?@[\\]^|", c, 13) && (c < 'A' || c > 'Z');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct host host, again;
    char *out, *same = NULL;
    if (!size)
        return 0;
    if (!parse((const char *)data, size, &out, &host)) {
        for (uint32_t i = 0; i < host.len; i++)
            REQUIRE(may_be_in_host(out[i], host.ip_family));
        REQUIRE(!parse(out, host.len, &same, &again));
        REQUIRE(again.len == host.len && !memcmp(same, out, host.len));
        REQUIRE(again.ip_family == host.ip_family && !memcmp(again.ip, host.ip, sizeof host.ip));
    }
    free(same);
    free(out);
    return 0;
}
