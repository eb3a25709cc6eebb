/* SPDX-License-Identifier: MIT */
/* A text of n bytes that is cut in two lies in the last n - 1 bytes before the cut and the first
 * n - 1 behind it. So `carry` keeps that many of the longest text, is looked through with the
 * beginning of the next piece behind it, and then the piece is looked through by itself. */
#include "daemon/fetch/keep.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

static const struct spec_text *text_at(const struct job_spec *s, size_t i)
{
    size_t has = s->keep.body_has.count;
    return i < has ? &s->keep.body_has.v[i] : &s->keep.body_lacks.v[i - has];
}

static size_t texts_count(const struct job_spec *s)
{
    return s->keep.body_has.count + s->keep.body_lacks.count;
}

static size_t longest_text(const struct job_spec *s)
{
    size_t most = 0;
    for (size_t i = 0; i < texts_count(s); i++)
        if (text_at(s, i)->len > most)
            most = text_at(s, i)->len;
    return most;
}

static void look_through(struct keep_scan *k, const struct job_spec *s, const char *p, size_t n)
{
    for (size_t i = 0; i < texts_count(s); i++) {
        const struct spec_text *t = text_at(s, i);
        if (!k->found[i] && memmem(p, n, t->p, t->len))
            k->found[i] = 1;
    }
}

void keep_scan_feed(struct keep_scan *k, const struct job_spec *spec, const char *p, size_t n)
{
    size_t count = texts_count(spec);
    if (!count || !n)
        return;
    if (!k->found)
        k->found = xcalloc(count, 1);
    size_t longest = longest_text(spec), most = longest ? longest - 1 : 0;
    size_t first = n < most ? n : most;
    if (buf_len(&k->carry)) {
        buf_add(&k->carry, p, first);
        look_through(k, spec, buf_data(&k->carry), buf_len(&k->carry));
    } else if (n < most) {
        buf_add(&k->carry, p, n);
    }
    look_through(k, spec, p, n);
    if (n >= most) {
        buf_clear(&k->carry);
        buf_add(&k->carry, p + n - most, most);
    } else if (buf_len(&k->carry) > most) {
        buf_consume(&k->carry, buf_len(&k->carry) - most);
    }
}

void keep_scan_done(struct keep_scan *k)
{
    buf_done(&k->carry);
    free(k->found);
    k->found = NULL;
}

static bool status_kept(const struct job_spec *s, unsigned status)
{
    for (size_t i = 0; i < s->keep.status_count; i++)
        if (status >= s->keep.status[i].low && status <= s->keep.status[i].high)
            return true;
    return !s->keep.status_count;
}

bool keep_needs_text(const struct job_spec *spec, unsigned status)
{
    return texts_count(spec) && status_kept(spec, status);
}

static bool mime_kept(const struct job_spec *s, const char *mime)
{
    for (size_t i = 0; i < s->keep.mime.count; i++)
        if (!strncasecmp(mime, s->keep.mime.v[i].p, s->keep.mime.v[i].len))
            return true;
    return !s->keep.mime.count;
}

/* Is every text of [from, to) there, or none of them? */
static bool all_are(const struct keep_scan *k, size_t from, size_t to, bool there)
{
    for (size_t i = from; i < to; i++)
        if ((k->found && k->found[i]) != there)
            return false;
    return true;
}

enum reason keep_judge(const struct keep_scan *k, const struct job_spec *spec, unsigned status,
                       const char *mime, uint64_t payload_bytes)
{
    size_t has = spec->keep.body_has.count, all = texts_count(spec);
    if (!status_kept(spec, status))
        return REASON_KEEP_STATUS;
    if (!all_are(k, 0, has, true))
        return REASON_KEEP_BODY_HAS;
    if (!all_are(k, has, all, false))
        return REASON_KEEP_BODY_LACKS;
    if (!mime_kept(spec, mime))
        return REASON_KEEP_MIME;
    if (payload_bytes < spec->keep.min_bytes)
        return REASON_KEEP_MIN_BYTES;
    if (spec->keep.max_bytes && payload_bytes > spec->keep.max_bytes)
        return REASON_KEEP_MAX_BYTES;
    return REASON_NONE;
}
