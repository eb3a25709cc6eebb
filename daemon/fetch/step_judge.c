/* SPDX-License-Identifier: MIT */
/* JUDGE. The exchange is over, by a reason or with a response; its connection goes back. Another
 * attempt, a redirect or a result? Only a result and a redirect make a record. A result goes on to
 * the job's keep rules. */
#include "daemon/fetch/machine.h"

#include <stdlib.h>

#include "common/xalloc.h"

static bool status_again(unsigned status)
{
    static const uint16_t again[] = {408, 500, 502, 504};
    for (size_t i = 0; i < sizeof again / sizeof *again; i++)
        if (again[i] == status)
            return true;
    return false;
}

static bool is_redirect(const struct answer *a)
{
    unsigned s = a->head.status;
    return a->location.len && (s == 301 || s == 302 || s == 303 || s == 307 || s == 308);
}

/* RFC 9110, section 10.2.2: the target's fragment plays no part in a request. */
static enum reason take_target(struct fetch *f)
{
    struct machine *m = f->machine;
    struct answer *a = f->answer;
    struct url_slice key;
    buf_clear(&m->tail);
    head_value(buf_data(&a->capture.response), a->location, &m->tail);
    if (url_parse(f->url, f->url_len, NULL, &m->url) ||
        url_parse(buf_data(&m->tail), buf_len(&m->tail), &m->url, &m->target))
        return REASON_BAD_REDIRECT;
    key = (struct url_slice){m->target.href, m->target.href_len};
    if (url_is_http(&m->target) && url_canon(&m->target, &key))
        return REASON_BAD_REDIRECT;
    if (key.n > URL_MAX_GIVEN)
        return REASON_BAD_REDIRECT;
    a->next = xmemdup0(key.p, key.n);
    return REASON_NONE;
}

static const char *cut_by(enum reason reason)
{
    bool late = reason == REASON_IDLE_TIMEOUT || reason == REASON_TOTAL_TIMEOUT ||
                reason == REASON_TOO_SLOW;
    return late ? "time" : "disconnect";
}

static enum fetch_state judge_failure(struct fetch *f)
{
    struct answer *a = f->answer;
    f->outcome = (uint8_t)reason_outcome(f->reason);
    f->again = !f->last && reason_again(f->reason);
    if (f->again || !a || !a->has_head)
        return FETCH_REPORT;
    a->capture.truncated = cut_by(f->reason);
    return fetch_record(f);
}

enum fetch_state fetch_judge(struct fetch *f)
{
    struct answer *a = f->answer;
    f->end_us = fetch_us(f);
    fetch_let_conn(f, !f->reason && a && a->reusable);
    if (fetch_is_busy(f)) {
        f->busy = true;
        return FETCH_REPORT;
    }
    if (f->reason)
        return judge_failure(f);
    if (!f->last && status_again(a->head.status)) {
        f->again = true;
        return FETCH_REPORT;
    }
    if (is_redirect(a)) {
        f->reason = (uint8_t)take_target(f);
        f->outcome = (uint8_t)reason_outcome(f->reason);
        return fetch_record(f);
    }
    return FETCH_NEXT;
}
