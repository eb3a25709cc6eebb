/* SPDX-License-Identifier: MIT */
/* why: where a URL or a host stands, since when, till when, and which rule decided.
 *
 * What refuses a URL as it is given is evaluated again. A lease is found in memory. For all else
 * its files are read by a process of its own (daemon/find/), newest job first: a row is the answer;
 * a seq without one is looked for in its host's queue and among the next attempts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/xalloc.h"
#include "daemon/supervisor/child.h"
#include "daemon/supervisor/host_json.h"
#include "daemon/supervisor/ops.h"
#include "daemon/supervisor/supervisor.h"

#define JOBS_MAX  1000    /* looked at without a job being named */
#define AHEAD_MAX 1000000 /* entries of a queue looked at */

/* ---- answers ---- */

/* A new answer about the URL in the job. */
static json_t *standing(const struct job *j, const char *url, const char *state, const char *rule)
{
    return json_pack("{ss ss* ss ss}", "url", url, "job", j ? j->spec.name : NULL, "state", state,
                     "rule", rule);
}

static void because(json_t *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void because(json_t *o, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    json_object_set_new(o, "why", json_string(text));
}

static json_t *unknown(const char *url)
{
    json_t *o = standing(NULL, url, "unknown", "");
    because(o, "no job has been given it; a URL of a template is known once it is fetched");
    return o;
}

/* ---- what was done ---- */

static json_t *done(const struct job *j, const char *url, json_t *row)
{
    const char *outcome = json_string_value(json_object_get(row, "outcome"));
    const char *reason = json_string_value(json_object_get(row, "reason"));
    const char *time = json_string_value(json_object_get(row, "time"));
    json_t *o = standing(j, url, outcome ? outcome : "", reason ? reason : "");
    because(o, "%s", reason_help(reason ? reason_parse(reason) : REASON_NONE));
    if (time)
        json_object_set_new(o, "since", json_string(time));
    json_object_set(o, "row", row);
    return o;
}

/* ---- what waits ---- */

/* What holds the job up as a whole; "" nothing. */
static const char *job_holds(const struct job *j)
{
    const char *why, *state = job_state(j, &why);
    return j->source.open ? "" : *why ? why : state;
}

static const struct {
    const char *rule, *text;
} rule_texts[] = {
    {"delay", "the delay between two requests is not over"},
    {"in_flight", "another request to the host must end first"},
    {"resolving", "the address of the host is being looked up"},
    {"connections_per_host", "the connections to the host are used up"},
    {"connections_per_ip", "the connections to the host's address are used up"},
    {"workers_full", "all workers are full"},
    {"next", "it is next, or behind others of its host"},
    {"job", "the jobs that have URLs there fetch nothing now"},
};

static void explain_host(struct supervisor *s, json_t *o, const struct host *host,
                         const struct job *j)
{
    struct host_standing st = host_standing(s, host, clock_mono_ns());
    const char *text = host_queued(host) ? "" : "no URL waits there";
    json_t *block = host_block_json(host);
    for (size_t i = 0; i < sizeof rule_texts / sizeof *rule_texts; i++)
        if (!strcmp(rule_texts[i].rule, st.rule))
            text = rule_texts[i].text;
    json_object_set_new(o, "rule", json_string(st.rule));
    json_object_set_new(o, "until", moment_json(st.at_ns));
    if (block) {
        const char *by = json_string_value(json_object_get(block, "by"));
        json_object_set(o, "since", json_object_get(block, "since"));
        because(o, "the host is blocked by %s %s", strcmp(by, "operator") ? "its" : "the", by);
        json_object_set_new(o, "block", block);
    } else if (j && *job_holds(j)) {
        json_object_set_new(o, "rule", json_string("job"));
        because(o, "the job fetches nothing: %s", job_holds(j));
    } else {
        because(o, "%s", text);
    }
}

static struct hostq *queue_of(struct job *j, const char *url)
{
    struct url *u = &j->s->url;
    if (url_parse(url, strlen(url), NULL, u))
        return NULL;
    struct url_slice name = url_hostname(u);
    struct host *host = hosts_find(&j->s->hosts, name.p, name.n);
    struct hostq *q = host ? host->queues : NULL;
    while (q && q->source != &j->source)
        q = q->next;
    return q;
}

/* How many of the queue are asked before it; -1: it is not among those looked at. */
static int64_t ahead_of(const struct hostq *q, uint64_t seq)
{
    int64_t n = 0;
    list_each(it, &q->hops)
    {
        if (ENTRY_SEQ(list_of(it, struct hop, link)->entry) == seq)
            return n;
        n++;
    }
    int64_t at = queue_find(&q->entries, seq, ENTRY_SEQ(~UINT64_C(0)), AHEAD_MAX);
    return at < 0 ? -1 : n + at;
}

static const struct retry *retry_of(const struct job *j, uint64_t seq)
{
    for (uint32_t i = 0; i < j->retries.count; i++)
        if (ENTRY_SEQ(j->retries.v[i].entry) == seq)
            return &j->retries.v[i];
    return NULL;
}

static json_t *in_flight(struct job *j, const char *url, const struct lease *l)
{
    json_t *o = standing(j, url, "in_flight", "");
    const char *asked = l->hop ? l->hop->chain[l->hop->count - 1] : url;
    if (l->worker && l->state == LEASE_OUT)
        because(o, "worker-%d is fetching it", l->worker->slot);
    else
        because(o, "it is on its way to a worker");
    if (l->worker)
        json_object_set_new(o, "worker", json_integer(l->worker->slot));
    json_object_set_new(o, "since", moment_json(l->begun_ns));
    json_object_set_new(o, "asked", json_string(asked));
    json_object_set_new(o, "attempt", json_integer(ENTRY_ATTEMPTS(l->entry) + 1));
    return o;
}

static const struct lease *lease_of(const struct job *j, const char *url)
{
    list_each(it, &j->leases)
    {
        const struct lease *l = list_of(it, struct lease, of_job);
        const char *given = l->hop ? l->hop->chain[0] : l->url;
        if (given && !strcmp(given, url))
            return l;
    }
    return NULL;
}

static json_t *open_one(struct job *j, const char *url, uint64_t seq)
{
    const struct lease *l = lease_of(j, url);
    const struct retry *again = retry_of(j, seq);
    struct hostq *q = queue_of(j, url);
    int64_t ahead = q ? ahead_of(q, seq) : -1;
    if (l)
        return in_flight(j, url, l);
    if (again) {
        json_t *o = standing(j, url, "queued", "retry");
        because(o, "attempt %u failed; the next one comes when the back-off is over",
                ENTRY_ATTEMPTS(again->entry));
        json_object_set_new(o, "until", moment_json(again->due_ns));
        return o;
    }
    json_t *o = standing(j, url, "queued", "");
    json_object_set_new(o, "seq", json_integer((json_int_t)seq));
    if (ahead >= 0)
        json_object_set_new(o, "ahead", json_integer(ahead));
    if (ahead >= 0 || (q && queue_count(&q->entries) > AHEAD_MAX))
        explain_host(j->s, o, q->host, j);
    else
        because(o, "it is between two of its places: being queued, or its row is being committed");
    return o;
}

/* ---- the search ---- */

/* The best answer among the jobs found: one that has the URL open, else the newest. */
static void on_found(struct request *r, json_t *result)
{
    const char *url = json_string_value(json_object_get(r->result, "url"));
    json_t *answer = NULL, *one;
    size_t i;
    json_array_foreach(json_object_get(result, "found"), i, one)
    {
        const char *slash = strrchr(json_string_value(json_object_get(one, "dir")), '/');
        struct job *j = jobs_named(r->s, slash + 1);
        json_t *row = json_object_get(one, "row");
        if (!j || (row && answer))
            continue;
        json_decref(answer);
        answer = row ? done(j, url, row)
                     : open_one(j, url, (uint64_t)json_integer_value(json_object_get(one, "seq")));
        if (!row)
            break;
    }
    if (!answer)
        answer = unknown(url);
    request_ok(r, answer);
}

/* Words of the command: the URL, and each job with its committed length, the newest first. */
static char **command(struct request *r, const char *url)
{
    const struct supervisor *s = r->s;
    size_t count = 0, room = list_count(&s->jobs);
    char **argv = xcalloc(2 * (room < JOBS_MAX ? room : JOBS_MAX) + 4, sizeof *argv);
    argv[count++] = xstrdup("crawld");
    argv[count++] = xstrdup("--find");
    argv[count++] = xstrdup(url);
    for (struct list *it = s->jobs.prev; it != &s->jobs && count < 2 * JOBS_MAX + 3;
         it = it->prev) {
        const struct job *j = list_of(it, struct job, link);
        if ((r->job && j != r->job) || !j->saved)
            continue;
        if (j->phase == JOB_OPEN && j->spec.dedup && !j->generator &&
            !ledger_seen(j->ledger, url, strlen(url)))
            continue;
        char bytes[24];
        uint64_t n = j->ledger ? ledger_counts(j->ledger).results_bytes : j->results_bytes;
        snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)n);
        argv[count++] = xstrdup(j->dir);
        argv[count++] = xstrdup(bytes);
    }
    return argv;
}

static void search(struct request *r, const char *url)
{
    char **argv = command(r, url);
    r->result = json_pack("{ss}", "url", url);
    if (argv[3])
        child_run(r, argv, on_found);
    else
        request_ok(r, unknown(url));
    for (size_t i = 0; argv[i]; i++)
        free(argv[i]);
    free(argv);
}

/* ---- the operation ---- */

/* True: answered, it would be refused. */
static bool refused(struct request *r, const char *text)
{
    struct url *u = &r->s->url;
    struct url_slice canon;
    json_t *o;
    int bad =
        strlen(text) > URL_MAX_GIVEN ? URL_E_TOO_LONG : url_parse(text, strlen(text), NULL, u);
    if (bad) {
        o = standing(NULL, text, "excluded", reason_name(REASON_BAD_URL));
        because(o, "%s", url_strerror(bad));
    } else if (url_canon(u, &canon)) {
        o = standing(NULL, text, "excluded", reason_name(REASON_SCHEME));
        because(o, "%s", reason_help(REASON_SCHEME));
    } else {
        return false;
    }
    request_ok(r, o);
    return true;
}

static void why_host(struct request *r, const char *name)
{
    struct host *host = hosts_find(&r->s->hosts, name, strlen(name));
    json_t *o;
    if (host) {
        o = host_json(r->s, host, true);
        explain_host(r->s, o, host, NULL);
    } else {
        o = json_pack("{ss ss ss}", "host", name, "state", "unknown", "rule", "");
        because(o, "no job has had a URL there");
    }
    request_ok(r, o);
}

void op_why(struct request *r)
{
    const char *url = request_text(r, "url"), *host = request_text(r, "host");
    struct url_slice canon;
    if (!url == !host) {
        request_error(r, ERROR_BAD_ARGUMENT, "args.url", NULL, "url.why takes a url or a host");
        return;
    }
    if (host) {
        why_host(r, host);
        return;
    }
    if (refused(r, url))
        return;
    url_canon(&r->s->url, &canon);
    char *text = xmemdup0(canon.p, canon.n);
    for (struct list *it = r->s->jobs.prev; it != &r->s->jobs; it = it->prev) {
        struct job *j = list_of(it, struct job, link);
        const struct lease *l = r->job && j != r->job ? NULL : lease_of(j, text);
        if (l) {
            request_ok(r, in_flight(j, text, l));
            free(text);
            return;
        }
    }
    search(r, text);
    free(text);
}
