/* SPDX-License-Identifier: MIT */
/* The parser over the table of spec.def: defaults, then the preset, then the keys given, then what
 * only shows when all is known (values not built, the timeouts' total, template against words).
 *
 *     {"pace": {"delay_ms": 5}}  ──▶  group "pace"  ──▶  row "pace.delay_ms"  ──▶  s->pace.delay_ms
 */
#include "common/spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/spec_row.h"

static const struct {
    enum spec_preset preset;
    const char *path, *value;
} presets[] = {
#define SPEC(...)
#define LATER(...)
#define PRESET(preset, path, value) {SPEC_##preset, path, value},
#include "common/spec.def"
#undef SPEC
#undef LATER
#undef PRESET
};

static void set_defaults(struct job_spec *s)
{
    for (size_t i = 0; i < spec_rows_count; i++)
        if (spec_rows[i].built)
            spec_row_default(&spec_rows[i], spec_rows[i].def, s);
}

static int set_preset(const json_t *object, struct job_spec *s, struct spec_error *ret_error)
{
    const json_t *name = json_object_get(json_object_get(object, "pace"), "preset");
    if (name && spec_row_read(spec_row_find("pace.preset"), name, s, ret_error) < 0)
        return -EINVAL;
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (presets[i].preset == s->pace.preset)
            spec_row_default(spec_row_find(presets[i].path), presets[i].value, s);
    return 0;
}

static int refuse_unknown(const char *path, const char *key, struct spec_error *ret_error)
{
    char hint[160] = "";
    const char *near = spec_row_suggest(path);
    if (strchr(key, '.') && near && !strcmp(near, path))
        snprintf(hint, sizeof hint, "write it as {\"%.*s\": {\"%s\": ...}}",
                 (int)strcspn(path, "."), path, strchr(path, '.') + 1);
    else if (near)
        snprintf(hint, sizeof hint, "did you mean %s?", near);
    return spec_refuse(ret_error, path, hint, "no such key");
}

static int refuse_unbuilt(const char *path, const char *what, const char *hint,
                          struct spec_error *ret_error)
{
    spec_refuse(ret_error, path, hint, "%s not built yet", what);
    ret_error->unsupported = true;
    return -EINVAL;
}

/* Is the value one of those that switch a key off which is not built? */
static bool is_off(const struct spec_row *row, const json_t *v)
{
    char *text = json_is_string(v) ? strdup(json_string_value(v))
                                   : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    size_t n = text ? strlen(text) : 0;
    bool off = false;
    for (const char *p = row->def; text && !off; p += strcspn(p, "|") + 1) {
        off = strcspn(p, "|") == n && !memcmp(p, text, n);
        if (!p[strcspn(p, "|")])
            break;
    }
    free(text);
    return off;
}

static int read_key(const char *path, const char *key, const json_t *v, struct job_spec *s,
                    struct spec_error *ret_error);

static int read_group(const char *prefix, const json_t *object, struct job_spec *s,
                      struct spec_error *ret_error)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v)
    {
        char path[sizeof ret_error->field];
        snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", key);
        int r = read_key(path, key, v, s, ret_error);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_key(const char *path, const char *key, const json_t *v, struct job_spec *s,
                    struct spec_error *ret_error)
{
    const struct spec_row *row = strchr(key, '.') ? NULL : spec_row_find(path);
    if (row && row->built)
        return spec_row_read(row, v, s, ret_error);
    if (row)
        return is_off(row, v) ? 0 : refuse_unbuilt(path, "is", "leave it out", ret_error);
    if (strchr(path, '.') || !spec_row_is_group(path))
        return refuse_unknown(path, key, ret_error);
    if (!json_is_object(v))
        return spec_wrong_type(ret_error, path, "an object", v);
    return read_group(path, v, s, ret_error);
}

/* No ENUM may end up, by default, preset or key, at a word that is not built. */
static int check_words_built(const struct job_spec *s, struct spec_error *ret_error)
{
    for (size_t i = 0; i < spec_rows_count; i++) {
        const struct spec_row *row = &spec_rows[i];
        char word[32], what[40], hint[160], other[32];
        bool built = true, other_built = false;
        if (row->kind != SPEC_KIND_ENUM || !row->built)
            continue;
        size_t index = *(const unsigned *)((const char *)s + row->offset);
        spec_row_word(row, index, word, sizeof word, &built);
        if (built)
            continue;
        for (size_t k = 0; !other_built; k++)
            if (!spec_row_word(row, k, other, sizeof other, &other_built))
                break;
        const char *dot = strrchr(row->path, '.'), *leaf = dot ? dot + 1 : row->path;
        snprintf(what, sizeof what, "%s is", word);
        snprintf(hint, sizeof hint, "say %s: %s (or --%s %s)%s", leaf, other, row->flag, other,
                 strcmp(leaf, "robots") ? ""
                                        : " for servers that allow it; --pace own and probe do");
        return refuse_unbuilt(row->path, what, hint, ret_error);
    }
    return 0;
}

static void clip_timeouts(struct job_spec *s)
{
    uint64_t *const parts[] = {&s->timeouts.dns_ms, &s->timeouts.connect_ms, &s->timeouts.tls_ms,
                               &s->timeouts.first_byte_ms, &s->timeouts.idle_ms};
    for (size_t i = 0; s->timeouts.total_ms && i < sizeof parts / sizeof *parts; i++)
        if (*parts[i] > s->timeouts.total_ms)
            *parts[i] = s->timeouts.total_ms;
}

static int finish(struct job_spec *s, struct spec_error *ret_error)
{
    if (s->template && !*s->template) {
        free(s->template);
        s->template = NULL;
    }
    clip_timeouts(s);
    if (check_words_built(s, ret_error) < 0)
        return -EINVAL;
    if (s->keep.max_bytes && s->keep.min_bytes > s->keep.max_bytes)
        return spec_refuse(ret_error, "keep.min_bytes", "", "is above keep.max_bytes");
    return spec_words_check(s, ret_error);
}

int spec_parse(const json_t *object, struct job_spec *ret_spec, struct spec_error *ret_error)
{
    struct job_spec s = {0};
    if (!json_is_object(object))
        return spec_refuse(ret_error, "", "", "a job specification is a JSON object");
    set_defaults(&s);
    if (set_preset(object, &s, ret_error) < 0 || read_group("", object, &s, ret_error) < 0 ||
        finish(&s, ret_error) < 0) {
        spec_done(&s);
        return -EINVAL;
    }
    *ret_spec = s;
    return 0;
}

void spec_done(struct job_spec *s)
{
    for (size_t i = 0; i < spec_rows_count; i++)
        if (spec_rows[i].built)
            spec_row_done(&spec_rows[i], s);
}

/* Puts the value at the path, making its group. */
static void put(json_t *object, const char *path, json_t *take_value)
{
    const char *dot = strchr(path, '.');
    if (!dot) {
        json_object_set_new(object, path, take_value);
        return;
    }
    char group[64];
    snprintf(group, sizeof group, "%.*s", (int)(dot - path), path);
    if (!json_object_get(object, group))
        json_object_set_new(object, group, json_object());
    json_object_set_new(json_object_get(object, group), dot + 1, take_value);
}

json_t *spec_json(const struct job_spec *s)
{
    json_t *object = json_object();
    for (size_t i = 0; i < spec_rows_count; i++) {
        json_t *v = spec_rows[i].built ? spec_row_json(&spec_rows[i], s) : NULL;
        if (v)
            put(object, spec_rows[i].path, v);
    }
    return object;
}
