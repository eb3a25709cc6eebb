/* SPDX-License-Identifier: MIT */
/* The members of rows, as --fields names them: common/rows.def. */
#ifndef CTL_FIELDS_H
#define CTL_FIELDS_H

#include <stdbool.h>

#include "common/buf.h"

/* Is it the path of a member ("url", "warc.file"), an object of members ("warc") or an item of a list
 * ("redirects.0")? */
bool field_known(const char *path);

/* The known path that was likely meant; NULL if none is near. */
const char *field_suggest(const char *path);

/* Appends the columns of CSV when none are named: "seq,outcome,...". */
void fields_csv(struct buf *out);

#endif
