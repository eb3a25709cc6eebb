/* SPDX-License-Identifier: MIT */
/* The rate is that between the newest and the oldest of the last samples (at five a second: six
 * seconds), so it follows changes and does not jump. The total is what is accepted so far: with
 * followed links it grows, and the share done may fall. */
#include "ctl/progress.h"

#include "common/clock.h"
#include "ctl/jsonp.h"
#include "ctl/say.h"
#include "ctl/text.h"

#define PLAIN_EVERY_NS (10 * NS_PER_S)
#define SAMPLE_NS      (NS_PER_S / 5)

void progress_init(struct progress *p, int64_t now_ns)
{
    *p = (struct progress){.begun_ns = now_ns, .said_ns = now_ns};
}

void progress_sum(struct progress_counts *sum, const json_t *job)
{
    const json_t *counts = json_object_get(job, "counts");
    sum->accepted += jsonp_int(counts, "accepted");
    sum->queued += jsonp_int(counts, "queued");
    sum->in_flight += jsonp_int(counts, "in_flight");
    sum->stored += jsonp_int(counts, "stored");
    sum->dropped += jsonp_int(counts, "dropped");
    sum->failed += jsonp_int(counts, "failed");
    sum->excluded += jsonp_int(counts, "excluded");
}

int64_t progress_finished(const struct progress_counts *c)
{
    return c->stored + c->dropped + c->failed + c->excluded;
}

static void sample(struct progress *p, int64_t finished, int64_t now_ns)
{
    if (p->sample_count &&
        now_ns - p->samples[(p->sample_count - 1) % PROGRESS_SAMPLES].ns < SAMPLE_NS)
        return;
    p->samples[p->sample_count % PROGRESS_SAMPLES].ns = now_ns;
    p->samples[p->sample_count % PROGRESS_SAMPLES].finished = finished;
    p->sample_count++;
}

double progress_rate(const struct progress *p)
{
    if (p->sample_count < 2)
        return 0;
    unsigned newest = (p->sample_count - 1) % PROGRESS_SAMPLES;
    unsigned oldest = p->sample_count > PROGRESS_SAMPLES ? p->sample_count % PROGRESS_SAMPLES : 0;
    int64_t span_ns = p->samples[newest].ns - p->samples[oldest].ns;
    int64_t finished = p->samples[newest].finished - p->samples[oldest].finished;
    return span_ns > 0 && finished > 0 ? (double)finished * 1e9 / (double)span_ns : 0;
}

static void add_bar(struct buf *b, double share, int width)
{
    buf_addc(b, '[');
    for (int i = 0; i < width; i++)
        buf_addc(b, i < (int)(share * width) ? '#' : '-');
    buf_adds(b, "] ");
}

static void add_count(struct buf *b, const char *what, int64_t n)
{
    if (!n)
        return;
    buf_addf(b, "  %s ", what);
    text_count(b, n);
}

void progress_text(struct buf *b, const char *name, const struct progress_counts *c, double rate,
                   int columns)
{
    int64_t finished = progress_finished(c);
    double share = c->accepted ? (double)finished / (double)c->accepted : 0;
    buf_addf(b, "%s ", name);
    if (columns >= 100)
        add_bar(b, share, 20);
    text_count(b, finished);
    buf_addc(b, '/');
    text_count(b, c->accepted);
    buf_addf(b, " %d%%", (int)(share * 100));
    buf_addf(b, rate > 0 && rate < 10 ? "  %.1f pages/s" : "  %.0f pages/s", rate);
    if (rate > 0 && finished < c->accepted) {
        buf_adds(b, "  ETA ");
        text_span(b, (double)(c->accepted - finished) / rate);
    }
    add_count(b, "in flight", c->in_flight);
    add_count(b, "stored", c->stored);
    add_count(b, "dropped", c->dropped);
    add_count(b, "failed", c->failed);
    add_count(b, "excluded", c->excluded);
}

void progress_show(struct progress *p, const char *name, const struct progress_counts *c,
                   int64_t now_ns)
{
    sample(p, progress_finished(c), now_ns);
    bool live = say_live();
    if (!live && now_ns - p->said_ns < PLAIN_EVERY_NS)
        return;
    p->said_ns = now_ns;
    struct buf b = {0};
    progress_text(&b, name, c, progress_rate(p), live ? say_columns() : 0);
    if (live)
        say_line(buf_str(&b));
    else
        say_note("%s", buf_str(&b));
    buf_done(&b);
}
