/* SPDX-License-Identifier: MIT */
#include "common/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/xalloc.h"

#define BIG_BYTES (1 << 20) /* beyond it, growing moves no bytes and waste weighs more */

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->cap - b->len >= n)
        return b->p + b->len;
    if (b->head && b->cap - buf_len(b) >= n && b->head >= buf_len(b)) {
        memmove(b->p, b->p + b->head, buf_len(b));
        b->len -= b->head;
        b->head = 0;
        return b->p + b->len;
    }
    size_t cap = b->cap ? b->cap : 64;
    while (cap - b->len < n)
        cap += cap < BIG_BYTES ? cap : cap / 4;
    b->p = xrealloc(b->p, cap);
    b->cap = cap;
    return b->p + b->len;
}

void buf_addu(struct buf *b, uint64_t n)
{
    char digits[20], *p = digits + sizeof digits;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    buf_add(b, p, (size_t)(digits + sizeof digits - p));
}

void buf_addv(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    char small[256];
    int n = vsnprintf(small, sizeof small, fmt, ap);
    if (n >= 0 && (size_t)n < sizeof small)
        buf_add(b, small, (size_t)n);
    else if (n >= 0)
        b->len += (size_t)vsnprintf(buf_reserve(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
    va_end(again);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_addv(b, fmt, ap);
    va_end(ap);
}

void buf_consume(struct buf *b, size_t n)
{
    b->head += n;
    if (b->head == b->len)
        b->head = b->len = 0;
}

void buf_cut(struct buf *b, size_t n)
{
    if (n < buf_len(b))
        b->len = b->head + n;
}

char *buf_str(struct buf *b)
{
    *buf_reserve(b, 1) = '\0';
    return buf_data(b);
}

void buf_done(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

char *buf_take(struct buf *b, size_t *ret_len)
{
    if (ret_len)
        *ret_len = buf_len(b);
    char *copy = b->head ? xmemdup0(buf_data(b), buf_len(b)) : buf_str(b);
    if (b->head)
        free(b->p);
    *b = (struct buf){0};
    return copy;
}
