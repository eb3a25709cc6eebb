/* SPDX-License-Identifier: MIT */
/* The parsers' test door: what the groups of ops (op_*.c) share.
 *
 * An op takes the request object (borrowed) and returns a new answer object (owned by the
 * caller), which gets the request's id afterwards. To add one: write it in op_GROUP.c, give it a
 * row in ops.def and the file a line in tests/meson.build. */
#ifndef TESTS_CONFORMANCE_ADAPTER_H
#define TESTS_CONFORMANCE_ADAPTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

#define OP(name, function) json_t *function(const json_t *request);
#include "tests/conformance/ops.def"
#undef OP

/* {"error": why}. */
json_t *answer_error(const char *why);

/* The string argument `key` (may hold NULs; borrowed from the request); false when it is absent or
 * no string. */
bool arg_text(const json_t *request, const char *key, const char **ret_text, size_t *ret_len);

/* Appends the bytes of the base64 argument `key` to out; false when it is absent or no base64. */
bool arg_base64(const json_t *request, const char *key, struct buf *out);

/* The bytes as a JSON string in base64. */
json_t *json_base64(const void *p, size_t n);

/* The bytes as a JSON string: as they are when they are UTF-8, else read as Latin-1. */
json_t *json_text(const char *p, size_t n);

#endif
