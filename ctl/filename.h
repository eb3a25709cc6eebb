/* SPDX-License-Identifier: MIT */
/* Names for files made of URLs: letters, digits, - _ . only, never hidden, never too long, unique
 * by the number in front. */
#ifndef CTL_FILENAME_H
#define CTL_FILENAME_H

#include <stdint.h>

#include "common/buf.h"

#define FILENAME_MAX_BYTES 120

/* "000017-a.html": of the last part of the URL's path; an extension by the media type if it has
 * none. */
void filename_make(struct buf *b, uint64_t seq, const char *url, const char *mime);

#endif
