/* SPDX-License-Identifier: MIT */
/* `window` holds decoded bytes not yet used: at most a header and one read more.
 *
 *     source ─▶ window ─▶ header copied to `head`, its fields point in there
 *                     └─▶ block, piece by piece into the two hashes ─▶ CRLF CRLF
 *
 * A header line that begins with a blank goes on from the one before; none of the fields looked
 * at needs that, so it is passed over. */
#include "daemon/store/warcread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/sha1.h"
#include "common/xalloc.h"
#include "daemon/store/payload.h"
#include "daemon/store/source.h"

#define READ_BYTES 65536

enum field { TYPE, ID, DATE, LENGTH, TARGET, CONTENT_TYPE, BLOCK_DIGEST, PAYLOAD_DIGEST, FIELDS };

static const char *const field_names[FIELDS] = {
    [TYPE] = "WARC-Type",
    [ID] = "WARC-Record-ID",
    [DATE] = "WARC-Date",
    [LENGTH] = "Content-Length",
    [TARGET] = "WARC-Target-URI",
    [CONTENT_TYPE] = "Content-Type",
    [BLOCK_DIGEST] = "WARC-Block-Digest",
    [PAYLOAD_DIGEST] = "WARC-Payload-Digest",
};

struct warcread {
    struct source source;
    struct buf window, head;
    const char *fields[FIELDS]; /* values in `head`, NUL-terminated; NULL: absent */
    uint64_t block_bytes;
    struct sha1 block;
    struct payload payload;
    uint64_t offset; /* of the record being read */
    const char *why;
    int ended; /* 0: no; else what warcread_next() returns, 1 for 0 */
};

int warcread_new(int fd, struct warcread **ret_reader)
{
    struct warcread *w = xcalloc(1, sizeof *w);
    int err = source_begin(&w->source, fd);
    if (err) {
        free(w);
        return err;
    }
    buf_reserve(&w->window, READ_BYTES);
    *ret_reader = w;
    return 0;
}

void warcread_free(struct warcread *w)
{
    if (!w)
        return;
    source_done(&w->source);
    buf_done(&w->window);
    buf_done(&w->head);
    free(w);
}

const char *warcread_why(const struct warcread *w, uint64_t *ret_offset)
{
    *ret_offset = w->offset;
    return w->why;
}

static int bad(struct warcread *w, const char *why)
{
    w->why = why;
    return -EBADMSG;
}

static uint64_t window_offset(const struct warcread *w)
{
    return source_offset(&w->source) - (w->source.gzip ? 0 : buf_len(&w->window));
}

/* More bytes into the window: 1, 0 at the end of the member, -errno. */
static int window_fill(struct warcread *w)
{
    ssize_t n = source_read(&w->source, buf_reserve(&w->window, READ_BYTES), READ_BYTES);
    if (n == -EBADMSG)
        return bad(w, "the gzip member is damaged or cut short");
    if (n > 0)
        buf_grew(&w->window, (size_t)n);
    return n < 0 ? (int)n : n > 0;
}

/* 1, or `why` if the member ends before there are n bytes. */
static int window_need(struct warcread *w, size_t n, const char *why)
{
    while (buf_len(&w->window) < n) {
        int more = window_fill(w);
        if (more <= 0)
            return more ? more : bad(w, why);
    }
    return 1;
}

/* Moves the header with its blank line from the window to `head`. 1 or -errno. */
static int head_read(struct warcread *w)
{
    const char *end;
    size_t seen = 0;
    while (
        !(end = memmem(buf_data(&w->window) + seen, buf_len(&w->window) - seen, "\r\n\r\n", 4))) {
        size_t have = buf_len(&w->window);
        if (have > WARCREAD_HEAD_BYTES)
            return bad(w, "header too long");
        int got = window_need(w, have + 1, "cut short in a header");
        if (got < 0)
            return got;
        seen = have < 3 ? 0 : have - 3;
    }
    size_t n = (size_t)(end - buf_data(&w->window));
    buf_clear(&w->head);
    buf_add(&w->head, buf_data(&w->window), n + 2);
    buf_consume(&w->window, n + 4);
    return n <= WARCREAD_HEAD_BYTES ? 1 : bad(w, "header too long");
}

/* "Name: value", NUL-terminated. */
static int head_line(struct warcread *w, char *line)
{
    char *colon = strchr(line, ':');
    if (*line == ' ' || *line == '\t')
        return 1;
    if (!colon)
        return bad(w, "a header line without a colon");
    *colon = '\0';
    for (int f = 0; f < FIELDS; f++) {
        if (strcasecmp(line, field_names[f]))
            continue;
        if (w->fields[f])
            return bad(w, "a field is repeated");
        w->fields[f] = colon + 1 + strspn(colon + 1, " \t");
    }
    return 1;
}

static int head_length(struct warcread *w)
{
    const char *p = w->fields[LENGTH];
    uint64_t n = 0;
    size_t digits = strspn(p, "0123456789");
    if (!digits || p[digits] || digits > 18)
        return bad(w, "the length is no number");
    while (*p)
        n = n * 10 + (uint64_t)(*p++ - '0');
    w->block_bytes = n;
    return 1;
}

static int head_parse(struct warcread *w)
{
    char *line = buf_str(&w->head), *end = line + buf_len(&w->head);
    memset(w->fields, 0, sizeof w->fields);
    if (memchr(line, '\0', buf_len(&w->head)))
        return bad(w, "a NUL in a header");
    if (strncmp(line, "WARC/1.0\r\n", 10) && strncmp(line, "WARC/1.1\r\n", 10))
        return bad(w, "no WARC record");
    for (line += 10; line < end;) {
        char *next = strstr(line, "\r\n");
        *next = '\0';
        int ok = head_line(w, line);
        if (ok < 0)
            return ok;
        line = next + 2;
    }
    if (!w->fields[TYPE] || !w->fields[ID] || !w->fields[DATE] || !w->fields[LENGTH])
        return bad(w, "a field is missing");
    return head_length(w);
}

static int block_read(struct warcread *w)
{
    sha1_init(&w->block);
    payload_init(&w->payload);
    for (uint64_t left = w->block_bytes; left;) {
        int got = window_need(w, 1, "cut short in a block");
        if (got < 0)
            return got;
        size_t n = buf_len(&w->window) < left ? buf_len(&w->window) : (size_t)left;
        sha1_update(&w->block, buf_data(&w->window), n);
        payload_add(&w->payload, buf_data(&w->window), n);
        buf_consume(&w->window, n);
        left -= n;
    }
    int got = window_need(w, 4, "cut short behind a block");
    if (got < 0)
        return got;
    if (memcmp(buf_data(&w->window), "\r\n\r\n", 4))
        return bad(w, "the block is not followed by its two ends of line");
    buf_consume(&w->window, 4);
    return 1;
}

/* A member must end where its record ends; reading on also checks the member's checksum. */
static int member_end(struct warcread *w)
{
    if (!w->source.gzip)
        return 1;
    int more = buf_len(&w->window) ? 1 : window_fill(w);
    return more < 0 ? more : more ? bad(w, "more than one record in a gzip member") : 1;
}

/* A digest of another kind than sha1 is not checked. */
static bool digest_ok(const char *text, const uint8_t digest[SHA1_BYTES])
{
    char want[SHA1_BASE32_CHARS];
    if (!text || strncasecmp(text, "sha1:", 5))
        return true;
    sha1_base32(digest, want);
    return strlen(text + 5) == SHA1_BASE32_CHARS && !strncasecmp(text + 5, want, SHA1_BASE32_CHARS);
}

/* The payload of an HTTP message is its body, else it is the block; that of a revisit is not
 * here. */
static bool digests_ok(struct warcread *w)
{
    uint8_t block[SHA1_BYTES], body[SHA1_BYTES];
    const char *type = w->fields[CONTENT_TYPE];
    bool http = type && !strncasecmp(type, "application/http", 16);
    sha1_final(&w->block, block);
    sha1_final(&w->payload.sha1, body);
    if (!digest_ok(w->fields[BLOCK_DIGEST], block))
        return false;
    return !strcasecmp(w->fields[TYPE], "revisit") ||
           digest_ok(w->fields[PAYLOAD_DIGEST], http ? body : block);
}

/* 1: there is a further record, 0: end of the file. */
static int record_begin(struct warcread *w)
{
    if (!buf_len(&w->window) && (w->source.gzip || !w->source.in_member)) {
        w->offset = source_offset(&w->source);
        return source_member(&w->source);
    }
    w->offset = window_offset(w);
    return buf_len(&w->window) ? 1 : window_fill(w);
}

static int record_read(struct warcread *w)
{
    static int (*const steps[])(struct warcread *) = {record_begin, head_read, head_parse,
                                                      block_read, member_end};
    int got = 1;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && got > 0; i++)
        got = steps[i](w);
    return got;
}

int warcread_next(struct warcread *w, struct warc_record *ret_record)
{
    if (w->ended)
        return w->ended < 0 ? w->ended : 0;
    int got = record_read(w);
    if (got <= 0) {
        w->ended = got ? got : 1;
        return got;
    }
    *ret_record = (struct warc_record){.type = w->fields[TYPE],
                                       .target = w->fields[TARGET],
                                       .offset = w->offset,
                                       .stored_bytes = window_offset(w) - w->offset,
                                       .block_bytes = w->block_bytes,
                                       .digest_ok = digests_ok(w)};
    return 1;
}
