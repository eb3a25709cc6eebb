/* SPDX-License-Identifier: MIT */
/* The path of a URL as text under construction (WHATWG URL, path state). Inside of common/url.c. */
#ifndef COMMON_URL_PATH_H
#define COMMON_URL_PATH_H

#include <stdbool.h>

struct url_path {
    char *start; /* of the path in the output; what lies there may come from a base */
    char *w;     /* its end */
    bool special;
    bool file;
};

/* Appends the segments of [p, end), which starts behind a slash, resolving dots; stops at '?' or
 * '#'. Returns where it stopped. Needs three bytes for each byte and one more. */
const char *url_path_append(struct url_path *path, const char *p, const char *end);

/* Drops the last segment, but never a drive letter of a file URL. */
void url_path_shorten(struct url_path *path);

/* Does [p, end) start with "C:" or "C|" as a whole segment? */
bool url_path_drive(const char *p, const char *end);

#endif
