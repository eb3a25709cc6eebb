/* SPDX-License-Identifier: MIT */
#include "daemon/fetch/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"

void jobs_init(struct jobs *jobs)
{
    for (int i = 0; i < JOBS_BUCKETS; i++)
        list_init(&jobs->bucket[i]);
}

void jobs_done(struct jobs *jobs)
{
    for (int i = 0; i < JOBS_BUCKETS; i++)
        while (!list_empty(&jobs->bucket[i]))
            job_free(list_of(jobs->bucket[i].next, struct job, link));
}

struct job *jobs_find(struct jobs *jobs, uint32_t number)
{
    list_each(it, &jobs->bucket[number % JOBS_BUCKETS])
    {
        struct job *j = list_of(it, struct job, link);
        if (j->number == number)
            return j;
    }
    return NULL;
}

static int64_t limit_ns(uint64_t ms)
{
    return ms && ms < INT64_MAX / NS_PER_MS ? (int64_t)ms * NS_PER_MS : INT64_MAX;
}

static struct request_text text_of(const char *s)
{
    return (struct request_text){s && *s ? s : NULL, s ? strlen(s) : 0};
}

static struct request_field field_of(const struct spec_text *line)
{
    const char *colon = memchr(line->p, ':', line->len);
    size_t name_len = colon ? (size_t)(colon - line->p) : line->len;
    const char *value = line->p + name_len + (colon != NULL);
    value += strspn(value, " \t");
    return (struct request_field){.name = {line->p, name_len}, .value = text_of(value)};
}

/* Says who asks and what it wants; any other field was set for the origin of the URL given, and may
 * be its secret: a key, a cookie. */
static bool is_public(const struct request_field *field)
{
    static const char *const names[] = {
        "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language",
        "DNT",    "From",           "User-Agent"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (field->name.len == strlen(names[i]) &&
            !strncasecmp(field->name.p, names[i], field->name.len))
            return true;
    return false;
}

static void job_prepare_fields(struct job *j)
{
    size_t count = j->spec.request.headers.count, own = count;
    j->fields = xcalloc(count + 1, sizeof *j->fields);
    for (size_t i = 0; i < count; i++) {
        struct request_field field = field_of(&j->spec.request.headers.v[i]);
        j->fields[is_public(&field) ? j->public_count++ : --own] = field;
    }
    j->request.fields = j->fields;
    j->request.field_count = count;
}

/* A pause that idle_ms allows must not count as slow. */
static void prepare_rate(struct job_limits *l, const struct job_spec *s)
{
    uint64_t ms = s->timeouts.min_rate_ms;
    if (ms < s->timeouts.idle_ms)
        ms = s->timeouts.idle_ms;
    l->rate_ns = limit_ns(s->timeouts.min_rate ? ms : 0);
    l->rate_bytes = (uint64_t)((double)s->timeouts.min_rate * (double)ms / 1000);
}

static void job_prepare(struct job *j, const char *user_agent)
{
    const struct job_spec *s = &j->spec;
    const char *own = s->request.user_agent;
    j->limits = (struct job_limits){.dns_ns = limit_ns(s->timeouts.dns_ms),
                                    .connect_ns = limit_ns(s->timeouts.connect_ms),
                                    .tls_ns = limit_ns(s->timeouts.tls_ms),
                                    .first_byte_ns = limit_ns(s->timeouts.first_byte_ms),
                                    .idle_ns = limit_ns(s->timeouts.idle_ms),
                                    .total_ns = limit_ns(s->timeouts.total_ms),
                                    .none_ns = INT64_MAX};
    prepare_rate(&j->limits, s);
    j->request = (struct request){
        .method = text_of(s->request.method),
        .user_agent = text_of(own && *own ? own : user_agent),
        .accept_encoding = text_of(s->request.accept_encoding),
        .body = {s->request.body.len ? s->request.body.p : NULL, s->request.body.len}};
    job_prepare_fields(j);
}

int jobs_add(struct jobs *jobs, uint32_t number, const char *text, size_t len,
             const char *user_agent, struct job **ret_job)
{
    struct job *j = xcalloc(1, sizeof *j);
    struct spec_error error;
    json_t *object = json_loadb(text, len, 0, NULL);
    int err = object ? spec_parse(object, &j->spec, &error) : -EINVAL;
    json_decref(object);
    if (err) {
        log_err("job=%u error=\"specification: %s %s\"", number, object ? error.field : "no JSON",
                object ? error.message : "");
        free(j);
        return err;
    }
    j->number = number;
    job_prepare(j, user_agent);
    list_add_head(&jobs->bucket[number % JOBS_BUCKETS], &j->link);
    *ret_job = j;
    return 0;
}

void job_free(struct job *j)
{
    list_del(&j->link);
    spec_done(&j->spec);
    free(j->fields);
    free(j);
}
