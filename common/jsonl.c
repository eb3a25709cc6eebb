/* SPDX-License-Identifier: MIT */
/* jansson reads the JSON; what it leaves open is settled around it. It recurses, so the depth is
 * counted first. Duplicate keys, NUL (raw or escaped) and bytes that are not UTF-8 it refuses. A
 * number out of range is valid JSON and therefore a bad request, not a bad frame.
 *
 *      in ─▶ [ line taken \n | scanned, no newline ...... | not looked at ]
 *            buf_data()       */
#include "common/jsonl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/jsonw.h"

void jsonl_init(struct jsonl *l, size_t limit_bytes)
{
    *l = (struct jsonl){.limit_bytes = limit_bytes};
}

static bool is_blank_line(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r')
            return false;
    return true;
}

enum jsonl_verdict jsonl_next(struct jsonl *l, struct buf *in, const char **ret_line,
                              size_t *ret_len)
{
    for (;;) {
        buf_consume(in, l->taken);
        l->taken = 0;
        size_t have = buf_len(in);
        const char *p = buf_data(in);
        const char *lf = have > l->scanned ? memchr(p + l->scanned, '\n', have - l->scanned) : NULL;
        size_t len = lf ? (size_t)(lf - p) : have;
        l->scanned = lf ? 0 : have;
        if (len > l->limit_bytes)
            return JSONL_TOO_LONG;
        if (!lf)
            return JSONL_MORE;
        l->taken = len + 1;
        if (is_blank_line(p, len))
            continue;
        *ret_line = p;
        *ret_len = p[len - 1] == '\r' ? len - 1 : len;
        return JSONL_LINE;
    }
}

static bool __attribute__((format(printf, 4, 5)))
refuse(struct jsonl_error *e, enum error_code code, const char *hint, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    e->code = code;
    e->hint = hint;
    vsnprintf(e->message, sizeof e->message, fmt, ap);
    va_end(ap);
    return false;
}

static bool is_too_deep(const char *p, size_t n)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (in_string) {
            if (p[i] == '\\')
                i++;
            else if (p[i] == '"')
                in_string = false;
        } else if (p[i] == '"') {
            in_string = true;
        } else if (p[i] == '[' || p[i] == '{') {
            if (++depth > JSONL_DEPTH)
                return true;
        } else if (p[i] == ']' || p[i] == '}') {
            depth--;
        }
    }
    return false;
}

static bool load(const char *line, size_t len, json_t **ret_root, struct jsonl_error *e)
{
    json_error_t why;
    if (is_too_deep(line, len))
        return refuse(e, ERROR_BAD_FRAME, NULL, "nested deeper than %d", JSONL_DEPTH);
    json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (root) {
        *ret_root = root;
        return true;
    }
    if (json_error_code(&why) == json_error_numeric_overflow)
        return refuse(e, ERROR_BAD_REQUEST, "numbers fit 64 bits", "column %d: %s", why.column,
                      why.text);
    return refuse(e, ERROR_BAD_FRAME, "one JSON object per line, in UTF-8", "column %d: %s",
                  why.column, why.text);
}

static bool read_key(struct jsonl_request *r, const char *key, json_t *value, struct jsonl_error *e)
{
    if (!strcmp(key, "id")) {
        if (!json_is_integer(value) && !json_is_string(value))
            return refuse(e, ERROR_BAD_REQUEST, NULL, "id is no integer or string");
        r->id = value;
    } else if (!strcmp(key, "op")) {
        if (!json_is_string(value))
            return refuse(e, ERROR_BAD_REQUEST, NULL, "op is no string");
        r->op = json_string_value(value);
    } else if (!strcmp(key, "args")) {
        if (!json_is_object(value))
            return refuse(e, ERROR_BAD_REQUEST, NULL, "args is no object");
        r->args = value;
    } else {
        return refuse(e, ERROR_BAD_REQUEST, "a request has id, op and args",
                      "unknown key \"%.60s\"", key);
    }
    return true;
}

/* All keys are looked at before the first complaint stands, so that the reply bears the id. */
static bool read_keys(struct jsonl_request *r, struct jsonl_error *e)
{
    const char *key;
    json_t *value;
    bool good = true;
    struct jsonl_error later;
    json_object_foreach(r->root, key, value) good =
        read_key(r, key, value, good ? e : &later) && good;
    return good;
}

bool jsonl_request_parse(const char *line, size_t len, struct jsonl_request *ret_request,
                         struct jsonl_error *ret_error)
{
    struct jsonl_request *r = ret_request;
    *r = (struct jsonl_request){0};
    if (!load(line, len, &r->root, ret_error))
        return false;
    if (!json_is_object(r->root))
        return refuse(ret_error, ERROR_BAD_REQUEST, "{\"id\":1,\"op\":\"ping\"}", "no object");
    if (!read_keys(r, ret_error))
        return false;
    if (!r->id || !r->op)
        return refuse(ret_error, ERROR_BAD_REQUEST, "{\"id\":1,\"op\":\"ping\"}", "%s is missing",
                      r->id ? "op" : "id");
    if (!r->args) {
        r->args = json_object();
        json_object_set_new(r->root, "args", r->args);
    }
    return true;
}

void jsonl_request_done(struct jsonl_request *r)
{
    json_decref(r->root);
    *r = (struct jsonl_request){0};
}

static int dump(const char *p, size_t n, void *out)
{
    buf_add(out, p, n);
    return 0;
}

static void add_json(struct buf *out, const json_t *value)
{
    size_t before = buf_len(out);
    if (value && !json_dump_callback(value, dump, out, JSON_COMPACT | JSON_ENCODE_ANY))
        return;
    buf_cut(out, before);
    buf_adds(out, "null");
}

void jsonl_add(struct buf *out, const json_t *value)
{
    add_json(out, value);
    buf_addc(out, '\n');
}

void jsonl_reply_ok(struct buf *out, const json_t *id, const json_t *result)
{
    buf_adds(out, "{\"id\":");
    add_json(out, id);
    buf_adds(out, ",\"ok\":true,\"result\":");
    add_json(out, result);
    buf_adds(out, "}\n");
}

void jsonl_reply_error(struct buf *out, const json_t *id, enum error_code code, const char *message,
                       const char *hint, const char *field)
{
    buf_adds(out, "{\"id\":");
    add_json(out, id);
    buf_adds(out, ",\"ok\":false,\"error\":{");
    jsonw_key_string(out, "code", error_name(code));
    jsonw_key_string(out, "message", message);
    if (hint)
        jsonw_key_string(out, "hint", hint);
    if (field)
        jsonw_key_string(out, "field", field);
    buf_adds(out, "}}\n");
}
