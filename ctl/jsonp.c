/* SPDX-License-Identifier: MIT */
#include "ctl/jsonp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 256

static json_t *step(const json_t *value, const char *key)
{
    if (json_is_array(value)) {
        char *end;
        unsigned long i = strtoul(key, &end, 10);
        return *key && !*end ? json_array_get(value, i) : NULL;
    }
    return json_object_get(value, key);
}

/* Copies the path's first part; returns what is behind its dot, NULL if it was the last. */
static const char *part(const char *path, char key[KEY_MAX])
{
    size_t len = strcspn(path, ".");
    size_t kept = len < KEY_MAX ? len : KEY_MAX - 1;
    memcpy(key, path, kept);
    key[kept] = '\0';
    return path[len] ? path + len + 1 : NULL;
}

json_t *jsonp_at(const json_t *value, const char *path)
{
    json_t *whole = json_object_get(value, path);
    if (whole)
        return whole;
    char key[KEY_MAX];
    while (path && value) {
        path = part(path, key);
        value = step(value, key);
    }
    return (json_t *)value;
}

int64_t jsonp_int(const json_t *value, const char *path)
{
    return (int64_t)jsonp_number(value, path);
}

double jsonp_number(const json_t *value, const char *path)
{
    return json_number_value(jsonp_at(value, path));
}

const char *jsonp_text(const json_t *value, const char *path)
{
    return json_string_value(jsonp_at(value, path)) ?: "";
}

int jsonp_put(json_t *object, const char *path, json_t *take_value)
{
    char key[KEY_MAX];
    while ((path = part(path, key))) {
        json_t *inner = json_object_get(object, key);
        if (!inner) {
            inner = json_object();
            json_object_set_new(object, key, inner);
        }
        object = inner;
        if (!json_is_object(object)) {
            json_decref(take_value);
            return -EINVAL;
        }
    }
    return json_object_set_new(object, key, take_value) ? -EINVAL : 0;
}
