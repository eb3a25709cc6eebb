/* SPDX-License-Identifier: MIT */
/* Looking into JSON values by path: "counts.stored", "workers.0.pid". */
#ifndef CTL_JSONP_H
#define CTL_JSONP_H

#include <jansson.h>
#include <stdint.h>

/* Borrowed; NULL if there is no such member. */
json_t *jsonp_at(const json_t *value, const char *path);

int64_t jsonp_int(const json_t *value, const char *path); /* 0 if there is none */
double jsonp_number(const json_t *value, const char *path);
const char *jsonp_text(const json_t *value, const char *path); /* borrowed; "" if none */

/* Sets a member of nested objects, made as needed. 0, or -EINVAL when something on the way is no
 * object. */
int jsonp_put(json_t *object, const char *path, json_t *take_value);

#endif
