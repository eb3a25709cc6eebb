/* SPDX-License-Identifier: MIT */
/* Text of any charset becomes UTF-8. What is no character becomes U+FFFD; nothing fails. */
#ifndef PARSE_CONVERT_H
#define PARSE_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "daemon/parse/charset.h"

/* A converter for every charset, opened at once: iconv loads them from files, which a worker can
 * open only before it is ready. Lent to one text at a time. */
struct convert;

/* A converter this system lacks is logged; its text is ASCII and U+FFFD. */
struct convert *convert_new(void);
void convert_free(struct convert *c);

/* Begins a text. */
void convert_begin(struct convert *c, enum charset charset);

/* Appends what p[0..n) says to out. Returns how many bytes were used: the rest, fewer than 4, is
 * the start of a character and to be given again with what follows. last: all are used. */
size_t convert_run(struct convert *c, const char *p, size_t n, bool last, struct buf *out);

#endif
