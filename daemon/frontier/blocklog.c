/* SPDX-License-Identifier: MIT */
/* The lines of hosts.log, and times across restarts. */
#include "daemon/frontier/blocklog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "common/xalloc.h"
#include "daemon/frontier/host.h"

#define FIELDS       14
#define ASKED        "retry_after" /* an answer that said how long */
#define CHECKSUM_HEX 16
#define TIME_MOST_MS INT64_C(9000000000000) /* the year 2255 */

/* ---- writing */

static int64_t wall_ms(int64_t t_ns, int64_t mono_ns, int64_t wall_ns)
{
    int64_t ms = (t_ns - mono_ns + wall_ns + NS_PER_MS - 1) / NS_PER_MS;
    return ms < 0 ? 0 : ms > TIME_MOST_MS ? TIME_MOST_MS : ms;
}

void blocklog_put(struct buf *out, const char *name, size_t len, const struct host_block *b,
                  int64_t mono_ns, int64_t wall_ns)
{
    size_t begin = buf_len(out);
    enum block_cause cause = (enum block_cause)b->cause;
    const char *why = cause == BLOCK_NONE ? "-" : block_why(b, cause);
    const char *what = cause == BLOCK_NONE                 ? "none"
                       : cause == BLOCK_ANSWER && b->asked ? ASKED
                                                           : block_cause_name(cause);
    buf_addf(out, "block %.*s %s %s %" PRId64, (int)len, name, what, why, wall_ns / NS_PER_MS);
    const int64_t own[] = {b->since_ns, b->begin_ns, b->until_ns};
    for (int i = 0; i < 3; i++)
        buf_addf(out, " %" PRId64, cause == BLOCK_NONE ? 0 : wall_ms(own[i], mono_ns, wall_ns));
    buf_addf(out, " %u %u %u", b->answers, b->failures, b->said);
    if (!b->operator_until_ns)
        buf_adds(out, " 0 0");
    else
        buf_addf(out, " %" PRId64 " %" PRId64, wall_ms(b->operator_ns, mono_ns, wall_ns),
                 b->operator_until_ns == BLOCK_FOREVER
                     ? -1
                     : wall_ms(b->operator_until_ns, mono_ns, wall_ns));
    uint64_t sum = XXH3_64bits(buf_data(out) + begin, buf_len(out) - begin);
    buf_addf(out, " %016" PRIx64 "\n", sum);
}

/* ---- reading */

void blocklog_entries_done(struct blocklog_entries *e)
{
    free(e->v);
    buf_done(&e->names);
    *e = (struct blocklog_entries){0};
}

/* Cuts at single blanks; false unless there are FIELDS. */
static bool cut(char *line, char *field[FIELDS])
{
    for (int i = 0; i < FIELDS; i++) {
        field[i] = line;
        line = strchr(line, ' ');
        if (!line != (i == FIELDS - 1) || !*field[i])
            return false;
        if (line)
            *line++ = '\0';
    }
    return true;
}

static bool number(const char *text, int64_t least, int64_t most, int64_t *ret)
{
    char *end;
    size_t digits = strspn(text + (*text == '-'), "0123456789");
    if (!digits || digits > 15)
        return false;
    *ret = strtoll(text, &end, 10);
    return !*end && *ret >= least && *ret <= most;
}

static bool take_cause(struct host_block *b, const char *cause, const char *why)
{
    if (!strcmp(cause, "none"))
        return !strcmp(why, "-");
    b->asked = !strcmp(cause, ASKED);
    if (b->asked || !strcmp(cause, block_cause_name(BLOCK_ANSWER))) {
        b->cause = BLOCK_ANSWER;
        b->status = !strcmp(why, "429") ? 429 : 503;
        return b->status == 429 || !strcmp(why, "503");
    }
    b->cause = BLOCK_FAILURE;
    b->reason = (uint8_t)reason_parse(why);
    return !strcmp(cause, block_cause_name(BLOCK_FAILURE)) && b->reason;
}

static bool take_fields(struct blocklog_entry *e, char *const field[FIELDS])
{
    int64_t ms[5], small[3], until;
    struct host_block *b = &e->block;
    if (strcmp(field[0], "block") || !take_cause(b, field[2], field[3]))
        return false;
    for (int i = 0; i < 4; i++)
        if (!number(field[4 + i], 0, TIME_MOST_MS, &ms[i]))
            return false;
    for (int i = 0; i < 3; i++)
        if (!number(field[8 + i], 0, i == 2 ? 1 : UINT8_MAX, &small[i]))
            return false;
    if (!number(field[11], 0, TIME_MOST_MS, &ms[4]) || !number(field[12], -1, TIME_MOST_MS, &until))
        return false;
    e->written_ns = ms[0] * NS_PER_MS;
    b->since_ns = ms[1] * NS_PER_MS;
    b->begin_ns = ms[2] * NS_PER_MS;
    b->until_ns = ms[3] * NS_PER_MS;
    b->answers = (uint8_t)small[0];
    b->failures = (uint8_t)small[1];
    b->said = small[2];
    b->operator_ns = ms[4] * NS_PER_MS;
    b->operator_until_ns = until < 0 ? BLOCK_FOREVER : until * NS_PER_MS;
    return b->since_ns <= b->until_ns && b->begin_ns <= b->until_ns &&
           (!until || b->operator_ns <= b->operator_until_ns);
}

bool blocklog_take(struct blocklog_entries *e, const char *line, size_t n)
{
    char copy[BLOCKLOG_LINE_BYTES], sum[CHECKSUM_HEX + 1], *field[FIELDS];
    struct blocklog_entry entry = {0};
    if (n >= sizeof copy || n <= CHECKSUM_HEX + 1 || memchr(line, '\0', n))
        return false;
    memcpy(copy, line, n);
    copy[n] = '\0';
    snprintf(sum, sizeof sum, "%016" PRIx64, (uint64_t)XXH3_64bits(copy, n - CHECKSUM_HEX - 1));
    if (!cut(copy, field) || strcmp(field[13], sum) || !take_fields(&entry, field))
        return false;
    size_t len = strlen(field[1]);
    if (len > HOST_NAME_MAX_BYTES || buf_len(&e->names) > UINT32_MAX - len)
        return false;
    entry.name_len = (uint8_t)len;
    entry.name_off = (uint32_t)buf_len(&e->names);
    entry.order = (uint32_t)e->count;
    buf_add(&e->names, field[1], len);
    if (e->count == e->room) {
        e->room = e->room ? e->room * 2 : 64;
        e->v = xrealloc(e->v, e->room * sizeof *e->v);
    }
    e->v[e->count++] = entry;
    return true;
}

void blocklog_parse(struct blocklog_entries *e, const char *text, size_t n)
{
    const size_t head = sizeof BLOCKLOG_HEAD - 1;
    if (n < head || memcmp(text, BLOCKLOG_HEAD, head)) {
        e->foreign = n > 0;
        return;
    }
    e->whole_bytes = head;
    for (size_t at = head; at < n;) {
        const char *end = memchr(text + at, '\n', n - at);
        if (!end) {
            e->torn = true;
            return;
        }
        size_t len = (size_t)(end - text) - at;
        e->lines++;
        e->bad_lines += !blocklog_take(e, text + at, len);
        at += len + 1;
        e->whole_bytes = at;
    }
}

/* qsort_r's: by name, then by line. */
static int by_name(const void *a, const void *b, void *arg)
{
    const struct blocklog_entry *x = a, *y = b;
    const char *names = arg;
    int r = x->name_len - y->name_len;
    r = r ? r : memcmp(names + x->name_off, names + y->name_off, x->name_len);
    return r ? r : x->order < y->order ? -1 : x->order > y->order;
}

static bool matters(const struct blocklog_entry *e, int64_t wall_ns)
{
    const struct host_block *b = &e->block;
    int64_t end_ns = b->operator_until_ns > b->until_ns ? b->operator_until_ns : b->until_ns;
    return end_ns > wall_ns || wall_ns - end_ns < BLOCK_QUIET_NS;
}

void blocklog_settle(struct blocklog_entries *e, int64_t wall_ns)
{
    size_t kept = 0;
    char *names = e->count ? buf_data(&e->names) : NULL;
    if (e->count)
        qsort_r(e->v, e->count, sizeof *e->v, by_name, names);
    for (size_t i = 0; i < e->count; i++) {
        const struct blocklog_entry *x = &e->v[i], *next = i + 1 < e->count ? x + 1 : NULL;
        bool later = next && next->name_len == x->name_len &&
                     !memcmp(names + next->name_off, names + x->name_off, x->name_len);
        if (!later && matters(x, wall_ns))
            e->v[kept++] = *x;
    }
    e->count = kept;
}

/* ---- times */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct host_block blocklog_block(const struct blocklog_entry *e, int64_t mono_ns, int64_t wall_ns)
{
    struct host_block b = e->block;
    int64_t left_ns = least(b.until_ns - wall_ns, b.until_ns - e->written_ns);
    int64_t shift_ns = mono_ns + least(left_ns, BLOCK_MOST_NS) - b.until_ns;
    b.since_ns += shift_ns;
    b.begin_ns += shift_ns;
    b.until_ns += shift_ns;
    if (!b.operator_until_ns)
        return b;
    int64_t ago_ns = wall_ns - b.operator_ns;
    b.operator_ns = mono_ns - (ago_ns > 0 ? ago_ns : 0);
    if (b.operator_until_ns != BLOCK_FOREVER)
        b.operator_until_ns =
            mono_ns + least(b.operator_until_ns - wall_ns, b.operator_until_ns - e->written_ns);
    return b;
}
