/* SPDX-License-Identifier: MIT */
/* An IP address without a port. */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr {
    uint8_t family; /* 4, 6; 0 none */
    uint8_t ip[16]; /* the first 4 or 16 bytes, network order */
};

#define ADDR_TEXT_BYTES 46 /* with its NUL */

/* Returns the length of what it wrote to out: 0 for no address. */
socklen_t addr_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *ret_sa);

/* 0, or -EINVAL if it is neither IPv4 nor IPv6. */
int addr_parse(const char *text, struct addr *ret_addr);
int addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret_addr);

/* Without brackets; empty for no address. Returns ret_text. */
const char *addr_text(const struct addr *a, char ret_text[ADDR_TEXT_BYTES]);

/* 0.0.0.0 and ::, what some resolvers answer for blocked names. */
bool addr_is_unspecified(const struct addr *a);

#endif
