/* SPDX-License-Identifier: MIT */
/* The template is cut once into pieces of literal text, each followed by at most one placeholder.
 * An index is a number whose digits are the positions in the lists: the last placeholder's list
 * is the lowest digit. A list named twice has one digit. */
#include "daemon/frontier/generator.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

struct piece {
    const char *text; /* borrowed from the template */
    size_t len;
    int list; /* index into spec->words, -1 none */
};

struct generator {
    const struct job_spec *spec;
    struct piece *pieces; /* owned */
    size_t pieces_count;
    size_t *digits; /* owned; lists used, lowest digit first */
    size_t digits_count;
    uint64_t count;
};

/* spec_parse() has seen to it that every placeholder has its list. */
static void cut_template(struct generator *g)
{
    const char *from = g->spec->template;
    struct spec_placeholder at = {0};
    bool more;
    do {
        more = spec_placeholder_next(g->spec, from, &at);
        g->pieces = xrealloc(g->pieces, (g->pieces_count + 1) * sizeof *g->pieces);
        g->pieces[g->pieces_count++] = (struct piece){
            .text = from,
            .len = more ? (size_t)(at.open - from) : strlen(from),
            .list = more ? (int)at.words : -1,
        };
        from = at.end;
    } while (more);
}

static bool has_digit(const struct generator *g, size_t list)
{
    for (size_t i = 0; i < g->digits_count; i++)
        if (g->digits[i] == list)
            return true;
    return false;
}

static void find_digits(struct generator *g)
{
    g->digits = xcalloc(g->spec->words_count + 1, sizeof *g->digits);
    for (size_t i = g->pieces_count; i-- > 0;)
        if (g->pieces[i].list >= 0 && !has_digit(g, (size_t)g->pieces[i].list))
            g->digits[g->digits_count++] = (size_t)g->pieces[i].list;
}

static uint64_t count_all(const struct generator *g)
{
    uint64_t count = g->digits_count ? UINT64_MAX : 1, product = 1;
    for (size_t i = 0; i < g->digits_count; i++) {
        uint64_t n = g->spec->words[g->digits[i]].count;
        count = n < count ? n : count;
        if (__builtin_mul_overflow(product, n, &product))
            product = UINT64_MAX;
    }
    return g->spec->combine == SPEC_ZIP ? count : product;
}

struct generator *generator_new(const struct job_spec *spec)
{
    if (!spec->template)
        return NULL;
    struct generator *g = xcalloc(1, sizeof *g);
    g->spec = spec;
    cut_template(g);
    find_digits(g);
    g->count = count_all(g);
    return g;
}

void generator_free(struct generator *g)
{
    if (!g)
        return;
    free(g->pieces);
    free(g->digits);
    free(g);
}

uint64_t generator_count(const struct generator *g)
{
    return g->count;
}

/* Position of URL i in the list. */
static uint64_t position(const struct generator *g, size_t list, uint64_t i)
{
    if (g->spec->combine == SPEC_ZIP)
        return i;
    for (size_t d = 0; g->digits[d] != list; d++)
        i /= g->spec->words[g->digits[d]].count;
    return i % g->spec->words[list].count;
}

static void add_word(const struct wordlist *w, size_t at, struct buf *out)
{
    size_t len;
    const char *word = wordlist_at(w, at, &len);
    buf_add(out, word, len);
}

static void add_value(const struct spec_words *w, uint64_t at, struct buf *out)
{
    if (w->range)
        buf_addf(out, "%lld", (long long)((uint64_t)w->from + at * (uint64_t)w->step));
    else if (at < wordlist_count(&w->list))
        add_word(&w->list, (size_t)at, out);
}

void generator_url(const struct generator *g, uint64_t i, struct buf *out)
{
    for (size_t k = 0; k < g->pieces_count; k++) {
        const struct piece *p = &g->pieces[k];
        buf_add(out, p->text, p->len);
        if (p->list >= 0)
            add_value(&g->spec->words[p->list], position(g, (size_t)p->list, i), out);
    }
}
