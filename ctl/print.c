/* SPDX-License-Identifier: MIT */
#include "ctl/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/jsonp.h"
#include "ctl/table.h"
#include "ctl/text.h"

#define COLUMNS_MAX 32

void print_json(const json_t *value, bool indented)
{
    json_dumpf(value, stdout, JSON_ENCODE_ANY | (indented ? JSON_INDENT(2) : JSON_COMPACT));
    putchar('\n');
}

void print_value(struct buf *b, const json_t *value, enum column_kind kind)
{
    if (!value || json_is_null(value)) {
        buf_addc(b, '-');
    } else if (json_is_string(value)) {
        text_escape(b, json_string_value(value), json_string_length(value));
    } else if (json_is_number(value) && kind == COLUMN_BYTES) {
        text_bytes(b, json_number_value(value));
    } else if (json_is_number(value) && kind == COLUMN_SPAN) {
        text_span(b, json_number_value(value));
    } else if (json_is_integer(value) && kind == COLUMN_COUNT) {
        text_count(b, json_integer_value(value));
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        buf_adds(b, text ? text : "?");
        free(text);
    }
}

void print_csv_field(struct buf *b, const json_t *value)
{
    char *owned = NULL;
    const char *text = json_string_value(value);
    if (!text && value && !json_is_null(value))
        text = owned = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text)
        text = "";
    if (strpbrk(text, ",\"\r\n")) {
        buf_addc(b, '"');
        for (const char *p = text; *p; p++) {
            if (*p == '"')
                buf_addc(b, '"');
            buf_addc(b, *p);
        }
        buf_addc(b, '"');
    } else {
        buf_adds(b, text);
    }
    free(owned);
}

static void flush(struct buf *b)
{
    fwrite(buf_data(b), 1, buf_len(b), stdout);
    buf_done(b);
}

static void print_csv(const json_t *items, const struct column *columns)
{
    struct buf b = {0};
    for (const struct column *c = columns; c->title; c++)
        buf_addf(&b, "%s%s", c == columns ? "" : ",", c->path);
    buf_adds(&b, "\r\n");
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item)
    {
        for (const struct column *c = columns; c->title; c++) {
            if (c != columns)
                buf_addc(&b, ',');
            print_csv_field(&b, jsonp_at(item, c->path));
        }
        buf_adds(&b, "\r\n");
    }
    flush(&b);
}

/* Has a text in any item? */
static bool has_text(const json_t *items, const struct column *c)
{
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item)
    {
        const json_t *value = jsonp_at(item, c->path);
        if (!json_is_string(value) || json_string_length(value))
            return true;
    }
    return !json_array_size(items);
}

/* Which columns a table shows: not the wide ones, and none that is empty in every row. */
static size_t choose(const json_t *items, const struct column *columns, bool wide,
                     const struct column **ret_shown)
{
    size_t n = 0;
    for (const struct column *c = columns; c->title && n < COLUMNS_MAX; c++)
        if (wide || (!c->wide && (c->kind != COLUMN_TEXT || has_text(items, c))))
            ret_shown[n++] = c;
    return n;
}

static void print_table(const json_t *items, const struct column *columns, bool wide)
{
    const struct column *shown[COLUMNS_MAX];
    size_t count = choose(items, columns, wide, shown), i;
    struct table *t = table_new(count);
    for (size_t k = 0; k < count; k++) {
        table_cell(t, shown[k]->title);
        if (shown[k]->kind != COLUMN_TEXT)
            table_right(t, k);
    }
    json_t *item;
    struct buf cell = {0};
    json_array_foreach(items, i, item)
    {
        for (size_t k = 0; k < count; k++) {
            buf_clear(&cell);
            print_value(&cell, jsonp_at(item, shown[k]->path), shown[k]->kind);
            table_cell(t, buf_str(&cell));
        }
    }
    buf_done(&cell);
    table_print(t);
    table_free(t);
}

void print_items(const struct ctl *ctl, const json_t *result, const json_t *items,
                 const struct column *columns)
{
    size_t i;
    json_t *item;
    switch (ctl->format) {
    case FORMAT_JSON:
        print_json(result, true);
        break;
    case FORMAT_JSONL:
        json_array_foreach(items, i, item) print_json(item, false);
        break;
    case FORMAT_CSV:
        print_csv(items, columns);
        break;
    case FORMAT_TABLE:
    case FORMAT_WIDE:
        print_table(items, columns, ctl->format == FORMAT_WIDE);
        break;
    }
}

static void flatten(struct buf *b, struct buf *path, const json_t *value)
{
    size_t len = buf_len(path), i;
    const char *key;
    json_t *inner;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, inner)
        {
            buf_addf(path, "%s%s", len ? "." : "", key);
            flatten(b, path, inner);
            buf_cut(path, len);
        }
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, inner)
        {
            buf_addf(path, "%s%zu", len ? "." : "", i);
            flatten(b, path, inner);
            buf_cut(path, len);
        }
    } else {
        json_t *name = json_string(buf_str(path));
        print_csv_field(b, name);
        buf_addc(b, ',');
        print_csv_field(b, value);
        buf_adds(b, "\r\n");
        json_decref(name);
    }
}

bool print_object(const struct ctl *ctl, const json_t *result)
{
    if (ctl->format == FORMAT_TABLE || ctl->format == FORMAT_WIDE)
        return false;
    if (ctl->format != FORMAT_CSV) {
        print_json(result, ctl->format == FORMAT_JSON);
        return true;
    }
    struct buf b = {0}, path = {0};
    buf_adds(&b, "path,value\r\n");
    flatten(&b, &path, result);
    buf_done(&path);
    flush(&b);
    return true;
}

void print_lines(const json_t *object, const struct column *lines)
{
    for (; lines->title; lines++) {
        const json_t *value = jsonp_at(object, lines->path);
        if (!value || json_is_null(value) || (json_is_string(value) && !json_string_length(value)))
            continue;
        struct buf b = {0};
        print_value(&b, value, lines->kind);
        printf("%-*s %s\n", PRINT_TITLE_COLUMNS, lines->title, buf_str(&b));
        buf_done(&b);
    }
}
