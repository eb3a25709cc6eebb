/* SPDX-License-Identifier: MIT */
/* The host of a URL: domain, IPv4 or IPv6 address, or opaque (WHATWG URL 3.5). */
#ifndef COMMON_HOST_H
#define COMMON_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for a host of n input bytes when written: all it can need, but for a name whose ASCII form
 * is longer than DNS could carry. */
#define HOST_ROOM(n) (3 * (n) + 256)

struct host {
    uint32_t len;      /* bytes written */
    uint8_t ip_family; /* 4, 6, or 0 when it is a name */
    uint8_t ip[16];    /* the first 4 or 16 bytes, network order */
};

/* Writes the canonical text of a host (IPv6 with its brackets) to out, which has HOST_ROOM(n) bytes
 * and does not overlap in. special: of http and its like, where it is a domain or address; else
 * opaque. n > 0. Returns 0 or a URL_E_ error; ret_host is untouched then, out is not. */
int host_parse(const char *in, size_t n, bool special, char *out, struct host *ret_host);

/* Reads the inside of [...]; returns 0 or -1. */
int host_ipv6_parse(const char *in, size_t n, uint8_t ret_ip[16]);

/* Writes without brackets, zeros compressed; at most 39 bytes. Returns the end. */
char *host_ipv6_write(char *out, const uint8_t ip[16]);

#endif
