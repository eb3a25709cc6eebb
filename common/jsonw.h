/* SPDX-License-Identifier: MIT */
/* Writing JSON text into a buffer, for what is written often (rows); all else uses jansson. */
#ifndef COMMON_JSONW_H
#define COMMON_JSONW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/* The n bytes as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void jsonw_string(struct buf *b, const char *s, size_t n);

/* `,"key":` before a value; the comma is left out behind `{` or `[`. */
void jsonw_key(struct buf *b, const char *key);

void jsonw_key_string(struct buf *b, const char *key, const char *s);
void jsonw_key_uint(struct buf *b, const char *key, uint64_t n);
void jsonw_key_bool(struct buf *b, const char *key, bool value);

#endif
