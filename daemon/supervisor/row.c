/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/row.h"

#include <string.h>

#include "common/jsonw.h"

void row_head(struct buf *b, uint64_t seq, const char *url, enum outcome outcome)
{
    buf_adds(b, "{\"seq\":");
    buf_addu(b, seq);
    jsonw_key_string(b, "url", url);
    jsonw_key_string(b, "outcome", outcome_name(outcome));
}

void row_redirects(struct buf *b, char *const *urls, unsigned count)
{
    jsonw_key_string(b, "final_url", urls[count - 1]);
    jsonw_key(b, "redirects");
    for (unsigned i = 0; i < count; i++) {
        buf_addc(b, i ? ',' : '[');
        jsonw_string(b, urls[i], strlen(urls[i]));
    }
    buf_addc(b, ']');
}

void row_tail(struct buf *b, enum reason reason, const char *tail, size_t tail_len)
{
    static const char key[] = "\"reason\":";
    if (reason != REASON_NONE && !(tail_len && memmem(tail, tail_len, key, sizeof key - 1)))
        jsonw_key_string(b, "reason", reason_name(reason));
    if (tail_len) {
        buf_addc(b, ',');
        char *p = buf_reserve(b, tail_len);
        for (size_t i = 0; i < tail_len; i++)
            p[i] = (unsigned char)tail[i] < 0x20 ? ' ' : tail[i];
        buf_grew(b, tail_len);
    }
    buf_add(b, "}\n", 2);
}
