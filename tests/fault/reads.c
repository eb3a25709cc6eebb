/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "tests/fault/world.h"

void reads_ask(struct world *w)
{
    struct reads *r = &w->reads;
    uint64_t seqs[3];
    size_t n = 0, first = w->queue_count ? rnd(&w->rnd, (uint32_t)w->queue_count) : 0;
    for (size_t i = first; i < w->queue_count && n < 3 && r->count < WORLD_READS; i++) {
        if (w->queue[i].url < 0)
            continue;
        r->seq[r->count] = seqs[n++] = w->queue[i].seq;
        r->url[r->count++] = w->queue[i].url;
    }
    if (n)
        ledger_read(w->ledger, seqs, n);
}

static bool is_open(const struct world *w, uint64_t seq)
{
    for (size_t i = 0; i < w->queue_count; i++)
        if (w->queue[i].seq == seq)
            return true;
    for (size_t i = 0; i < w->held_count; i++)
        if (w->held[i].seq == seq)
            return true;
    return false;
}

static void told_one(struct world *w, const struct ledger_url *u, uint64_t seq, int url)
{
    char text[32];
    world_url(url, text);
    MUST(w, u->seq == seq, "the text of seq %llu is told where %llu's was asked for",
         (unsigned long long)u->seq, (unsigned long long)seq);
    if (u->url)
        MUST(w, u->len == strlen(text) && !memcmp(u->url, text, u->len),
             "seq %llu has another text", (unsigned long long)seq);
    else
        MUST(w, !is_open(w, seq), "the text of seq %llu is not found", (unsigned long long)seq);
}

void reads_told(struct world *w, const struct ledger_url *urls, size_t count)
{
    struct reads *r = &w->reads;
    MUST(w, count <= r->count, "more texts are told than were asked for");
    for (size_t i = 0; i < count; i++)
        told_one(w, &urls[i], r->seq[i], r->url[i]);
    r->count -= count;
    memmove(r->seq, r->seq + count, r->count * sizeof *r->seq);
    memmove(r->url, r->url + count, r->count * sizeof *r->url);
}
