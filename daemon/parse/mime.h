/* SPDX-License-Identifier: MIT */
/* A Content-Type field's value (RFC 9110, section 8.3). Pure. */
#ifndef PARSE_MIME_H
#define PARSE_MIME_H

#include <stdbool.h>

#define MIME_TYPE_BYTES    128 /* longer ones are cut */
#define MIME_CHARSET_BYTES 64

struct mime {
    char type[MIME_TYPE_BYTES];       /* "text/html", lower case; empty: not said */
    char charset[MIME_CHARSET_BYTES]; /* the parameter as it was sent, lower case; empty: none */
};

/* Printable ASCII goes into ret_mime, up to the first other byte. */
void mime_parse(const char *value, struct mime *ret_mime);

/* May a charset be declared inside: by HTML's meta elements, by an XML declaration? No type at all
 * counts as HTML. */
bool mime_is_html(const char *type);
bool mime_is_xml(const char *type);

/* Is it a compressed format, so that compressing it again gains nothing? */
bool mime_is_dense(const char *type);

#endif
