/* SPDX-License-Identifier: MIT */
/* Template and words: "http://{sub}.example.com/{n}" with a list or a range for each placeholder.
 * Nothing is multiplied out here; the generator walks the values by cursor. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/spec_row.h"
#include "common/suggest.h"
#include "common/xalloc.h"

#define PLACEHOLDER_MAX 64

static bool is_name(const char *p, size_t n)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return n && n <= PLACEHOLDER_MAX && strspn(p, allowed) >= n;
}

bool spec_placeholder_next(const struct job_spec *s, const char *from,
                           struct spec_placeholder *ret_placeholder)
{
    const char *open = strchr(from, '{'), *close = open ? strchr(open, '}') : NULL;
    if (!close)
        return false;
    size_t n = (size_t)(close - open - 1), i = 0;
    while (n && i < s->words_count &&
           (strlen(s->words[i].name) != n || memcmp(s->words[i].name, open + 1, n)))
        i++;
    *ret_placeholder = (struct spec_placeholder){open, close + 1, i};
    return true;
}

static int refuse_unknown_placeholder(const struct job_spec *s, const char *name,
                                      struct spec_error *ret_error)
{
    char hint[160] = "give its words, or write %7B for a brace";
    struct suggest near;
    suggest_init(&near, name);
    for (size_t i = 0; i < s->words_count; i++)
        suggest_offer(&near, s->words[i].name, s->words[i].name);
    if (suggest_answer(&near))
        snprintf(hint, sizeof hint, "did you mean {%s}?", suggest_answer(&near));
    return spec_refuse(ret_error, "template", hint, "{%s} has no words", name);
}

/* Every brace opens a placeholder that has words; `used` tells which words were met. */
static int check_placeholders(const struct job_spec *s, bool *used, struct spec_error *ret_error)
{
    struct spec_placeholder at;
    const char *p = s->template;
    for (; spec_placeholder_next(s, p, &at); p = at.end) {
        if (at.words < s->words_count) {
            used[at.words] = true;
            continue;
        }
        char *name = xmemdup0(at.open + 1, (size_t)(at.end - at.open - 2));
        int r = refuse_unknown_placeholder(s, name, ret_error);
        free(name);
        return r;
    }
    if (strchr(p, '{'))
        return spec_refuse(ret_error, "template", "write %7B for a brace", "{ without }");
    return 0;
}

static int check_counts(const struct job_spec *s, struct spec_error *ret_error)
{
    uint64_t product = 1;
    for (size_t i = 0; i < s->words_count; i++) {
        const struct spec_words *w = &s->words[i], *first = &s->words[0];
        if (s->combine == SPEC_ZIP && w->count && first->count && w->count != first->count)
            return spec_refuse(ret_error, "combine", "zip needs lists of one length",
                               "%s has %llu values, %s has %llu", first->name,
                               (unsigned long long)first->count, w->name,
                               (unsigned long long)w->count);
        if (s->combine == SPEC_PRODUCT && w->count &&
            __builtin_mul_overflow(product, w->count, &product))
            product = UINT64_MAX;
    }
    if (product > INT64_MAX)
        return spec_refuse(ret_error, "words", "", "the template has more than 2^63 URLs");
    return 0;
}

int spec_words_check(const struct job_spec *s, struct spec_error *ret_error)
{
    if (!s->template)
        return s->words_count ? spec_refuse(ret_error, "words", "add a template, or leave them out",
                                            "there is no template to put them in")
                              : 0;
    bool *used = xcalloc(s->words_count + 1, sizeof *used);
    int r = check_placeholders(s, used, ret_error);
    for (size_t i = 0; !r && i < s->words_count; i++) {
        char path[PLACEHOLDER_MAX + 16];
        snprintf(path, sizeof path, "words.%s", s->words[i].name);
        if (!used[i])
            r = spec_refuse(ret_error, path, "put it into the template, or leave it out",
                            "{%s} is not in the template", s->words[i].name);
    }
    free(used);
    return r ? r : check_counts(s, ret_error);
}

static void words_free(struct spec_words *w)
{
    free(w->name);
    wordlist_done(&w->list);
}

void spec_words_done(const struct spec_row *row, struct job_spec *s)
{
    for (size_t i = 0; i < s->words_count; i++)
        words_free(&s->words[i]);
    free(s->words);
    s->words = NULL;
    s->words_count = 0;
}

/* {"from": 1, "to": 100, "step": 1}; step may be left out and may be negative. */
static int read_range(const char *path, const json_t *v, struct spec_words *w, struct spec_error *e)
{
    json_int_t from, to, step = 1;
    json_error_t bad;
    if (json_unpack_ex((json_t *)v, &bad, JSON_STRICT, "{s:I, s:I, s?I}", "from", &from, "to", &to,
                       "step", &step) < 0)
        return spec_refuse(e, path, "{\"from\": 1, \"to\": 100, \"step\": 1}",
                           "not a range of whole numbers");
    if (!step || (step > 0 ? from > to : from < to))
        return spec_refuse(e, path, step ? "a range that counts down has a negative step" : "",
                           "the range %lld to %lld by %lld is empty or endless", (long long)from,
                           (long long)to, (long long)step);
    w->range = true;
    w->from = from;
    w->to = to;
    w->step = step;
    uint64_t span = step > 0 ? (uint64_t)to - (uint64_t)from : (uint64_t)from - (uint64_t)to;
    uint64_t stride = step > 0 ? (uint64_t)step : -(uint64_t)step;
    w->count = span / stride + 1;
    if (!w->count || w->count > INT64_MAX)
        return spec_refuse(e, path, "", "the range has too many values");
    return 0;
}

static int read_list(const struct spec_row *row, const char *path, const json_t *v,
                     struct spec_words *w, struct spec_error *e)
{
    struct spec_texts texts;
    if (spec_texts_read(row, path, v, &texts, e) < 0)
        return -EINVAL;
    for (size_t i = 0; i < texts.count; i++)
        wordlist_add(&w->list, texts.v[i].p, texts.v[i].len);
    w->count = wordlist_count(&w->list);
    spec_texts_free(&texts);
    return 0;
}

/* {"upload": true}: it will come; {"count": 2, "bytes": 9}: it is kept apart. */
static bool read_apart(const json_t *v, struct spec_words *w)
{
    json_int_t count = 0, bytes = 0;
    int upload = 0;
    if (json_unpack((json_t *)v, "{s:b!}", "upload", &upload) &&
        (json_unpack((json_t *)v, "{s:I, s:I!}", "count", &count, "bytes", &bytes) || count < 0 ||
         bytes < 0))
        return false;
    w->apart = true;
    w->count = (uint64_t)count;
    w->bytes = (uint64_t)bytes;
    return true;
}

static int read_one_words(const struct spec_row *row, const char *name, const json_t *v,
                          struct spec_words *w, struct spec_error *e)
{
    char path[160];
    snprintf(path, sizeof path, "%s.%s", row->path, name);
    if (!is_name(name, strlen(name)))
        return spec_refuse(e, path, "letters, digits, _ and -, at most 64",
                           "not the name of a placeholder");
    w->name = xstrdup(name);
    if (json_is_object(v))
        return read_apart(v, w) ? 0 : read_range(path, v, w, e);
    return read_list(row, path, v, w, e);
}

int spec_words_given(struct job_spec *s, struct spec_error *ret_error)
{
    for (size_t i = 0; i < s->words_count; i++)
        if (s->words[i].apart) {
            s->words[i].count = wordlist_count(&s->words[i].list);
            s->words[i].bytes = buf_len(&s->words[i].list.text);
        }
    return check_counts(s, ret_error);
}

void spec_words_forget(struct job_spec *s)
{
    for (size_t i = 0; i < s->words_count; i++)
        if (s->words[i].apart)
            wordlist_done(&s->words[i].list);
}

static json_t *list_json(const struct spec_words *w)
{
    if (w->apart && !w->count)
        return json_pack("{s:b}", "upload", 1);
    if (w->apart)
        return json_pack("{s:I, s:I}", "count", (json_int_t)w->count, "bytes",
                         (json_int_t)w->bytes);
    json_t *list = json_array();
    for (size_t i = 0, len; i < w->count; i++) {
        const char *word = wordlist_at(&w->list, i, &len);
        json_array_append_new(list, json_stringn(word, len));
    }
    return list;
}

int spec_words_read(const struct spec_row *row, const json_t *v, struct job_spec *s,
                    struct spec_error *e)
{
    if (!json_is_object(v))
        return spec_wrong_type(e, row->path, "an object of lists and ranges", v);
    spec_words_done(row, s);
    s->words = xcalloc(json_object_size(v) + 1, sizeof *s->words);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)v, name,
                        value) if (read_one_words(row, name, value, &s->words[s->words_count++],
                                                  e) < 0) return -EINVAL;
    return 0;
}

json_t *spec_words_json(const struct spec_row *row, const struct job_spec *s)
{
    json_t *object = json_object();
    for (size_t i = 0; i < s->words_count; i++) {
        const struct spec_words *w = &s->words[i];
        json_object_set_new(object, w->name,
                            w->range
                                ? json_pack("{s:I, s:I, s:I}", "from", (json_int_t)w->from, "to",
                                            (json_int_t)w->to, "step", (json_int_t)w->step)
                                : list_json(w));
    }
    return object;
}
