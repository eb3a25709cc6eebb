/* SPDX-License-Identifier: MIT */
/* The body inside a stored HTTP response: head stripped, chunks joined, content codings taken
 * off within the limits of common/inflate.h. */
#ifndef CTL_PAYLOAD_H
#define CTL_PAYLOAD_H

#include <stddef.h>

#include "common/buf.h"

#define PAYLOAD_CODING 64

/* ret_coding: the codings that are left on the body, "" if none: a body that is cut short or
 * broken, or would become too large, comes as it is. 0, or -EBADMSG if there is no HTTP head. */
int payload_read(const char *http, size_t len, struct buf *ret_body,
                 char ret_coding[PAYLOAD_CODING]);

#endif
