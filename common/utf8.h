/* SPDX-License-Identifier: MIT */
/* UTF-8 in bytes that may be anything (RFC 3629; what is none as the Encoding Standard counts it,
 * section 8.1.1). Pure. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#define UTF8_UNKNOWN "\xef\xbf\xbd" /* U+FFFD, for what is no character */

/* How many bytes at the start are ASCII. */
size_t utf8_ascii(const char *p, size_t n);

/* The character at p, n > 0: its length; 0: it may go on behind n; -k: k bytes are none. */
int utf8_sequence(const char *p, size_t n);

/* Is all of it valid? With !last it may end inside a character. */
bool utf8_valid(const char *p, size_t n, bool last);

/* Writes a code point of the basic plane; 1 to 3 bytes. */
size_t utf8_put(char *to, unsigned code);

#endif
