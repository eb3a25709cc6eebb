/* SPDX-License-Identifier: MIT */
/* The charset that a page declares inside itself: the HTML standard's "prescan a byte stream to
 * determine its encoding" and "get an XML encoding" (section 13.2.3.2). Pure. */
#ifndef PARSE_PRESCAN_H
#define PARSE_PRESCAN_H

#include "daemon/parse/charset.h"

#define PRESCAN_BYTES 1024 /* of a page; further ones are not looked at */

/* A meta element, or else an XML declaration; CHARSET_NONE if neither says any that is known. */
enum charset prescan_html(const char *p, size_t n);

enum charset prescan_xml(const char *p, size_t n);

#endif
