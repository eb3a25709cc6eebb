/* SPDX-License-Identifier: MIT */
/* REPORT. Says how the lease ended, then frees everything the fetch has; no other step does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fetch/machine.h"
#include "daemon/fetch/memory.h"
#include "daemon/fetch/row.h"

static enum ipc_type message_of(const struct fetch *f)
{
    if (f->cancelled)
        return IPC_NONE;
    if (f->no_conn)
        return IPC_NOCONN;
    if (f->busy)
        return IPC_BACK;
    if (f->again)
        return IPC_RETRY;
    if (f->answer && f->answer->capture.err)
        return IPC_WFAIL;
    return f->answer && f->answer->next ? IPC_AGAIN : IPC_DONE;
}

static void fill_record(struct ipc_end *end, const struct capture *c)
{
    end->file = c->file;
    end->end = c->end;
    end->err = (uint16_t)-c->err;
}

static void tell(const struct fetch *f, enum ipc_type type)
{
    struct machine *m = f->machine;
    bool has_row = type != IPC_NOCONN && type != IPC_WFAIL && type != IPC_BACK;
    size_t next_len = type == IPC_AGAIN ? strlen(f->answer->next) : 0;
    buf_clear(&m->tail);
    if (has_row)
        row_write(f, m->conf.number, &m->tail);
    size_t tail_len = buf_len(&m->tail);
    struct ipc_end *end = ipc_add(m->uplink, type, tail_len + next_len);
    end->lease = f->lease;
    end->wire_bytes = f->wire_bytes;
    end->tail_len = (uint16_t)tail_len;
    end->next_len = (uint16_t)next_len;
    end->outcome = f->outcome;
    end->reason = f->reason;
    end->kept = f->kept;
    if (f->answer) {
        end->status = f->answer->has_head ? f->answer->head.status : 0;
        fill_record(end, &f->answer->capture);
    }
    if (tail_len)
        memcpy(end->data, buf_data(&m->tail), tail_len);
    if (next_len)
        memcpy(end->data + tail_len, f->answer->next, next_len);
}

/* A granted connection that never came to be is gone, too. */
static void account_grant(struct fetch *f)
{
    if (f->grant == GRANT_OPEN && f->limited && !f->counted)
        ipc_add_number(f->machine->uplink, IPC_CLOSED, f->host);
}

static void answer_free(struct machine *m, struct answer *a)
{
    if (!a)
        return;
    list_del(&a->room);
    buf_done(&a->capture.request);
    buf_done(&a->capture.response);
    answer_charge(m, a);
    keep_scan_done(&a->scan);
    free(a->next);
    slab_put(&m->answers, a);
}

static void fetch_free(struct fetch *f)
{
    struct machine *m = f->machine;
    struct job *j = f->job;
    dns_release(&m->dns, &f->name);
    wheel_remove(&m->wheel, &f->wheel);
    answer_free(m, f->answer);
    secure_free(f->secure);
    fetch_drop_unsent(f);
    free(f->url);
    list_del(&f->link);
    list_del(&f->of_host);
    m->stats->in_state[f->state]--;
    m->stats->value[STAT_LEASES] = --m->lease_count;
    slab_put(&m->fetches, f);
    if (!--j->lease_count && j->gone)
        job_free(j);
}

enum fetch_state fetch_report(struct fetch *f)
{
    fetch_let_conn(f, false);
    if (f->answer && f->answer->capture.err == -ECANCELED)
        f->cancelled = true;
    enum ipc_type type = message_of(f);
    if (type != IPC_NONE) {
        tell(f, type);
        account_grant(f);
    }
    fetch_free(f);
    return FETCH_GONE;
}
