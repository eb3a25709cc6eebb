/* SPDX-License-Identifier: MIT */
/* The fixed text is made of syllables of a linear congruential generator, so that it packs about
 * as well as prose and a test in any language can make it again:
 *   x = x * 1664525 + 1013904223 (32 bits, from 1); a letter of "bcdfghjklmnprstv" by its top 4
 *   bits, a vowel of "aeiou" by (x >> 16) % 5; a blank behind a syllable if (x >> 12) % 3 is 0,
 *   a newline instead if (x >> 8) % 40 is 0 too. */
#include "tests/servers/reply.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define CHUNK_BYTES 1000

static const char *fixed_text(void)
{
    static char text[REPLY_TEXT_BYTES + 4];
    if (text[0])
        return text;
    uint32_t x = 1;
    for (size_t n = 0; n < REPLY_TEXT_BYTES;) {
        x = x * 1664525 + 1013904223;
        text[n++] = "bcdfghjklmnprstv"[x >> 28];
        text[n++] = "aeiou"[(x >> 16) % 5];
        if ((x >> 12) % 3 == 0)
            text[n++] = (x >> 8) % 40 == 0 ? '\n' : ' ';
    }
    return text;
}

static uint32_t fnv1a(const char *s)
{
    uint32_t h = 2166136261u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

void reply_init(struct reply *r, const char *target, uint64_t body_bytes)
{
    *r = (struct reply){.status = 200,
                        .type = "text/html; charset=utf-8",
                        .file = -1,
                        .target = target,
                        .text_start = fnv1a(target) % REPLY_TEXT_BYTES};
    reply_generate(r, body_bytes);
}

void reply_generate(struct reply *r, uint64_t body_bytes)
{
    r->body_bytes = r->declared_bytes = body_bytes;
}

void reply_say(struct reply *r, int status, const char *type, const char *text, size_t n)
{
    r->status = status;
    r->type = type;
    buf_add(&r->memory, text, n);
    reply_generate(r, n);
}

void reply_done(struct reply *r)
{
    buf_done(&r->headers);
    buf_done(&r->memory);
    if (r->file >= 0)
        close(r->file);
    r->file = -1;
}

static const char *reason_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } known[] = {{200, "OK"},
                 {204, "No Content"},
                 {301, "Moved Permanently"},
                 {302, "Found"},
                 {304, "Not Modified"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {429, "Too Many Requests"},
                 {500, "Internal Server Error"},
                 {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status)
            return known[i].phrase;
    return "Status";
}

static bool status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void put(char **at, const char *s)
{
    size_t n = strlen(s);
    memcpy(*at, s, n);
    *at += n;
}

static void put_number(char **at, uint64_t n)
{
    char digits[20];
    size_t i = sizeof digits;
    do
        digits[--i] = (char)('0' + n % 10);
    while (n /= 10);
    memcpy(*at, digits + i, sizeof digits - i);
    *at += sizeof digits - i;
}

static void put_header(char **at, const char *name, const char *value)
{
    put(at, name);
    put(at, value);
    put(at, "\r\n");
}

/* At most 512 bytes; the route's own headers follow from memory of any size. */
static size_t fill_head(struct reply *r, bool keep_alive, char *p)
{
    char *at = p;
    bool kept = keep_alive && r->ending != ENDS_CLOSED && r->framing != FRAMED_BY_CLOSE;
    put(&at, "HTTP/1.1 ");
    put_number(&at, (uint64_t)r->status);
    put(&at, " ");
    put_header(&at, reason_phrase(r->status), "");
    put_header(&at, "Server: ", "origin");
    if (r->type && status_has_body(r->status))
        put_header(&at, "Content-Type: ", r->type);
    if (r->framing == FRAMED_BY_CHUNKS) {
        put_header(&at, "Transfer-Encoding: ", "chunked");
    } else if (r->framing == FRAMED_BY_LENGTH && status_has_body(r->status)) {
        put(&at, "Content-Length: ");
        put_number(&at, r->declared_bytes);
        put(&at, "\r\n");
    }
    put_header(&at, "Connection: ", kept || r->ending == ENDS_STALE ? "keep-alive" : "close");
    if (!status_has_body(r->status))
        r->without_body = true;
    return (size_t)(at - p);
}

static size_t copy_memory(struct reply *r, char *p, size_t n)
{
    memcpy(p, buf_data(&r->memory) + r->sent_bytes, n);
    return n;
}

static size_t copy_generated(struct reply *r, char *p, size_t n)
{
    const char *text = fixed_text();
    size_t target_bytes = strlen(r->target), done = 0;
    for (uint64_t at = r->sent_bytes; done < n; at = r->sent_bytes + done) {
        if (at < target_bytes) {
            size_t part = target_bytes - at < n - done ? target_bytes - at : n - done;
            memcpy(p + done, r->target + at, part);
            done += part;
        } else if (at == target_bytes) {
            p[done++] = '\n';
        } else {
            size_t from = (r->text_start + (at - target_bytes - 1)) % REPLY_TEXT_BYTES;
            size_t part = REPLY_TEXT_BYTES - from < n - done ? REPLY_TEXT_BYTES - from : n - done;
            memcpy(p + done, text + from, part);
            done += part;
        }
    }
    return n;
}

static long copy_file(struct reply *r, char *p, size_t n)
{
    ssize_t got = pread(r->file, p, n, (off_t)r->sent_bytes);
    return got > 0 ? got : got == 0 ? -EIO : -errno;
}

/* The next at most n bytes of the body. */
static long copy_body(struct reply *r, char *p, size_t n)
{
    uint64_t left = r->body_bytes - r->sent_bytes;
    n = left < n ? (size_t)left : n;
    long got = r->file >= 0          ? copy_file(r, p, n)
               : buf_len(&r->memory) ? (long)copy_memory(r, p, n)
                                     : (long)copy_generated(r, p, n);
    if (got > 0)
        r->sent_bytes += (uint64_t)got;
    return got;
}

static long fill_chunk(struct reply *r, char *p)
{
    if (r->sent_bytes == r->body_bytes) {
        r->end_sent = true;
        memcpy(p, "0\r\n\r\n", 5);
        return 5;
    }
    uint64_t left = r->body_bytes - r->sent_bytes;
    unsigned chunk_bytes = left < CHUNK_BYTES ? (unsigned)left : CHUNK_BYTES;
    int line_bytes = sprintf(p, "%x\r\n", chunk_bytes);
    long got = copy_body(r, p + line_bytes, chunk_bytes);
    if (got < 0)
        return got;
    memcpy(p + line_bytes + got, "\r\n", 2);
    return line_bytes + got + 2;
}

static long fill_body(struct reply *r, char *p, size_t room)
{
    if (r->without_body || r->end_sent)
        return 0;
    if (r->framing != FRAMED_BY_CHUNKS)
        return r->sent_bytes == r->body_bytes ? 0 : copy_body(r, p, room);
    return room < CHUNK_BYTES + 16 ? 0 : fill_chunk(r, p);
}

static size_t fill_headers(struct reply *r, bool keep_alive, char *p, size_t room)
{
    size_t n = fill_head(r, keep_alive, p);
    size_t more = buf_len(&r->headers);
    if (more && more <= room - n - 2) {
        memcpy(p + n, buf_data(&r->headers), more);
        n += more;
    }
    memcpy(p + n, "\r\n", 2);
    r->head_sent = true;
    return n + 2;
}

long reply_fill(struct reply *r, bool keep_alive, char *ret_bytes, size_t room)
{
    if (!r->status)
        return 0;
    size_t n = r->head_sent ? 0 : fill_headers(r, keep_alive, ret_bytes, room);
    if (n && r->bytes_per_s)
        return (long)n;
    while (n < room) {
        long got = fill_body(r, ret_bytes + n, room - n);
        if (got < 0)
            return got;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (long)n;
}
