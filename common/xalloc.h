/* SPDX-License-Identifier: MIT */
/* Allocation that cannot fail. Small, bounded allocations use these: when memory is out the
 * process logs it and aborts, which is safe because every process may be killed at any
 * instant. What a peer can make large (bodies, read buffers) is charged to a budget first. */
#ifndef COMMON_XALLOC_H
#define COMMON_XALLOC_H

#include <stddef.h>

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));

/* Copies n bytes and adds a NUL behind them. */
char *xmemdup0(const void *p, size_t n) __attribute__((malloc, returns_nonnull));

#endif
