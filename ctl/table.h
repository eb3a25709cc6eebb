/* SPDX-License-Identifier: MIT */
/* Rows of cells, printed aligned on stdout. */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table;

struct table *table_new(size_t columns);
void table_free(struct table *t);

/* The next cell, row by row; the text is taken as it is and copied. */
void table_cell(struct table *t, const char *text);

void table_right(struct table *t, size_t column);

/* Two blanks between columns, one where a terminal is too narrow for two,
 * none at the end of lines. */
void table_print(const struct table *t);

#endif
