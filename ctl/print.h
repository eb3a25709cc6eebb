/* SPDX-License-Identifier: MIT */
/* Results on stdout in the format asked for. */
#ifndef CTL_PRINT_H
#define CTL_PRINT_H

#include <jansson.h>

#include "ctl/ctl.h"

#define PRINT_TITLE_COLUMNS 14 /* of "title value" lines */

/* COUNT: 1,234; NUMBER: as it is, right-aligned. */
enum column_kind { COLUMN_TEXT, COLUMN_COUNT, COLUMN_NUMBER, COLUMN_BYTES, COLUMN_SPAN };

struct column {
    const char *title; /* NULL ends a list of columns */
    const char *path;  /* into the item */
    enum column_kind kind;
    bool wide; /* not in the plain table */
};

/* JSON on one line or indented, with its newline. */
void print_json(const json_t *value, bool indented);

/* A list: `result` unchanged as json, each of its items as jsonl, columns as csv and tables. */
void print_items(const struct ctl *ctl, const json_t *result, const json_t *items,
                 const struct column *columns);

/* True if the format is one of the machine's and the object has been printed in it; as csv one
 * record "path,value" per scalar. */
bool print_object(const struct ctl *ctl, const json_t *result);

/* "title value" lines for people; what is not there is left out. */
void print_lines(const json_t *object, const struct column *lines);

/* One scalar as people read it. */
void print_value(struct buf *b, const json_t *value, enum column_kind kind);

/* A value as a CSV field (RFC 4180). */
void print_csv_field(struct buf *b, const json_t *value);

#endif
