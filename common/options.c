/* SPDX-License-Identifier: MIT */
/* One reader and one writer per kind of key; a list is a text per item. */
#include "common/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/quantity.h"
#include "common/suggest.h"
#include "common/xalloc.h"

#define START false
#define LIVE  true

const struct option_row option_rows[] = {
#define OPTION(name, kind, field, def, min, max, unit, when, words, help)                          \
    {name, def, unit, words, help, OPTION_##kind, true, when, offsetof(struct options, field),     \
     min,  max},
#define LATER(name, kind, off, unit, help)                                                         \
    {name, off, unit, "", help, OPTION_##kind, false, false, 0, 0, 0},
#include "common/options.def"
#undef OPTION
#undef LATER
};

const size_t option_rows_count = sizeof option_rows / sizeof *option_rows;

const struct option_row *option_row_find(const char *name)
{
    for (size_t i = 0; i < option_rows_count; i++)
        if (!strcmp(option_rows[i].name, name))
            return &option_rows[i];
    return NULL;
}

const char *option_row_suggest(const char *name)
{
    struct suggest s;
    suggest_init(&s, name);
    for (size_t i = 0; i < option_rows_count; i++)
        suggest_offer(&s, option_rows[i].name, option_rows[i].name);
    return suggest_answer(&s);
}

bool option_row_is_list(const struct option_row *row)
{
    return row->kind == OPTION_LIST || row->kind == OPTION_CIDRS || row->kind == OPTION_SERVERS;
}

static void *field(const struct option_row *row, const struct options *o)
{
    return (char *)o + row->offset;
}

static int refuse(const struct option_row *row, struct buf *ret_error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(const struct option_row *row, struct buf *ret_error, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_addf(ret_error, "%s: ", row->name);
    buf_addv(ret_error, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

/* Within the row's length, UTF-8 (jansson knows) and nothing that would break a line. */
static int check_text(const struct option_row *row, const char *text, struct buf *ret_error)
{
    json_t *utf8 = json_string(text);
    bool good = utf8 != NULL;
    json_decref(utf8);
    for (const char *p = text; *p; p++)
        good &= (unsigned char)*p >= 0x20 && *p != 0x7f;
    if (!good)
        return refuse(row, ret_error, "control characters or bytes that are not UTF-8");
    int64_t n = (int64_t)strlen(text);
    if (n < row->min || n > row->max)
        return refuse(row, ret_error, "%lld bytes is out of range %lld to %lld", (long long)n,
                      (long long)row->min, (long long)row->max);
    return 0;
}

static bool is_contact(const char *text)
{
    const char *at = strchr(text, '@');
    return !*text || !strncmp(text, "http://", 7) || !strncmp(text, "https://", 8) ||
           !strncmp(text, "mailto:", 7) || (at && at > text && at[1]);
}

/* NULL, or why the file can be of no use. */
static const char *certificates_fault(const char *path)
{
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    FILE *file = *path ? fopen(path, "re") : NULL;
    if (!file)
        return *path ? strerror(errno) : NULL;
    while (!found && getline(&line, &room, file) > 0)
        found = !strncmp(line, "-----BEGIN CERTIFICATE-----", 27);
    const char *fault = found          ? NULL
                        : ferror(file) ? strerror(errno)
                                       : "no certificate in PEM form";
    free(line);
    fclose(file);
    return fault;
}

/* ADDRESS/BITS of either family. */
static bool is_cidr(const char *text)
{
    char copy[64], *slash, *end;
    unsigned char address[16];
    if (strlen(text) >= sizeof copy)
        return false;
    strcpy(copy, text);
    slash = strchr(copy, '/');
    if (!slash || slash[1] < '0' || slash[1] > '9')
        return false;
    *slash = '\0';
    long bits = strtol(slash + 1, &end, 10);
    return !*end && ((inet_pton(AF_INET, copy, address) == 1 && bits <= 32) ||
                     (inet_pton(AF_INET6, copy, address) == 1 && bits <= 128));
}

/* 192.0.2.1, 192.0.2.1:53, [2001:db8::1]:53 or 2001:db8::1. */
static bool is_server(const char *text)
{
    char copy[64], *host = copy, *port = NULL, *end;
    unsigned char address[16];
    if (strlen(text) >= sizeof copy)
        return false;
    strcpy(copy, text);
    char *bracket = *copy == '[' ? strchr(copy, ']') : NULL;
    if (bracket) {
        host++;
        *bracket = '\0';
        port = bracket[1] == ':' ? bracket + 2 : bracket[1] ? bracket : NULL;
    } else if (strchr(copy, ':') && strchr(copy, ':') == strrchr(copy, ':')) {
        port = strchr(copy, ':') + 1;
        port[-1] = '\0';
    }
    if (port && (*port < '0' || *port > '9' || strtol(port, &end, 10) > 65535 || *end ||
                 !strtol(port, NULL, 10)))
        return false;
    return inet_pton(AF_INET6, host, address) == 1 ||
           (!bracket && inet_pton(AF_INET, host, address) == 1);
}

static int check_item(const struct option_row *row, const char *text, struct buf *ret_error)
{
    if (check_text(row, text, ret_error) < 0)
        return -EINVAL;
    if (row->kind == OPTION_CIDRS && !is_cidr(text))
        return refuse(row, ret_error, "\"%s\" is not a network as 192.0.2.0/24 or 2001:db8::/32",
                      text);
    if (row->kind == OPTION_SERVERS && !is_server(text))
        return refuse(row, ret_error, "\"%s\" is not an address as 192.0.2.1:53", text);
    if (row->kind == OPTION_LIST && (strpbrk(text, " ,\"") || !strcmp(text, "@")))
        return refuse(row, ret_error, "\"%s\" is not a user or @group", text);
    if (row->kind == OPTION_CONTACT && !is_contact(text))
        return refuse(row, ret_error, "\"%s\" is neither a URL nor a mail address", text);
    if (row->kind == OPTION_CERTIFICATES && certificates_fault(text))
        return refuse(row, ret_error, "%s: %s", text, certificates_fault(text));
    return 0;
}

static void list_done(struct option_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->v[i]);
    free(list->v);
    *list = (struct option_list){0};
}

static int set_list(const struct option_row *row, const char *const *values, size_t count,
                    struct options *o, struct buf *ret_error)
{
    for (size_t i = 0; i < count; i++)
        if (check_item(row, values[i], ret_error) < 0)
            return -EINVAL;
    struct option_list *list = field(row, o);
    list_done(list);
    list->v = xcalloc(count + 1, sizeof *list->v);
    for (; list->count < count; list->count++)
        list->v[list->count] = xstrdup(values[list->count]);
    return 0;
}

static int set_string(const struct option_row *row, const char *text, struct options *o,
                      struct buf *ret_error)
{
    if (check_item(row, text, ret_error) < 0)
        return -EINVAL;
    char **p = field(row, o);
    free(*p);
    *p = xstrdup(text);
    return 0;
}

static int parse_count(const char *text, int64_t *ret_n)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno || end == text || *end || *text == ' ' || *text == '+')
        return -EINVAL;
    *ret_n = n;
    return 0;
}

static void add_number(const struct option_row *row, int64_t n, struct buf *b)
{
    if (row->kind == OPTION_MS)
        quantity_add_ms(b, n);
    else if (row->kind == OPTION_BYTES)
        quantity_add_bytes(b, n);
    else
        buf_addf(b, "%lld", (long long)n);
}

static int set_number(const struct option_row *row, const char *text, struct options *o,
                      struct buf *ret_error)
{
    int64_t n;
    int r = row->kind == OPTION_MS      ? quantity_parse_ms(text, &n)
            : row->kind == OPTION_BYTES ? quantity_parse_bytes(text, &n)
                                        : parse_count(text, &n);
    if (r < 0)
        return refuse(row, ret_error, "\"%s\" is not a %s", text,
                      row->kind == OPTION_MS      ? "duration as 10ms, 1s, 2m"
                      : row->kind == OPTION_BYTES ? "size as 4096, 64MiB, 2GiB"
                                                  : "whole number");
    if (n < row->min || n > row->max) {
        refuse(row, ret_error, "%s is out of range ", text);
        add_number(row, row->min, ret_error);
        buf_adds(ret_error, " to ");
        add_number(row, row->max, ret_error);
        if (row->kind == OPTION_COUNT)
            buf_addf(ret_error, " %s", row->unit);
        return -EINVAL;
    }
    *(int64_t *)field(row, o) = n;
    return 0;
}

/* The first value of LEVEL's C enum is that of "crit". */
static unsigned first_word(const struct option_row *row)
{
    return row->kind == OPTION_LEVEL ? LOG_CRIT : 0;
}

static int set_word(const struct option_row *row, const char *text, struct options *o,
                    struct buf *ret_error)
{
    struct suggest near;
    char words[128], *save = NULL;
    strcpy(words, row->words);
    suggest_init(&near, text);
    unsigned index = first_word(row);
    for (char *word = strtok_r(words, "|", &save); word; word = strtok_r(NULL, "|", &save)) {
        if (!strcmp(word, text)) {
            *(unsigned *)field(row, o) = index;
            return 0;
        }
        suggest_offer(&near, word, word);
        index++;
    }
    refuse(row, ret_error, "\"%s\" is none of %s", text, row->words);
    if (suggest_answer(&near))
        buf_addf(ret_error, ", did you mean %s?", suggest_answer(&near));
    return -EINVAL;
}

static void add_word(const struct option_row *row, const struct options *o, struct buf *b)
{
    const char *p = row->words;
    for (unsigned i = *(unsigned *)field(row, o) - first_word(row); i; i--)
        p = strchr(p, '|') + 1;
    buf_add(b, p, strcspn(p, "|"));
}

static bool is_number(const struct option_row *row)
{
    return row->kind == OPTION_COUNT || row->kind == OPTION_BYTES || row->kind == OPTION_MS;
}

static bool is_word(const struct option_row *row)
{
    return row->kind == OPTION_ENUM || row->kind == OPTION_LEVEL;
}

int option_set(const struct option_row *row, const char *const *values, size_t count,
               struct options *o, struct buf *ret_error)
{
    if (!row->built) {
        if (count == 1 && !strcmp(values[0], row->def))
            return 0;
        refuse(row, ret_error, "not built yet, leave it out");
        return -ENOTSUP;
    }
    if (option_row_is_list(row))
        return set_list(row, values, count, o, ret_error);
    if (count != 1)
        return refuse(row, ret_error, "takes one value");
    if (is_number(row))
        return set_number(row, values[0], o, ret_error);
    return is_word(row) ? set_word(row, values[0], o, ret_error)
                        : set_string(row, values[0], o, ret_error);
}

/* Splits at commas (an empty text is an empty list) and sets. */
static int set_split(const struct option_row *row, const char *text, struct options *o,
                     struct buf *ret_error)
{
    char *copy = xstrdup(text), *rest = copy;
    const char **values = xcalloc(strlen(text) + 2, sizeof *values);
    size_t count = 0;
    while (rest && (*text || count))
        values[count++] = strsep(&rest, ",");
    int r = option_set(row, values, count, o, ret_error);
    free(values);
    free(copy);
    return r;
}

int option_set_text(const char *name, const char *text, struct options *o, struct buf *ret_error)
{
    const struct option_row *row = option_row_find(name);
    if (!row) {
        buf_addf(ret_error, "%s: no such key", name);
        if (option_row_suggest(name))
            buf_addf(ret_error, ", did you mean %s?", option_row_suggest(name));
        return -ENOENT;
    }
    return option_row_is_list(row) ? set_split(row, text, o, ret_error)
                                   : option_set(row, &text, 1, o, ret_error);
}

void options_init(struct options *o)
{
    *o = (struct options){0};
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];
        struct buf error = {0};
        if (row->built && is_number(row))
            *(int64_t *)field(row, o) = strtoll(row->def, NULL, 10);
        else if (row->built)
            option_set_text(row->name, row->def, o, &error);
        buf_done(&error);
    }
}

void options_done(struct options *o)
{
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (!row->built || is_number(row) || is_word(row))
            continue;
        if (option_row_is_list(row))
            list_done(field(row, o));
        else
            free(*(char **)field(row, o));
    }
    *o = (struct options){0};
}

/* "$" begins a variable within double quotes of the file. */
static void add_quoted(const char *text, struct buf *b)
{
    buf_addc(b, '"');
    for (; *text; text++) {
        if (strchr("\"\\$", *text))
            buf_addc(b, '\\');
        buf_addc(b, *text);
    }
    buf_addc(b, '"');
}

void option_add_value(const struct option_row *row, const struct options *o, struct buf *b)
{
    if (!row->built) {
        if (is_number(row))
            buf_adds(b, row->def);
        else
            add_quoted(row->def, b);
    } else if (option_row_is_list(row)) {
        const struct option_list *list = field(row, o);
        buf_addc(b, '{');
        for (size_t i = 0; i < list->count; i++) {
            buf_adds(b, i ? ", " : "");
            add_quoted(list->v[i], b);
        }
        buf_addc(b, '}');
    } else if (is_number(row)) {
        add_number(row, *(int64_t *)field(row, o), b);
    } else if (is_word(row)) {
        add_word(row, o, b);
    } else {
        add_quoted(*(char **)field(row, o), b);
    }
}

void options_user_agent(const struct options *o, struct buf *b)
{
    if (*o->user_agent)
        buf_adds(b, o->user_agent);
    else
        buf_adds(b, "crawld/" CRAWLD_VERSION);
    if (!*o->user_agent && *o->contact)
        buf_addf(b, " (+%s)", o->contact);
}
