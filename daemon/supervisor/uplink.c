/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/uplink.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/supervisor/job.h"
#include "daemon/supervisor/lease.h"
#include "daemon/supervisor/supervisor.h"

#define SLOTS_MAX 1000000

static json_t *strings(const struct option_list *l)
{
    json_t *a = json_array();
    for (size_t i = 0; i < l->count; i++)
        json_array_append_new(a, json_string(l->v[i]));
    return a;
}

void uplink_greet(struct worker *w)
{
    const struct options *o = w->s->options;
    struct buf agent = {0};
    options_user_agent(o, &agent);
    json_t *conf = json_pack("{ss ss so so so ss sI sI ss ss}", "user_agent", buf_str(&agent), "contact",
                             o->contact, "allow_cidr", strings(&o->allow_cidr), "deny_cidr",
                             strings(&o->deny_cidr), "dns_servers", strings(&o->dns_servers),
                             "ca_file", o->ca_file,
                             "in_flight", (json_int_t)o->in_flight, "memory_limit",
                             (json_int_t)w->s->memory.worker_bytes,
                             "source_address", "", "log_level", log_level_name(o->log_level));
    char *text = json_dumps(conf, JSON_COMPACT);
    ipc_add_text(&w->ipc, IPC_CONF, 0, text, strlen(text));
    free(text);
    json_decref(conf);
    buf_done(&agent);
}



static bool on_ready(struct worker *w, const void *message)
{
    const struct ipc_number *m = message;
    if (m->id > SLOTS_MAX)
        return false;
    w->slots = (uint32_t)m->id;
    if (w->state == WORKER_STARTING) {
        w->state = WORKER_READY;
        log_info("worker is ready worker=%d pid=%d slots=%u", w->slot, (int)w->pid, w->slots);
        supervisor_worker_ready(w->s);
    }
    supervisor_kick(w->s);
    return true;
}

static bool on_beat(struct worker *w, const void *message)
{
    w->beat_ns = clock_mono_ns();
    return true;
}

static bool on_sent(struct worker *w, const void *message)
{
    struct lease *l = lease_find(w->s, w, ((const struct ipc_number *)message)->id);
    if (l)
        lease_sent(l);
    return true;
}

/* Is the file this worker's, of this job? */
static bool may_name(const struct job *j, int slot, uint32_t file)
{
    for (size_t i = 0; i < j->files_count; i++)
        if (j->files[i].file == file)
            return j->files[i].slot == slot;
    return false;
}

static bool on_end(struct worker *w, const void *message)
{
    const struct ipc_end *m = message;
    struct lease *l = lease_find(w->s, w, m->lease);
    if (!l)
        return true;
    if (m->outcome >= OUTCOME_COUNT || m->reason >= REASON_COUNT || m->status > 999 ||
        (m->file && m->head.type != IPC_WFAIL && !may_name(l->job, w->slot, m->file)))
        return false;
    if (m->head.type == IPC_RETRY && lease_is_last(l))
        return false;
    if (m->head.type == IPC_BACK && !l->busy)
        return false;
    static void (*const ends[IPC_TYPE_COUNT])(struct lease *, const struct ipc_end *) = {
        [IPC_DONE] = lease_done,     [IPC_AGAIN] = lease_again, [IPC_RETRY] = lease_retry,
        [IPC_NOCONN] = lease_noconn, [IPC_WFAIL] = lease_wfail, [IPC_BACK] = lease_stopped,
    };
    ends[m->head.type](l, m);
    return true;
}

static bool on_busy(struct worker *w, const void *message)
{
    const struct ipc_busy *m = message;
    struct lease *l = lease_find(w->s, w, m->lease);
    if ((m->status != 429 && m->status != 503) || (l && l->host->id != m->host))
        return false;
    ipc_add_number(&w->ipc, IPC_HEARD, m->host);
    if (l)
        lease_busy(l, m->status, m->retry_after_s);
    return true;
}

static bool on_left(struct worker *w, const void *message)
{
    uint64_t file = ((const struct ipc_number *)message)->id;
    uint32_t job_id = (uint32_t)(file >> 32);
    struct job *j = jobs_by_id(w->s, job_id);
    if (j && may_name(j, w->slot, (uint32_t)file))
        job_file_left(j, (uint32_t)file);
    return true;
}

static bool on_revoked(struct worker *w, const void *message)
{
    struct job *j = jobs_by_id(w->s, (uint32_t)((const struct ipc_number *)message)->id);
    if (j && j->at[w->slot].revoking)
        job_revoked(j, w->slot);
    return true;
}

/* A name without address is a group of its own: its URLs fail at the worker, each with the reason. */
static void address_of_nowhere(uint8_t address[16], uint32_t host)
{
    memset(address, 0, 16);
    memcpy(address + 8, &host, sizeof host);
}

static bool on_addr(struct worker *w, const void *message)
{
    const struct ipc_addr *m = message;
    struct host *host = hosts_by_id(&w->s->hosts, m->host);
    if (!host || host->worker != w->slot || !(host->asked || host->known))
        return true;
    uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
    if (m->family == 4)
        memcpy(address + 12, m->address, 4);
    else if (m->family == 6)
        memcpy(address, m->address, 16);
    else
        address_of_nowhere(address, host->id);
    host_address(&w->s->hosts, host, address);
    supervisor_kick(w->s);
    return true;
}

static bool on_connection(struct worker *w, const void *message)
{
    const struct ipc_number *m = message;
    struct host *host = hosts_by_id(&w->s->hosts, (uint32_t)m->id);
    if (!host || host->worker != w->slot)
        return true;
    if (m->head.type == IPC_CLOSED)
        host_conn_closed(&w->s->hosts, host);
    else
        host_idle_gone(&w->s->hosts, host);
    supervisor_kick(w->s);
    return true;
}

bool uplink_heard(struct worker *w, const struct ipc_head *m)
{
    static bool (*const handlers[IPC_TYPE_COUNT])(struct worker *, const void *) = {
        [IPC_READY] = on_ready,        [IPC_SLOTS] = on_ready,          [IPC_BEAT] = on_beat,
        [IPC_SENT] = on_sent,          [IPC_DONE] = on_end,             [IPC_AGAIN] = on_end,
        [IPC_RETRY] = on_end,          [IPC_NOCONN] = on_end,           [IPC_WFAIL] = on_end,
        [IPC_LEFT] = on_left,          [IPC_REVOKED] = on_revoked,      [IPC_ADDR] = on_addr,
        [IPC_BUSY] = on_busy,          [IPC_BACK] = on_end,
        [IPC_IDLE_GONE] = on_connection, [IPC_CLOSED] = on_connection,
    };
    return handlers[m->type](w, m);
}
