/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "common/host.h"
#include "common/url.h"
#include "common/xalloc.h"
#include "tests/conformance/adapter.h"

static void add(json_t *answer, const char *key, struct url_slice s)
{
    json_object_set_new(answer, key, json_text(s.p, s.n));
}

static json_t *failure(int error)
{
    return json_pack("{s:b,s:s}", "failure", 1, "reason", url_strerror(error));
}

static json_t *parts(const struct url *u)
{
    json_t *answer = json_object();
    add(answer, "href", (struct url_slice){u->href, u->href_len});
    add(answer, "protocol", url_part(u, URL_PROTOCOL));
    add(answer, "username", url_part(u, URL_USERNAME));
    add(answer, "password", url_part(u, URL_PASSWORD));
    add(answer, "host", url_host(u));
    add(answer, "hostname", url_part(u, URL_HOSTNAME));
    add(answer, "port", url_part(u, URL_PORT));
    add(answer, "pathname", url_part(u, URL_PATH));
    add(answer, "search", url_search(u));
    add(answer, "hash", url_hash(u));
    return answer;
}

json_t *op_url_parse(const json_t *request)
{
    struct url base = {0}, u = {0};
    const char *input, *base_input;
    size_t n, base_n;
    if (!arg_text(request, "input", &input, &n))
        return answer_error("bad_argument");
    bool based = arg_text(request, "base", &base_input, &base_n);
    int error = based ? url_parse(base_input, base_n, NULL, &base) : 0;
    if (!error)
        error = url_parse(input, n, based ? &base : NULL, &u);
    json_t *answer = error ? failure(error) : parts(&u);
    url_done(&u);
    url_done(&base);
    return answer;
}

json_t *op_url_canon(const json_t *request)
{
    struct url u = {0};
    struct url_slice key;
    const char *input;
    size_t n;
    if (!arg_text(request, "input", &input, &n))
        return answer_error("bad_argument");
    int error = url_parse(input, n, NULL, &u);
    if (!error)
        error = url_canon(&u, &key);
    json_t *answer = error ? failure(error) : json_object();
    if (!error)
        add(answer, "url", key);
    url_done(&u);
    return answer;
}

json_t *op_host_ascii(const json_t *request)
{
    struct host host;
    const char *input;
    size_t n;
    if (!arg_text(request, "input", &input, &n))
        return answer_error("bad_argument");
    char *out = xmalloc(HOST_ROOM(n));
    int error = n ? host_parse(input, n, true, out, &host) : URL_E_NO_HOST;
    json_t *answer = error ? failure(error) : json_object();
    if (!error)
        add(answer, "output", (struct url_slice){out, host.len});
    free(out);
    return answer;
}
