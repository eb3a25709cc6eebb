/* SPDX-License-Identifier: MIT */
/* The encodings of the WHATWG Encoding Standard: the reader of charset.def. */
#ifndef PARSE_CHARSET_H
#define PARSE_CHARSET_H

#include <stddef.h>

enum charset {
    CHARSET_NONE, /* not known */
#define CHARSET(symbol, ...) CHARSET_##symbol,
#include "daemon/parse/charset.def"
#undef CHARSET
    CHARSET_COUNT
};

enum charset_kind {
    CHARSET_KIND_UTF8,
    CHARSET_KIND_SINGLE,
    CHARSET_KIND_MULTI,
    CHARSET_KIND_STATEFUL,
    CHARSET_KIND_WIDE,
    CHARSET_KIND_USER,
    CHARSET_KIND_REPLACEMENT,
};

/* "utf-8"; empty for CHARSET_NONE. */
const char *charset_name(enum charset c);

/* How it is decoded, and iconv's name for it. Not of CHARSET_NONE. */
enum charset_kind charset_kind(enum charset c);
const char *charset_iconv(enum charset c);

/* The encoding a label means, white space around it and case aside (section 4.2, "get an
 * encoding"); CHARSET_NONE if it is none. */
enum charset charset_find(const char *label, size_t n);

#endif
