/* SPDX-License-Identifier: MIT */
/* A growing byte buffer that is consumed from the front. Embedded; zero it or buf_init() it.
 *
 *      p ──▶ [ consumed | data ......... | free ... ]
 *              0         head            len       cap
 *
 * Readable bytes: buf_data(), buf_len(). Appending may move the memory. */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    char *p;     /* owned */
    size_t head; /* bytes consumed */
    size_t len;  /* end of data, from p */
    size_t cap;  /* bytes allocated */
};

static inline char *buf_data(const struct buf *b)
{
    return b->p + b->head;
}

static inline size_t buf_len(const struct buf *b)
{
    return b->len - b->head;
}

/* Makes room for n more bytes and returns where they go; buf_grew(n) then takes them in. */
char *buf_reserve(struct buf *b, size_t n);

static inline void buf_grew(struct buf *b, size_t n)
{
    b->len += n;
}

static inline void buf_add(struct buf *b, const void *p, size_t n)
{
    if (n) {
        memcpy(buf_reserve(b, n), p, n);
        b->len += n;
    }
}

static inline void buf_addc(struct buf *b, char c)
{
    *buf_reserve(b, 1) = c;
    b->len++;
}

static inline void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

/* Decimal number. */
void buf_addu(struct buf *b, uint64_t n);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Drops n bytes from the front; n must not exceed buf_len(). */
void buf_consume(struct buf *b, size_t n);

/* Keeps only the first n readable bytes. */
void buf_cut(struct buf *b, size_t n);

/* A NUL behind the data (not counted) and the data's start. */
char *buf_str(struct buf *b);

/* Empties it, keeps the memory. */
static inline void buf_clear(struct buf *b)
{
    b->head = b->len = 0;
}

/* Frees the memory; the buffer can be used again. */
void buf_done(struct buf *b);

/* Moves the memory out (NUL-terminated); the caller frees it. The buffer is empty after it. */
char *buf_take(struct buf *b, size_t *ret_len);

#endif
