/* SPDX-License-Identifier: MIT */
#include "ctl/reasons.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/outcome.h"
#include "ctl/jsonp.h"
#include "ctl/say.h"
#include "ctl/text.h"

#define REASONS_MAX 5

struct tally {
    enum reason reason;
    int64_t count;
};

static const char *const advice[REASON_COUNT] = {
    [REASON_ADDRESS_DENIED] =
        "--allow-cidr opens addresses that are not public, as 127.0.0.0/8 for this machine",
    [REASON_CONTACT] = "--contact names who answers for the crawl, a mail address or URL",
    [REASON_SCHEME] = "only http:// and https:// URLs are fetched",
    [REASON_TLS_VERIFY] = "--tls-verify record fetches all the same and says why in the row; --set "
                          "ca_file=FILE trusts another authority",
    [REASON_BAD_URL] = "a URL begins with http:// or https://; -i FILE reads URLs from a file",
};

static int by_count(const void *a, const void *b)
{
    const struct tally *x = a, *y = b;
    return x->count == y->count ? 0 : x->count < y->count ? 1 : -1;
}

static void print(const struct tally *t, bool first)
{
    struct buf count = {0};
    text_count(&count, t->count);
    printf("%-6s %s %s: %s\n", first ? "why" : "", buf_str(&count), reason_name(t->reason),
           reason_help(t->reason));
    buf_done(&count);
}

void reasons_print(struct client *client)
{
    json_t *stats = NULL;
    struct tally all[REASON_COUNT];
    size_t n = 0;
    if (client_call_unless(client, "stats", NULL, "unknown_op", &stats) || !stats)
        return;
    const json_t *counts = jsonp_at(stats, "since_start.by_reason");
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
        int64_t count = json_integer_value(json_object_get(counts, reason_name((enum reason)i)));
        if (count)
            all[n++] = (struct tally){(enum reason)i, count};
    }
    json_decref(stats);
    qsort(all, n, sizeof *all, by_count);
    for (size_t i = 0; i < n && i < REASONS_MAX; i++)
        print(&all[i], !i);
    fflush(stdout);
    for (size_t i = 0; i < n && i < REASONS_MAX; i++)
        if (advice[all[i].reason])
            say_hint("%s", advice[all[i].reason]);
}
