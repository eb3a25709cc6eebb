/* SPDX-License-Identifier: MIT */
#include "ctl/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "ctl/text.h"

struct table {
    size_t columns, count, cap; /* columns of a row; cells; room for cells */
    char **cells;               /* owned, each */
    size_t *width;              /* owned; of each column */
    bool *right;                /* owned */
};

struct table *table_new(size_t columns)
{
    struct table *t = xcalloc(1, sizeof *t);
    t->columns = columns;
    t->width = xcalloc(columns, sizeof *t->width);
    t->right = xcalloc(columns, sizeof *t->right);
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t->width);
    free(t->right);
    free(t);
}

void table_cell(struct table *t, const char *text)
{
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->cells = xrealloc(t->cells, t->cap * sizeof *t->cells);
    }
    size_t column = t->count % t->columns, width = text_columns(text);
    if (width > t->width[column])
        t->width[column] = width;
    t->cells[t->count++] = xstrdup(text);
}

void table_right(struct table *t, size_t column)
{
    t->right[column] = true;
}

/* One blank or two: what the terminal has room for. */
static const char *gap(const struct table *t)
{
    size_t width = 2 * (t->columns - 1), room = (size_t)text_terminal_columns(STDOUT_FILENO);
    for (size_t i = 0; i < t->columns; i++)
        width += t->width[i];
    return room && width > room ? " " : "  ";
}

static void puts_trimmed(struct buf *line)
{
    size_t len = buf_len(line);
    while (len && buf_data(line)[len - 1] == ' ')
        len--;
    buf_cut(line, len);
    puts(buf_str(line));
}

void table_print(const struct table *t)
{
    const char *between = gap(t);
    struct buf line = {0};
    for (size_t i = 0; i < t->count; i++) {
        size_t column = i % t->columns;
        int pad = (int)(t->width[column] - text_columns(t->cells[i]));
        if (t->right[column])
            buf_addf(&line, "%*s%s", pad, "", t->cells[i]);
        else
            buf_addf(&line, "%s%*s", t->cells[i], pad, "");
        if (column + 1 < t->columns) {
            buf_adds(&line, between);
            continue;
        }
        puts_trimmed(&line);
        buf_clear(&line);
    }
    buf_done(&line);
}
