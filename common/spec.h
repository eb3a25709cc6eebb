/* SPDX-License-Identifier: MIT */
/* The job specification: what crawlctl sends, the supervisor keeps in job.json and every worker
 * gets. One row of spec.def per key; JSON, command-line flags, help and checks come from it. */
#ifndef COMMON_SPEC_H
#define COMMON_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wordlist.h"

#define SPEC_NAME_MAX 64

enum spec_combine { SPEC_PRODUCT, SPEC_ZIP };
enum spec_robots { SPEC_ROBOTS_OBEY, SPEC_ROBOTS_ARCHIVE, SPEC_ROBOTS_IGNORE };
enum spec_preset { SPEC_POLITE, SPEC_PROBE, SPEC_OWN };
enum spec_format { SPEC_WARC, SPEC_NONE };
enum spec_compress { SPEC_GZIP, SPEC_ZSTD, SPEC_PLAIN };
enum spec_pages { SPEC_KEPT, SPEC_ALL };
enum spec_redirects { SPEC_INLINE, SPEC_ENQUEUE };
enum spec_tls_verify { SPEC_TLS_STRICT, SPEC_TLS_RECORD, SPEC_TLS_OFF };

struct spec_text { /* owned bytes, NUL-terminated */
    char *p;
    size_t len;
};

struct spec_texts {
    struct spec_text *v; /* owned */
    size_t count;
};

/* {n} in the template: a list of words or a range, never materialised. */
struct spec_words {
    char *name; /* owned */
    bool range;
    int64_t from, to, step;  /* range: from, from+step, ... not beyond to */
    bool apart;              /* list: not in the JSON, which has `count` and `bytes` of it */
    struct wordlist list;    /* list; apart: empty till somebody fills it */
    uint64_t count;          /* how many values; of an upload 0 till it is there */
    uint64_t bytes;          /* apart: of its text */
};

/* keep.status: 200 is {200,200}, "2xx" is {200,299}. */
struct spec_status {
    uint16_t low, high;
};

struct job_spec {
    char name[SPEC_NAME_MAX + 1]; /* empty: the supervisor gives one */
    struct spec_texts seeds;

    char *template;           /* owned; NULL if none; every {placeholder} has words */
    struct spec_words *words; /* owned; every one is in the template */
    size_t words_count;
    enum spec_combine combine;

    struct {
        uint64_t pages, bytes, seconds, pages_per_host; /* 0 = no limit */
    } limits;

    struct {
        enum spec_preset preset;
        uint64_t delay_ms;
        uint64_t connections_per_host, connections_per_ip; /* 0 = no limit */
        uint64_t rate_per_s, bytes_per_s, in_flight;       /* 0 = no limit */
        enum spec_robots robots;
    } pace;

    struct {
        char *method;              /* owned; "GET" */
        struct spec_texts headers; /* "Name: value" each, checked */
        struct spec_text body;
        char *user_agent;      /* owned, never NULL; empty: the daemon's */
        char *accept_encoding; /* owned, never NULL; empty: not sent */
    } request;

    struct {
        /* 0 = no limit; none above total_ms unless that is 0 */
        uint64_t dns_ms, connect_ms, tls_ms, first_byte_ms, idle_ms, total_ms;
        uint64_t min_rate, min_rate_ms; /* bytes/s of an answer, 0 = no limit; averaged over */
    } timeouts;

    struct {
        uint64_t attempts, backoff_ms, factor, give_up_s;
    } retry;

    struct {
        enum spec_redirects mode;
        uint64_t max;
    } redirects;

    uint64_t max_body_bytes; /* 0 = no limit */
    enum spec_tls_verify tls_verify;

    struct {
        struct spec_status *status; /* owned */
        size_t status_count;
        struct spec_texts body_has, body_lacks, mime;
        uint64_t min_bytes, max_bytes; /* 0 = no limit */
    } keep;

    struct {
        enum spec_format format;
        enum spec_compress compress;
        enum spec_pages pages;
        uint64_t rotate_bytes;
    } store;

    bool dedup, keep_open;
    int64_t priority;
};

/* What was wrong: the key's path ("pace.delay_ms"), text for a person, and whether it is merely
 * not built. */
struct spec_error {
    char field[128], message[256], hint[256];
    bool unsupported;
};

/* Reads a JSON object (whose reader refuses duplicate keys). 0, or -EINVAL with ret_error filled
 * and nothing to free. Whether there is a source of URLs is for the caller: lists may come later.
 */
int spec_parse(const json_t *object, struct job_spec *ret_spec, struct spec_error *ret_error);
void spec_done(struct job_spec *s);

/* The whole specification as JSON with presets resolved: spec_parse() of it gives the same. A
 * new reference. */
json_t *spec_json(const struct job_spec *s);

/* All lists kept apart have their words now: sets their counts, checks them against each other. 0, or
 * -EINVAL with ret_error filled. */
int spec_words_given(struct job_spec *s, struct spec_error *ret_error);

/* Frees the words of lists kept apart. */
void spec_words_forget(struct job_spec *s);

/* A {placeholder} of the template. {} is the first of the words. */
struct spec_placeholder {
    const char *open, *end; /* the { and what follows the } */
    size_t words;           /* index into s->words */
};

/* The first one at or behind `from`, which points into s->template; false if there is none. */
bool spec_placeholder_next(const struct job_spec *s, const char *from,
                           struct spec_placeholder *ret_placeholder);

#endif
