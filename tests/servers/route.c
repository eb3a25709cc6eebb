/* SPDX-License-Identifier: MIT */
#include "tests/servers/route.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"

#define FLAKY_SLOTS 65536

struct flaky {
    _Atomic uint64_t key; /* hash of the target, 0: free */
    _Atomic uint64_t seen_count;
};

static struct route_config config;
static struct flaky *flaky_slots; /* shared by all processes */

void route_init(const struct route_config *c)
{
    config = *c;
    flaky_slots = mmap(NULL, FLAKY_SLOTS * sizeof *flaky_slots, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (flaky_slots == MAP_FAILED)
        abort();
}

static uint64_t flaky_count(const char *target)
{
    uint64_t key = 14695981039346656037u;
    for (; *target; target++)
        key = (key ^ (unsigned char)*target) * 1099511628211u;
    key |= 1;
    for (size_t i = 0; i < FLAKY_SLOTS; i++) {
        struct flaky *slot = &flaky_slots[(key + i) % FLAKY_SLOTS];
        uint64_t free_key = 0;
        if (atomic_compare_exchange_strong(&slot->key, &free_key, key) || free_key == key)
            return atomic_fetch_add(&slot->seen_count, 1) + 1;
    }
    return UINT64_MAX;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

static void percent_decode(const char *s, struct buf *ret_text)
{
    for (; *s; s++) {
        int high = *s == '%' ? hex_digit(s[1]) : -1;
        int low = high >= 0 ? hex_digit(s[2]) : -1;
        if (low >= 0)
            s += 2;
        buf_addc(ret_text, low >= 0 ? (char)(high * 16 + low) : *s);
    }
}

static void say_status(struct reply *r, int status)
{
    char text[32];
    int n = snprintf(text, sizeof text, "status %d\n", status);
    reply_say(r, status, "text/plain", text, (size_t)n);
}

/* Each steering path gets what follows its prefix. */

static void answer(const struct request *q, const char *path, struct reply *r);

static void steer_status(const struct request *q, const char *rest, struct reply *r)
{
    int status = atoi(rest);
    const char *again = strstr(rest, "?retry_after=");
    say_status(r, status >= 100 && status <= 999 ? status : 404);
    if (again)
        buf_addf(&r->headers, "Retry-After: %s\r\n", strchr(again, '=') + 1);
}

static void steer_bytes(const struct request *q, const char *rest, struct reply *r)
{
    reply_generate(r, strtoull(rest, NULL, 10));
}

static void steer_delay(const struct request *q, const char *rest, struct reply *r)
{
    const char *onward = strchr(rest, '/');
    r->delay_ns += atoll(rest) % 86400000 * NS_PER_MS;
    answer(q, onward ? onward : "/", r);
}

static void steer_chunked(const struct request *q, const char *rest, struct reply *r)
{
    reply_generate(r, strtoull(rest, NULL, 10));
    r->framing = FRAMED_BY_CHUNKS;
}

static void steer_close(const struct request *q, const char *rest, struct reply *r)
{
    reply_generate(r, strtoull(rest, NULL, 10));
    r->framing = FRAMED_BY_CLOSE;
    r->ending = ENDS_CLOSED;
}

static void steer_redirect(const struct request *q, const char *rest, struct reply *r)
{
    unsigned long hops = strtoul(rest, NULL, 10);
    if (!hops)
        return;
    say_status(r, 302);
    buf_addf(&r->headers, "Location: /redirect/%lu\r\n", hops - 1);
}

static void steer_redirect_to(const struct request *q, const char *rest, struct reply *r)
{
    const char *url = strstr(rest, "url=");
    const char *status = strstr(rest, "status=");
    int code = status && (!url || status < url) ? atoi(status + 7) : 302;
    say_status(r, code >= 300 && code <= 399 ? code : 302);
    buf_adds(&r->headers, "Location: ");
    percent_decode(url ? url + 4 : "", &r->headers);
    buf_adds(&r->headers, "\r\n");
}

static void steer_drop(const struct request *q, const char *rest, struct reply *r)
{
    reply_generate(r, strtoull(rest, NULL, 10));
    r->declared_bytes = r->body_bytes + 1000;
    r->ending = ENDS_CLOSED;
}

static void steer_rst(const struct request *q, const char *rest, struct reply *r)
{
    r->status = 0;
    r->ending = ENDS_RESET;
}

static void steer_empty(const struct request *q, const char *rest, struct reply *r)
{
    r->status = 0;
    r->ending = ENDS_CLOSED;
}

static void steer_stale(const struct request *q, const char *rest, struct reply *r)
{
    r->ending = ENDS_STALE;
}

static void steer_flaky(const struct request *q, const char *rest, struct reply *r)
{
    if (flaky_count(r->target) < strtoull(rest, NULL, 10))
        say_status(r, 500);
}

static void steer_slow(const struct request *q, const char *rest, struct reply *r)
{
    const char *bytes = strchr(rest, '/');
    r->bytes_per_s = strtoull(rest, NULL, 10);
    reply_generate(r, bytes ? strtoull(bytes + 1, NULL, 10) : 0);
}

static void steer_echo(const struct request *q, const char *rest, struct reply *r)
{
    reply_say(r, 200, "text/plain", q->head, q->head_bytes);
}

static void steer_text(const struct request *q, const char *rest, struct reply *r)
{
    percent_decode(rest, &r->memory);
    reply_generate(r, buf_len(&r->memory));
}

static const struct {
    const char *prefix;
    void (*steer)(const struct request *q, const char *rest, struct reply *r);
} routes[] = {
    {"/status/", steer_status},
    {"/bytes/", steer_bytes},
    {"/delay/", steer_delay},
    {"/chunked/", steer_chunked},
    {"/close/", steer_close},
    {"/redirect/", steer_redirect},
    {"/redirect-to?", steer_redirect_to},
    {"/drop/", steer_drop},
    {"/rst", steer_rst},
    {"/empty", steer_empty},
    {"/stale", steer_stale},
    {"/flaky/", steer_flaky},
    {"/slow/", steer_slow},
    {"/echo", steer_echo},
    {"/text?", steer_text},
};

static const char *type_of(const char *name)
{
    static const struct {
        const char *ending, *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".css", "text/css"},
                 {".svg", "image/svg+xml"},
                 {".txt", "text/plain; charset=utf-8"},
                 {".xml", "application/xml"},
                 {".gz", "application/gzip"},
                 {".js", "text/javascript"},
                 {".png", "image/png"}};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (!strcmp(dot, types[i].ending))
            return types[i].type;
    return "application/octet-stream";
}

/* "a/b" below the root: no empty, hidden or ".." part; a directory stands for its index.html. */
static bool name_is_safe(const char *name)
{
    for (const char *part = name;; part++) {
        if (*part == '.' || *part == '/')
            return false;
        part = strchr(part, '/');
        if (!part || !part[1])
            return true;
    }
}

static int open_below_root(struct buf *name)
{
    struct stat st;
    if (!buf_len(name) || buf_data(name)[buf_len(name) - 1] == '/')
        buf_adds(name, "index.html");
    if (memchr(buf_data(name), '\0', buf_len(name)) || !name_is_safe(buf_str(name)))
        return -1;
    int fd = openat(config.root, buf_str(name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
        close(fd);
        return -1;
    }
    return fd;
}

static void say_file(const char *path, struct reply *r)
{
    struct buf name = {0};
    struct stat st;
    char *plain = strndup(path + 1, strcspn(path + 1, "?#"));
    percent_decode(plain, &name);
    free(plain);
    int fd = open_below_root(&name);
    if (fd >= 0 && !fstat(fd, &st)) {
        r->file = fd;
        r->type = type_of(buf_str(&name));
        reply_generate(r, (uint64_t)st.st_size);
    } else {
        say_status(r, 404);
    }
    buf_done(&name);
}

static void answer(const struct request *q, const char *path, struct reply *r)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        size_t n = strlen(routes[i].prefix);
        if (!strncmp(path, routes[i].prefix, n)) {
            routes[i].steer(q, path + n, r);
            return;
        }
    }
    if (config.root >= 0)
        say_file(path, r);
    else if (!strcmp(path, "/robots.txt"))
        say_status(r, 404);
}

/* The path of a target; a proxy's target is a whole URL. */
static const char *target_path(const char *target)
{
    const char *host = strstr(target, "://");
    if (*target == '/' || !host)
        return *target == '/' ? target : "/";
    const char *path = strchr(host + 3, '/');
    return path ? path : "/";
}

void route_reply(const struct request *q, const char *target, struct reply *ret_reply)
{
    reply_init(ret_reply, target, config.body_bytes);
    int64_t spread_ns = config.delay_most_ns - config.delay_least_ns;
    if (config.delay_most_ns)
        ret_reply->delay_ns = config.delay_least_ns + (spread_ns ? random() % spread_ns : 0);
    answer(q, target_path(target), ret_reply);
    ret_reply->without_body |= q->is_head;
}
