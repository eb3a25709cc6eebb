/* SPDX-License-Identifier: MIT */
#include "daemon/net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

socklen_t addr_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *ret_sa)
{
    if (a->family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret_sa;
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&in->sin_addr, a->ip, 4);
        return sizeof *in;
    }
    if (a->family == 6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_sa;
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&in6->sin6_addr, a->ip, 16);
        return sizeof *in6;
    }
    return 0;
}

int addr_parse(const char *text, struct addr *ret_addr)
{
    struct addr a = {0};
    if (inet_pton(AF_INET, text, a.ip) == 1)
        a.family = 4;
    else if (inet_pton(AF_INET6, text, a.ip) == 1)
        a.family = 6;
    else
        return -EINVAL;
    *ret_addr = a;
    return 0;
}

int addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret_addr)
{
    struct addr a = {0};
    if (sa->sa_family == AF_INET) {
        a.family = 4;
        memcpy(a.ip, &((const struct sockaddr_in *)sa)->sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        a.family = 6;
        memcpy(a.ip, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
    } else {
        return -EINVAL;
    }
    *ret_addr = a;
    return 0;
}

const char *addr_text(const struct addr *a, char ret_text[ADDR_TEXT_BYTES])
{
    ret_text[0] = '\0';
    if (a->family)
        inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->ip, ret_text, ADDR_TEXT_BYTES);
    return ret_text;
}

bool addr_is_unspecified(const struct addr *a)
{
    static const uint8_t zero[16];
    return !memcmp(a->ip, zero, a->family == 4 ? 4 : 16);
}
