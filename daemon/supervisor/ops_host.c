/* SPDX-License-Identifier: MIT */
/* Hosts: listing them, looking at one, the operator's blocks. There may be millions, so a list by a
 * key is made in slices between which the loop turns. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/xalloc.h"
#include "daemon/supervisor/blocks.h"
#include "daemon/supervisor/host_json.h"
#include "daemon/supervisor/ops.h"
#include "daemon/supervisor/supervisor.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     500
#define SLICE_NS      (3 * NS_PER_MS)
#define FOR_MAX_S     (10 * 366 * 86400)

/* ---- which host ---- */

/* The name as hosts have it, in s->url; NULL and refused if it is none. */
static bool named(struct request *r, struct url_slice *ret_name)
{
    const char *text = request_text(r, "host");
    struct url *u = &r->s->url;
    struct buf b = {0};
    bool bare_ipv6 = *text != '[' && strchr(text, ':') != strrchr(text, ':');
    buf_addf(&b, bare_ipv6 ? "http://[%s]/" : "http://%s/", text);
    bool bad = !*text || strpbrk(text, "/?#@\\ ") ||
               url_parse(buf_data(&b), buf_len(&b), NULL, u) || u->has_port;
    buf_done(&b);
    if (bad) {
        request_error(r, ERROR_BAD_ARGUMENT, "args.host",
                      "a name or address without scheme, port and path: all ports share one clock",
                      "%.80s is no host", text);
        return false;
    }
    *ret_name = url_hostname(u);
    return true;
}

/* NULL: refused. */
static struct host *known(struct request *r)
{
    struct url_slice name;
    if (!named(r, &name))
        return NULL;
    struct host *host = hosts_find(&r->s->hosts, name.p, name.n);
    if (!host)
        request_error(r, ERROR_NOT_FOUND, "args.host", "`crawlctl hosts` lists those there are",
                      "no job has had a URL at %.*s", (int)name.n, name.p);
    return host;
}

void op_host_show(struct request *r)
{
    struct host *host = known(r);
    if (host)
        request_ok(r, host_json(r->s, host, true));
}

/* ---- blocking ---- */

static void on_written(struct job_wait *w, int err)
{
    struct request *r = list_of(w, struct request, job_wait);
    json_t *result = r->result;
    r->result = NULL;
    if (!err) {
        request_ok(r, result);
        return;
    }
    json_decref(result);
    request_error(r, ERROR_STORAGE, NULL, "it holds, but a restart may forget it",
                  "hosts.log cannot be written: %s", strerror(-err));
}

static void answer_when_written(struct request *r, const struct host *host)
{
    r->result = host_json(r->s, host, true);
    r->job_wait.done = on_written;
    blocks_wait(r->s, &r->job_wait);
    supervisor_kick(r->s);
}

void op_host_block(struct request *r)
{
    struct supervisor *s = r->s;
    struct url_slice name;
    int64_t for_s = request_int(r, "for_s", 0), now_ns = clock_mono_ns();
    if (for_s > FOR_MAX_S) {
        request_error(r, ERROR_BAD_ARGUMENT, "args.for_s", "without for_s it lasts until unblocked",
                      "for_s is at most %d", FOR_MAX_S);
        return;
    }
    if (!named(r, &name))
        return;
    struct host *host = hosts_get(&s->hosts, name.p, name.n, NULL);
    block_by_operator(&s->hosts, host, for_s ? now_ns + for_s * NS_PER_S : BLOCK_FOREVER, now_ns);
    blocks_stop(s, host, NULL);
    answer_when_written(r, host);
}

void op_host_unblock(struct request *r)
{
    struct host *host = known(r);
    if (!host)
        return;
    if (block_lift(&r->s->hosts, host, clock_mono_ns()))
        answer_when_written(r, host);
    else
        request_error(r, ERROR_WRONG_STATE, "args.host", NULL, "%.*s is not blocked",
                      host->name_len, host->name);
}

/* ---- listing ---- */

static int64_t key_queued(const struct host *host)
{
    return (int64_t)host_queued(host);
}

static int64_t key_in_flight(const struct host *host)
{
    return (int64_t)host->act + host->free_act;
}

static int64_t key_blocked(const struct host *host)
{
    int64_t until_ns;
    return block_now(host, clock_mono_ns(), &until_ns) == BLOCK_NONE ? 0 : until_ns;
}

static int64_t key_failures(const struct host *host)
{
    return host->failures;
}

static int64_t key_delay(const struct host *host)
{
    return host_pace(host).delay_ns;
}

static const struct {
    const char *name;
    int64_t (*of)(const struct host *host);
} keys[] = {{"queued", key_queued},
            {"in_flight", key_in_flight},
            {"blocked", key_blocked},
            {"failures", key_failures},
            {"delay", key_delay}};

struct place {
    int64_t key;
    uint32_t id;
};

struct listing {
    struct request_work work;
    struct supervisor *s;
    struct request *request; /* borrowed */
    ev_timer slice;
    int64_t (*key)(const struct host *host);
    struct place after, *best; /* owned: the first `limit` so far, and as many more */
    size_t count, limit;
    uint32_t id; /* next */
};

/* Highest key first, then as they came. */
static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->key != y->key)
        return x->key > y->key ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void listing_free(struct listing *l)
{
    ev_timer_stop(l->s->loop, &l->slice);
    free(l->best);
    free(l);
}

static void listing_forget(struct request_work *w)
{
    listing_free(list_of(w, struct listing, work));
}

static void cut_best(struct listing *l)
{
    qsort(l->best, l->count, sizeof *l->best, by_place);
    if (l->count > l->limit)
        l->count = l->limit;
}

static void listing_answer(struct listing *l)
{
    struct request *r = l->request;
    json_t *items = json_array(), *next = json_null();
    char cursor[48];
    cut_best(l);
    for (size_t i = 0; i < l->count; i++)
        json_array_append_new(items,
                              host_json(l->s, hosts_by_id(&l->s->hosts, l->best[i].id), false));
    if (l->count == l->limit) {
        const struct place *last = &l->best[l->count - 1];
        snprintf(cursor, sizeof cursor, "%lld.%u", (long long)last->key, last->id);
        next = json_string(cursor);
    }
    r->work = NULL;
    listing_free(l);
    request_ok(r, json_pack("{so so}", "items", items, "next", next));
}

static void on_slice(EV_P_ ev_timer *t, int revents)
{
    struct listing *l = t->data;
    const struct hosts *h = &l->s->hosts;
    int64_t until_ns = clock_mono_ns() + SLICE_NS;
    while (l->id < h->count && (l->id % 256 || clock_mono_ns() < until_ns)) {
        struct place p = {l->key ? l->key(h->by_id[l->id]) : 0, l->id};
        l->id++;
        if (by_place(&l->after, &p) >= 0)
            continue;
        l->best[l->count++] = p;
        if (l->count == 2 * l->limit)
            cut_best(l);
        if (!l->key && l->count == l->limit)
            l->id = h->count;
    }
    if (l->id < h->count)
        ev_timer_start(EV_A_ t);
    else
        listing_answer(l);
}

/* False: refused. */
static bool take_sort(struct request *r, struct listing *l)
{
    const char *sort = request_text(r, "sort"), *after = request_text(r, "after");
    long long key;
    int used = 0;
    l->after = (struct place){INT64_MAX, 0};
    for (size_t i = 0; sort && i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(keys[i].name, sort))
            l->key = keys[i].of;
    if (sort && !l->key) {
        request_error(r, ERROR_BAD_ARGUMENT, "args.sort",
                      "queued, in_flight, blocked, failures or delay", "no key is called %.40s",
                      sort);
        return false;
    }
    if (!after)
        return true;
    bool fine = sscanf(after, "%lld.%u%n", &key, &l->after.id, &used) == 2 && !after[used];
    l->after.key = key;
    if (!fine)
        request_error(r, ERROR_BAD_ARGUMENT, "args.after", "take it from `next` of the last answer",
                      "%.40s is no place in the list", after);
    return fine;
}

void op_host_list(struct request *r)
{
    struct listing *l = xcalloc(1, sizeof *l);
    int64_t limit = request_int(r, "limit", LIMIT_DEFAULT);
    if (!take_sort(r, l)) {
        free(l);
        return;
    }
    l->s = r->s;
    l->request = r;
    l->limit = limit && limit < LIMIT_MAX ? (size_t)limit : LIMIT_MAX;
    l->best = xcalloc(2 * l->limit, sizeof *l->best);
    l->id = !l->key && l->after.key != INT64_MAX ? l->after.id : 0;
    l->work.forget = listing_forget;
    r->work = &l->work;
    ev_timer_init(&l->slice, on_slice, 0, 0);
    l->slice.data = l;
    ev_timer_start(r->s->loop, &l->slice);
}
