/* SPDX-License-Identifier: MIT */
/* Small matters of text: numbers, durations and foreign bytes for people. */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <stdint.h>

#include "common/buf.h"

/* Appends n bytes with control bytes and bytes that are not UTF-8 as \xNN. */
void text_escape(struct buf *b, const char *s, size_t n);

/* Columns the NUL-terminated UTF-8 text takes (one per character, no wide ones). */
size_t text_columns(const char *s);

/* How many bytes of the text fit into so many columns. */
size_t text_fit(const char *s, int columns);

/* Columns of the terminal behind the descriptor, 0 if it is none. */
int text_terminal_columns(int fd);

/* Appends the text, broken at blanks where it would pass `columns` (0: nowhere); further lines
 * begin with `indent` blanks. The first one is at column indent already. */
void text_wrap(struct buf *b, const char *text, int indent, int columns);

/* 1234567 as "1,234,567". */
void text_count(struct buf *b, int64_t n);

/* Bytes as "17.3 MiB". */
void text_bytes(struct buf *b, double bytes);

/* Seconds as "0:07", "1:02:03", "3d 04:05". */
void text_span(struct buf *b, double seconds);

/* "2s", "500ms", "1.5h", "3m", "1d"; see common/quantity.h. 0, or -EINVAL. */
int text_duration_ns(const char *s, int64_t *ret_ns);

/* A whole decimal number within the bounds. 0, or -EINVAL. */
int text_number(const char *s, int64_t low, int64_t high, int64_t *ret_n);

#endif
