/* SPDX-License-Identifier: MIT */
/*     HEAD ─▶ BODY
 *       └───▶ SIZE ─▶ SIZE_REST ─▶ CHUNK ─▶ CHUNK_END ─▶ SIZE ...   a chunk of 0 bytes: OVER
 *
 * A line ends in LF; a CR before it does not count. */
#include "daemon/store/payload.h"

#include <string.h>
#include <strings.h>

enum state { HEAD, BODY, SIZE, SIZE_REST, CHUNK, CHUNK_END, OVER };

void payload_init(struct payload *p)
{
    sha1_init(&p->sha1);
    p->state = HEAD;
    p->chunked = p->folding = false;
    p->line_len = 0;
    p->left_bytes = 0;
}

/* Looks whether the value's last word is "chunked". */
static bool value_is_chunked(const char *value, size_t n)
{
    static const char word[] = "chunked";
    while (n && strchr(" \t\r", value[n - 1]))
        n--;
    return n >= sizeof word - 1 &&
           !strncasecmp(value + n - (sizeof word - 1), word, sizeof word - 1);
}

static void head_line(struct payload *p)
{
    static const char name[] = "transfer-encoding:";
    const size_t name_len = sizeof name - 1;
    bool folded = p->line_len && (p->line[0] == ' ' || p->line[0] == '\t');
    bool named = p->line_len >= name_len && !strncasecmp(p->line, name, name_len);
    size_t skip = named ? name_len : 0;
    p->folding = named || (folded && p->folding);
    if (p->folding)
        p->chunked = value_is_chunked(p->line + skip, p->line_len - skip);
}

static void head_byte(struct payload *p, char c)
{
    if (c != '\n') {
        if (p->line_len < sizeof p->line)
            p->line[p->line_len++] = c;
        return;
    }
    if (!p->line_len || (p->line_len == 1 && p->line[0] == '\r'))
        p->state = p->chunked ? SIZE : BODY;
    else
        head_line(p);
    p->line_len = 0;
}

static void size_byte(struct payload *p, char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *d = c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;
    if (d && p->state == SIZE && !(p->left_bytes >> 59))
        p->left_bytes = p->left_bytes << 4 | (uint64_t)(d - digits);
    else if (c == '\n')
        p->state = p->left_bytes ? CHUNK : OVER;
    else
        p->state = p->state == SIZE_REST || strchr("; \t\r", c) ? SIZE_REST : OVER;
}

static void payload_byte(struct payload *p, char c)
{
    if (p->state == HEAD)
        head_byte(p, c);
    else if (p->state == CHUNK_END)
        p->state = c == '\r' ? CHUNK_END : c == '\n' ? SIZE : OVER;
    else
        size_byte(p, c);
}

void payload_add(struct payload *p, const char *bytes, size_t n)
{
    while (n && p->state != OVER) {
        size_t take = n;
        if (p->state == BODY) {
            sha1_update(&p->sha1, bytes, n);
        } else if (p->state == CHUNK) {
            take = n < p->left_bytes ? n : (size_t)p->left_bytes;
            sha1_update(&p->sha1, bytes, take);
            p->left_bytes -= take;
            if (!p->left_bytes)
                p->state = CHUNK_END;
        } else {
            take = 1;
            payload_byte(p, *bytes);
        }
        bytes += take;
        n -= take;
    }
}
