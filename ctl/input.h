/* SPDX-License-Identifier: MIT */
/* Files that the user names: lines of URLs, words, JSON. "-" is stdin. */
#ifndef CTL_INPUT_H
#define CTL_INPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define INPUT_LINE_MAX 8192 /* bytes of a line; what is beyond is cut off */

struct input {
    int fd; /* owned unless stdin */
    struct buf buf;
    bool eof, skipping; /* skipping: inside the rest of a cut line */
    uint64_t line_count;
};

/* Bytes are borrowed until the next call. */
struct line {
    const char *p;
    size_t len;      /* without newline and CR */
    uint64_t number; /* from 1; 0: it is of no file */
    bool good;       /* whole, valid UTF-8 and without NUL */
};

/* 0, or the exit code of a complaint. */
int input_open(struct input *in, const char *path);
void input_done(struct input *in);

/* 1: a line that is not empty; 0: the end; -EAGAIN: nothing came for 100 ms; else -errno. */
int input_next(struct input *in, struct line *ret_line);

/* Valid UTF-8 without NUL? */
bool input_is_text(const char *s, size_t n);

/* A file that input_open() may read? Nothing is opened: a pipe has one reader. 0, or an exit code.
 */
int input_check(const char *path);

/* URLs given as arguments: the name of a file is refused, of others that will not be fetched a note
 * is said. 0, or an exit code. */
int input_arguments(int count, char *const *urls);

/* The lines of a file, each ended by a newline, appended. 0, or an exit code. */
int input_words(const char *path, struct buf *ret_text);

/* A file that holds one JSON object. 0, or an exit code. */
int input_json(const char *path, json_t **ret_object);

#endif
