/* SPDX-License-Identifier: MIT */
#include "common/spec_row.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/suggest.h"

const struct spec_row spec_rows[] = {
#define SPEC(path, kind, field, def, min, max, unit, flag, words, help)                            \
    {path, def, unit, flag, words, help, SPEC_KIND_##kind, true, offsetof(struct job_spec, field), \
     min,  max},
#define LATER(path, kind, off, unit, flag, help)                                                   \
    {path, off, unit, flag, "", help, SPEC_KIND_##kind, false, 0, 0, 0},
#define PRESET(...)
#include "common/spec.def"
#undef SPEC
#undef LATER
#undef PRESET
};

const size_t spec_rows_count = sizeof spec_rows / sizeof *spec_rows;

const struct spec_row *spec_row_find(const char *path)
{
    for (size_t i = 0; i < spec_rows_count; i++)
        if (!strcmp(spec_rows[i].path, path))
            return &spec_rows[i];
    return NULL;
}

bool spec_row_is_group(const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < spec_rows_count; i++)
        if (!strncmp(spec_rows[i].path, path, n) && spec_rows[i].path[n] == '.')
            return true;
    return false;
}

const char *spec_row_suggest(const char *path)
{
    const char *dot = strrchr(path, '.'), *given_leaf = dot ? dot + 1 : path;
    struct suggest whole, leaf;
    suggest_init(&whole, path);
    suggest_init(&leaf, given_leaf);
    for (size_t i = 0; i < spec_rows_count; i++) {
        const char *row = spec_rows[i].path, *row_dot = strchr(row, '.');
        suggest_offer(&whole, row, row);
        suggest_offer(&leaf, row_dot ? row_dot + 1 : row, row);
        if (spec_rows[i].flag[0])
            suggest_offer(&leaf, spec_rows[i].flag, row);
    }
    const char *answer = suggest_answer(&leaf);
    if (!answer || whole.distance < leaf.distance)
        answer = suggest_answer(&whole);
    return answer;
}

bool spec_row_word(const struct spec_row *row, size_t index, char *ret_word, size_t size,
                   bool *ret_built)
{
    const char *p = row->words;
    for (; index && *p; index--)
        p += strcspn(p, "|") + (p[strcspn(p, "|")] != '\0');
    size_t n = strcspn(p, "|");
    if (!n)
        return false;
    *ret_built = p[n - 1] != '!';
    snprintf(ret_word, size, "%.*s", (int)(n - !*ret_built), p);
    return true;
}

/* Ends the text before a character that was cut, and leaves nothing a terminal would obey. */
static void clean(char *text, size_t size)
{
    size_t n = strlen(text);
    if (n == size - 1) {
        while (n && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
            n--;
        if (n && (unsigned char)text[n - 1] >= 0xc0)
            n--;
        text[n] = '\0';
    }
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

int spec_refuse(struct spec_error *ret_error, const char *field, const char *hint, const char *fmt,
                ...)
{
    char what[sizeof ret_error->message];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    *ret_error = (struct spec_error){0};
    snprintf(ret_error->field, sizeof ret_error->field, "%s", field);
    snprintf(ret_error->hint, sizeof ret_error->hint, "%s", hint);
    clean(ret_error->field, sizeof ret_error->field);
    clean(ret_error->hint, sizeof ret_error->hint);
    clean(what, sizeof what);
    size_t at = 0;
    if (*ret_error->field)
        at = (size_t)snprintf(ret_error->message, sizeof ret_error->message,
                              "%s: ", ret_error->field);
    snprintf(ret_error->message + at, sizeof ret_error->message - at, "%s", what);
    clean(ret_error->message, sizeof ret_error->message);
    return -EINVAL;
}
