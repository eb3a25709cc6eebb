/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "daemon/supervisor/ops.h"
#include "daemon/supervisor/supervisor.h"

#define DRAFTS_MAX 64

void draft_free(struct draft *d)
{
    list_del(&d->link);
    spec_done(&d->spec);
    free(d);
}

struct draft *draft_find(const struct supervisor *s, const char *name)
{
    list_each(it, &s->drafts)
    {
        struct draft *d = list_of(it, struct draft, link);
        if (!strcmp(d->spec.name, name))
            return d;
    }
    return NULL;
}

void drafts_client_gone(struct supervisor *s, const struct client *c)
{
    list_each_safe(it, next, &s->drafts)
    {
        struct draft *d = list_of(it, struct draft, link);
        if (d->client == c)
            draft_free(d);
    }
}

void drafts_done(struct supervisor *s)
{
    while (!list_empty(&s->drafts))
        draft_free(list_of(s->drafts.next, struct draft, link));
}

size_t draft_uploads(const struct job_spec *spec)
{
    size_t count = 0;
    for (size_t i = 0; i < spec->words_count; i++)
        count += spec->words[i].apart;
    return count;
}

static size_t drafts_bytes(const struct supervisor *s)
{
    size_t bytes = 0;
    list_each(it, &s->drafts)
    {
        const struct draft *d = list_of(it, struct draft, link);
        for (size_t i = 0; i < d->spec.words_count; i++)
            bytes += buf_len(&d->spec.words[i].list.text);
    }
    return bytes;
}

static struct spec_words *draft_list(struct draft *d, const char *name)
{
    for (size_t i = 0; i < d->spec.words_count; i++)
        if (d->spec.words[i].apart && !strcmp(d->spec.words[i].name, name))
            return &d->spec.words[i];
    return NULL;
}

/* All are looked at before the first is taken. False: refused. */
static bool words_good(struct request *r, const json_t *words)
{
    size_t bytes = drafts_bytes(r->s);
    for (size_t i = 0; i < json_array_size(words); i++) {
        const json_t *word = json_array_get(words, i);
        char field[40];
        bytes += json_string_length(word) + 1;
        if (json_is_string(word))
            continue;
        snprintf(field, sizeof field, "args.words[%zu]", i);
        request_error(r, ERROR_BAD_ARGUMENT, field, NULL, "words holds strings");
        return false;
    }
    if (bytes <= WORDLIST_MAX_BYTES)
        return true;
    request_error(r, ERROR_LIMIT, "args.words",
                  "split the list and submit a job for each part, or give whole URLs with -i",
                  "words of jobs that are being submitted may have %u MiB in all",
                  WORDLIST_MAX_BYTES >> 20);
    return false;
}

void op_words(struct request *r)
{
    struct draft *d = draft_find(r->s, request_text(r, "job"));
    if (!d || d->client != r->client) {
        request_error(r, ERROR_NOT_FOUND, "args.job", NULL, "no job called %.80s waits for words",
                      request_text(r, "job"));
        return;
    }
    struct spec_words *list = draft_list(d, request_text(r, "name"));
    if (!list) {
        request_error(r, ERROR_BAD_ARGUMENT, "args.name", NULL, "%.80s is no list of the template",
                      request_text(r, "name"));
        return;
    }
    const json_t *words = json_object_get(r->args, "words");
    if (!words_good(r, words))
        return;
    for (size_t i = 0; i < json_array_size(words); i++) {
        const json_t *word = json_array_get(words, i);
        wordlist_add(&list->list, json_string_value(word), json_string_length(word));
    }
    request_ok(r, NULL);
}

void draft_submit(struct request *r, struct job_spec *take_spec)
{
    size_t count = list_count(&r->s->drafts);
    if (!request_flag(r, "more") || count >= DRAFTS_MAX) {
        request_error(r, count >= DRAFTS_MAX ? ERROR_BUSY : ERROR_BAD_ARGUMENT, "args.more", NULL,
                      count >= DRAFTS_MAX ? "too many jobs wait for their words"
                                          : "words to be uploaded need more: true");
        spec_done(take_spec);
        return;
    }
    struct draft *d = xcalloc(1, sizeof *d);
    d->client = r->client;
    d->paused = request_flag(r, "paused");
    d->spec = *take_spec;
    list_add_tail(&r->s->drafts, &d->link);
    request_ok(r, json_pack("{ss ss}", "name", d->spec.name, "state", "new"));
}
