/* SPDX-License-Identifier: MIT */
/* SEND. The request is built in the machine's scratch and written at once; only what the kernel
 * does not take is kept. That must be gone within the row's limit, so that a server that reads a
 * byte now and then ends, too. A server may answer and close before it read everything: a failed
 * write goes on to HEAD, which finds the answer or the reason. */
#include "daemon/fetch/machine.h"

#include <errno.h>
#include <stdlib.h>

#include "common/xalloc.h"

static enum fetch_state sent(struct fetch *f)
{
    f->sent_us = fetch_us(f);
    return FETCH_NEXT;
}

static enum fetch_state send_first(struct fetch *f)
{
    struct machine *m = f->machine;
    buf_clear(&m->request);
    if (fetch_request(f, &m->request))
        return fetch_fail(f, REASON_BAD_URL, "cannot be written as a request");
    size_t all = buf_len(&m->request);
    ssize_t put = conn_write(f->conn, buf_data(&m->request), all);
    if (put < 0 && put != -EAGAIN)
        return sent(f);
    size_t done = put < 0 ? 0 : (size_t)put;
    m->stats->value[STAT_BYTES_OUT] += done;
    if (done == all)
        return sent(f);
    f->unsent = xcalloc(1, sizeof *f->unsent);
    buf_add(f->unsent, buf_data(&m->request) + done, all - done);
    conn_want_write(f->conn, m->loop, true);
    return FETCH_PARK;
}

void fetch_drop_unsent(struct fetch *f)
{
    if (f->unsent)
        buf_done(f->unsent);
    free(f->unsent);
    f->unsent = NULL;
}

enum fetch_state fetch_send(struct fetch *f)
{
    if (!f->unsent)
        return send_first(f);
    ssize_t put = conn_write(f->conn, buf_data(f->unsent), buf_len(f->unsent));
    if (put == -EAGAIN)
        return FETCH_PARK;
    if (put > 0) {
        f->machine->stats->value[STAT_BYTES_OUT] += (size_t)put;
        buf_consume(f->unsent, (size_t)put);
        if (buf_len(f->unsent))
            return FETCH_PARK;
    }
    fetch_drop_unsent(f);
    conn_want_write(f->conn, f->machine->loop, false);
    return sent(f);
}
