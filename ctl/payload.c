/* SPDX-License-Identifier: MIT */
#include "ctl/payload.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/inflate.h"

#define ROOM_BYTES 65536
#define CHUNK_MOST (UINT64_C(1) << 40) /* a larger chunk size is not read to its end */

/* The head's length with the blank line, 0 if there is none. */
static size_t head_length(const char *http, size_t len)
{
    const char *p = http, *end = http + len, *newline;
    while ((newline = memchr(p, '\n', (size_t)(end - p)))) {
        p = newline + 1;
        if (p < end && *p == '\n')
            return (size_t)(p + 1 - http);
        if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
            return (size_t)(p + 2 - http);
    }
    return 0;
}

/* All values of the header, joined by ", ", in lower case; the caller frees. */
static char *header(const char *head, size_t len, const char *name)
{
    struct buf all = {0};
    size_t name_len = strlen(name);
    const char *p = head, *end = head + len, *newline;
    for (; p < end && (newline = memchr(p, '\n', (size_t)(end - p))); p = newline + 1) {
        if ((size_t)(newline - p) <= name_len || strncasecmp(p, name, name_len) ||
            p[name_len] != ':')
            continue;
        if (buf_len(&all))
            buf_adds(&all, ", ");
        for (const char *c = p + name_len + 1; c < newline; c++)
            if (*c != '\r' && *c != '\0')
                buf_addc(&all, (char)tolower((unsigned char)*c));
    }
    return buf_take(&all, NULL);
}

/* Joins chunks; stops where the framing ends or breaks. True if the last chunk was there. */
static bool join_chunks(const char *p, size_t len, struct buf *ret_body)
{
    const char *end = p + len;
    while (p < end) {
        uint64_t size = 0;
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        if (!newline || !isxdigit((unsigned char)*p))
            return false;
        for (; isxdigit((unsigned char)*p) && size < CHUNK_MOST; p++)
            size = size * 16 +
                   (uint64_t)(isdigit((unsigned char)*p) ? *p - '0' : (*p | 32) - 'a' + 10);
        if (!size)
            return true;
        p = newline + 1;
        bool whole = size <= (uint64_t)(end - p);
        buf_add(ret_body, p, whole ? (size_t)size : (size_t)(end - p));
        if (!whole)
            return false;
        p += size;
        p += p < end && *p == '\r';
        p += p < end && *p == '\n';
    }
    return false;
}

/* Takes the content codings off; false, with the body as it was, if that cannot be done. */
static bool decode(const char *list, struct buf *body)
{
    struct codings codings;
    struct buf plain = {0};
    codings_parse(list, strlen(list), &codings);
    if (codings.verdict != CODINGS_KNOWN || !codings.count)
        return codings.verdict == CODINGS_KNOWN;
    struct inflate *z = inflate_new();
    struct inflate_span in = {buf_data(body), buf_len(body)};
    enum inflate_verdict v;
    size_t n;
    inflate_begin(z, &codings, inflate_most(in.len));
    do {
        v = inflate_next(z, &in, buf_reserve(&plain, ROOM_BYTES), ROOM_BYTES, &n);
        buf_grew(&plain, n);
    } while (v == INFLATE_AGAIN);
    bool whole = !inflate_end(z);
    struct buf *unused = whole ? body : &plain;
    buf_done(unused);
    if (whole)
        *body = plain;
    inflate_free(z);
    return whole;
}

int payload_read(const char *http, size_t len, struct buf *ret_body,
                 char ret_coding[PAYLOAD_CODING])
{
    size_t head = head_length(http, len);
    if (len < 5 || memcmp(http, "HTTP/", 5) || !head)
        return -EBADMSG;
    char *transfer = header(http, head, "transfer-encoding");
    char *coding = header(http, head, "content-encoding");
    if (strstr(transfer, "chunked"))
        join_chunks(http + head, len - head, ret_body);
    else
        buf_add(ret_body, http + head, len - head);
    bool plain = decode(coding, ret_body);
    snprintf(ret_coding, PAYLOAD_CODING, "%s", plain ? "" : coding + strspn(coding, " \t"));
    free(transfer);
    free(coding);
    return 0;
}
