/* SPDX-License-Identifier: MIT */
/* A domain is percent-decoded and lower-cased straight into the output while the classes of its
 * bytes are collected; only then it is judged: a name with a byte that is not ASCII goes through
 * idna_to_ascii(), a forbidden byte is refused, and a name whose last label is a number
 * must be an IPv4 address in one of its spellings, which replaces it. */
#include "common/host.h"

#include <string.h>

#include "common/idna.h"
#include "common/percent.h"
#include "common/url.h"

enum host_class {
    FORBIDDEN = 1,        /* in any host */
    FORBIDDEN_DOMAIN = 2, /* in a domain */
    UPPER = 4,
    NON_ASCII = 8,
};

#define BOTH (FORBIDDEN | FORBIDDEN_DOMAIN)

static const uint8_t host_classes[256] = {
    [0] = BOTH,
    [1 ... 8] = FORBIDDEN_DOMAIN,
    ['\t'] = BOTH,
    ['\n'] = BOTH,
    [0x0b ... 0x0c] = FORBIDDEN_DOMAIN,
    ['\r'] = BOTH,
    [0x0e ... 0x1f] = FORBIDDEN_DOMAIN,
    [' '] = BOTH,
    ['#'] = BOTH,
    ['%'] = FORBIDDEN_DOMAIN,
    ['/'] = BOTH,
    [':'] = BOTH,
    ['<'] = BOTH,
    ['>'] = BOTH,
    ['?'] = BOTH,
    ['@'] = BOTH,
    ['A' ... 'Z'] = UPPER,
    ['['] = BOTH,
    ['\\'] = BOTH,
    [']'] = BOTH,
    ['^'] = BOTH,
    ['|'] = BOTH,
    [0x7f] = FORBIDDEN_DOMAIN,
    [0x80 ... 0xff] = NON_ASCII,
};

/* One number of an IPv4 address: decimal, 0x hexadecimal, 0 octal. Saturates above 2^32; -1 when it
 * is none. */
static int64_t ipv4_number(const char *p, const char *end)
{
    int radix = 10;
    if (p == end)
        return -1;
    if (end - p >= 2 && p[0] == '0') {
        bool hex = p[1] == 'x';
        radix = hex ? 16 : 8;
        p += hex ? 2 : 1;
    }
    int64_t value = 0;
    for (; p < end; p++) {
        int digit = percent_digit(*p);
        if (digit < 0 || digit >= radix)
            return -1;
        value = value * radix + digit;
        if (value > UINT32_MAX)
            value = (int64_t)UINT32_MAX + 1;
    }
    return value;
}

/* Does the (lower-cased, not empty) name end in a number, so that it must be an IPv4 address? */
static bool ends_in_number(const char *name, size_t n)
{
    if (name[n - 1] == '.' && --n == 0)
        return false;
    const char *dot = memrchr(name, '.', n);
    const char *p = dot ? dot + 1 : name, *end = name + n;
    if (p == end || *p < '0' || *p > '9')
        return false;
    if (ipv4_number(p, end) >= 0)
        return true;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p == end;
}

static int ipv4_parse(const char *name, size_t n, uint8_t ret_ip[4])
{
    const char *p = name, *end = name + n - (name[n - 1] == '.');
    uint32_t ip = 0;
    for (int shift = 24;; shift -= 8) {
        const char *dot = memchr(p, '.', (size_t)(end - p));
        int64_t value = ipv4_number(p, dot ? dot : end);
        if (value < 0 || (dot && (value > 255 || !shift)) || value >> (shift + 8))
            return URL_E_IPV4;
        ip |= (uint32_t)value << (dot ? shift : 0);
        if (!dot)
            break;
        p = dot + 1;
    }
    for (int i = 0; i < 4; i++)
        ret_ip[i] = (uint8_t)(ip >> (24 - 8 * i));
    return 0;
}

static char *ipv4_write(char *out, const uint8_t ip[4])
{
    for (int i = 0; i < 4; i++) {
        if (i)
            *out++ = '.';
        if (ip[i] >= 100)
            *out++ = (char)('0' + ip[i] / 100);
        if (ip[i] >= 10)
            *out++ = (char)('0' + ip[i] / 10 % 10);
        *out++ = (char)('0' + ip[i] % 10);
    }
    return out;
}

/* The dotted end of an IPv6 address: exactly four decimal numbers without leading zeros. */
static int ipv6_dotted(const char *p, const char *end, uint8_t ret_ip[4])
{
    for (int i = 0; i < 4; i++) {
        if (i && (p == end || *p++ != '.'))
            return -1;
        int value = 0, digits = 0;
        for (; p < end && *p >= '0' && *p <= '9'; p++, digits++) {
            if (digits && !value)
                return -1;
            value = value * 10 + *p - '0';
            if (value > 255)
                return -1;
        }
        if (!digits)
            return -1;
        ret_ip[i] = (uint8_t)value;
    }
    return p == end ? 0 : -1;
}

/* Moves what stands behind "::" (at byte gap) to the end. */
static int ipv6_close_gap(uint8_t ip[16], int gap, int at)
{
    if (gap < 0)
        return at == 16 ? 0 : -1;
    if (at == 16)
        return -1;
    memmove(ip + 16 - (at - gap), ip + gap, (size_t)(at - gap));
    memset(ip + gap, 0, (size_t)(16 - at));
    return 0;
}

int host_ipv6_parse(const char *in, size_t n, uint8_t ret_ip[16])
{
    const char *p = in, *end = in + n;
    uint8_t ip[16] = {0};
    int at = 0, gap = -1;
    if (n >= 2 && p[0] == ':' && p[1] == ':') {
        gap = 0;
        p += 2;
    } else if (n && *p == ':') {
        return -1;
    }
    while (p < end) {
        if (at == 16)
            return -1;
        const char *start = p;
        int value = 0, digit;
        for (; p < end && p - start < 4 && (digit = percent_digit(*p)) >= 0; p++)
            value = value << 4 | digit;
        if (p < end && *p == '.') {
            if (p == start || at > 12 || ipv6_dotted(start, end, ip + at))
                return -1;
            at += 4;
            break;
        }
        if (p == start || (p < end && (*p != ':' || p + 1 == end)))
            return -1;
        ip[at++] = (uint8_t)(value >> 8);
        ip[at++] = (uint8_t)value;
        p += p < end;
        if (p < end && *p == ':') {
            if (gap >= 0)
                return -1;
            gap = at;
            p++;
        }
    }
    if (ipv6_close_gap(ip, gap, at))
        return -1;
    memcpy(ret_ip, ip, sizeof ip);
    return 0;
}

char *host_ipv6_write(char *out, const uint8_t ip[16])
{
    static const char digits[] = "0123456789abcdef";
    int gap = -1, gap_len = 1;
    for (int i = 0, run = 0; i < 8; i++) {
        run = ip[2 * i] || ip[2 * i + 1] ? 0 : run + 1;
        if (run > gap_len) {
            gap_len = run;
            gap = i + 1 - run;
        }
    }
    for (int i = 0; i < 8; i++) {
        if (i == gap) {
            *out++ = ':';
            if (!i)
                *out++ = ':';
            i += gap_len - 1;
            continue;
        }
        unsigned value = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
        for (int shift = 12; shift >= 0; shift -= 4)
            if (value >> shift || !shift)
                *out++ = digits[value >> shift & 15];
        if (i < 7)
            *out++ = ':';
    }
    return out;
}

static int bracketed_parse(const char *in, size_t n, char *out, struct host *ret_host)
{
    struct host host = {.ip_family = 6};
    if (n < 2 || in[n - 1] != ']' || host_ipv6_parse(in + 1, n - 2, host.ip))
        return URL_E_IPV6;
    char *w = out;
    *w++ = '[';
    w = host_ipv6_write(w, host.ip);
    *w++ = ']';
    host.len = (uint32_t)(w - out);
    *ret_host = host;
    return 0;
}

static int opaque_parse(const char *in, size_t n, char *out, struct host *ret_host)
{
    for (size_t i = 0; i < n; i++)
        if (host_classes[(unsigned char)in[i]] & FORBIDDEN)
            return URL_E_HOST_CHARACTER;
    char *w = percent_encode(out, in, in + n, PERCENT_C0);
    *ret_host = (struct host){.len = (uint32_t)(w - out)};
    return 0;
}

/* Decodes and lower-cases; returns the length and the classes of all bytes. */
static size_t domain_decode(const char *in, size_t n, char *out, unsigned *ret_classes)
{
    const char *end = in + n;
    char *w = out;
    unsigned classes = 0;
    for (const char *p = in; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '%' && percent_decode(p, end) >= 0) {
            c = (unsigned char)percent_decode(p, end);
            p += 2;
        }
        unsigned class = host_classes[c];
        classes |= class;
        *w++ = (char)(class & UPPER ? c | 0x20 : c);
    }
    *ret_classes = classes;
    return (size_t)(w - out);
}

static unsigned domain_classes(const char *name, size_t n)
{
    unsigned classes = 0;
    for (size_t i = 0; i < n; i++)
        classes |= host_classes[(unsigned char)name[i]];
    return classes;
}

static int domain_parse(const char *in, size_t n, char *out, struct host *ret_host)
{
    unsigned classes;
    size_t len = domain_decode(in, n, out, &classes);
    if (classes & NON_ASCII) {
        int error = idna_to_ascii(out, len, HOST_ROOM(n), &len);
        if (error)
            return error;
        classes = domain_classes(out, len);
    }
    if (classes & FORBIDDEN_DOMAIN)
        return URL_E_HOST_CHARACTER;
    if (!len)
        return URL_E_NO_HOST;
    struct host host = {.len = (uint32_t)len};
    if (ends_in_number(out, len)) {
        int error = ipv4_parse(out, len, host.ip);
        if (error)
            return error;
        host.ip_family = 4;
        host.len = (uint32_t)(ipv4_write(out, host.ip) - out);
    }
    *ret_host = host;
    return 0;
}

int host_parse(const char *in, size_t n, bool special, char *out, struct host *ret_host)
{
    if (*in == '[')
        return bracketed_parse(in, n, out, ret_host);
    return special ? domain_parse(in, n, out, ret_host) : opaque_parse(in, n, out, ret_host);
}
