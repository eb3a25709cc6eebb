/* SPDX-License-Identifier: MIT */
#include "ctl/payload.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/warcfile.h"
#include "common/xalloc.h"

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
        for (; isxdigit((unsigned char)*p) && size < PAYLOAD_MAX; p++)
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

/* Undoes one coding; false if it is not known or the data is not whole. */
static bool undo(const char *coding, struct buf *body)
{
    bool gzip = !strcmp(coding, "gzip") || !strcmp(coding, "x-gzip");
    if (!gzip && strcmp(coding, "deflate"))
        return false;
    struct buf plain = {0};
    if (warcfile_inflate(buf_data(body), buf_len(body), !gzip, PAYLOAD_MAX, &plain)) {
        buf_done(&plain);
        return false;
    }
    buf_done(body);
    *body = plain;
    return true;
}

/* Codings are undone from the last one backwards; those left over stay in the text. */
static void undo_all(char *codings, struct buf *body)
{
    for (;;) {
        size_t len = strlen(codings);
        while (len && strchr(" \t,", codings[len - 1]))
            codings[--len] = '\0';
        char *comma = strrchr(codings, ','), *last = comma ? comma + 1 : codings;
        last += strspn(last, " \t");
        if (!len || (strcmp(last, "identity") && !undo(last, body)))
            return;
        *last = '\0';
    }
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
    if (buf_len(ret_body))
        undo_all(coding, ret_body);
    const char *rest = coding + strspn(coding, " \t");
    snprintf(ret_coding, PAYLOAD_CODING, "%s", rest);
    free(transfer);
    free(coding);
    return 0;
}
