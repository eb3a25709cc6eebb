/* SPDX-License-Identifier: MIT */
/* At most UPLINK_MESSAGES_PER_TURN are handled before the loop turns to its fetches again; while
 * some are left nothing more is read. The supervisor is believed, but what makes no sense ends the
 * worker: better a new one than one that has lost its place. */
#include "daemon/worker/uplink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"

/* ---- RESOLVE ---- */

struct question {
    struct dns_wait wait;
    struct worker *worker;
    uint32_t host;
};

static void say_addr(struct worker *w, uint32_t host, const struct addr *a, enum reason reason)
{
    struct ipc_addr *m = ipc_add(&w->uplink, IPC_ADDR, 0);
    m->host = host;
    m->reason = (uint8_t)reason;
    if (a) {
        m->family = a->family;
        memcpy(m->address, a->ip, sizeof m->address);
    }
}

static void question_answered(struct dns_wait *wait)
{
    struct question *q = list_of(wait, struct question, wait);
    const struct dns_name *name = wait->name;
    say_addr(q->worker, q->host, name->count ? &name->addr[name->first] : NULL, name->reason);
    dns_release(&q->worker->machine->dns, wait);
    free(q);
}

static bool literal_addr(const char *text, size_t len, struct addr *ret_addr)
{
    char copy[ADDR_TEXT_BYTES + 2];
    bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
    size_t n = len - (brackets ? 2 : 0);
    if (n >= sizeof copy)
        return false;
    memcpy(copy, text + brackets, n);
    copy[n] = '\0';
    return !addr_parse(copy, ret_addr);
}

static int do_resolve(struct worker *w, uint64_t id, const char *text, size_t len)
{
    struct addr a;
    if (literal_addr(text, len, &a)) {
        say_addr(w, (uint32_t)id, &a, REASON_NONE);
        return 0;
    }
    struct question *q = xcalloc(1, sizeof *q);
    q->worker = w;
    q->host = (uint32_t)id;
    q->wait.done = question_answered;
    if (dns_lookup(&w->machine->dns, text, len, &q->wait))
        question_answered(&q->wait);
    return 0;
}

/* ---- texts, which may come in parts ---- */

static int do_conf(struct worker *w, uint64_t id, const char *text, size_t len)
{
    return worker_configure(w, text, len);
}

static int do_job(struct worker *w, uint64_t id, const char *text, size_t len)
{
    return machine_job(w->machine, (uint32_t)id, text, len);
}

static int take_text(struct worker *w, const struct ipc_head *head,
                     int (*whole)(struct worker *w, uint64_t id, const char *text, size_t len))
{
    const struct ipc_text *t = (const struct ipc_text *)head;
    buf_add(&w->text, t->text, t->text_len);
    if (t->more)
        return 0;
    int err = whole(w, t->id, buf_str(&w->text), buf_len(&w->text));
    buf_clear(&w->text);
    return err;
}

/* ---- one function per message ---- */

static int on_conf(struct worker *w, const struct ipc_head *head)
{
    return w->machine ? -EPROTO : take_text(w, head, do_conf);
}

static int on_job(struct worker *w, const struct ipc_head *head)
{
    return take_text(w, head, do_job);
}

static int on_resolve(struct worker *w, const struct ipc_head *head)
{
    return take_text(w, head, do_resolve);
}

static int on_job_gone(struct worker *w, const struct ipc_head *head)
{
    machine_job_gone(w->machine, (uint32_t)((const struct ipc_number *)head)->id);
    return 0;
}

static int on_lease(struct worker *w, const struct ipc_head *head)
{
    return machine_lease(w->machine, (const struct ipc_lease *)head);
}

static int on_file(struct worker *w, const struct ipc_head *head)
{
    int fd = ipc_take_fd(&w->uplink);
    if (fd < 0)
        return -EPROTO;
    machine_file(w->machine, (const struct ipc_file *)head, fd);
    return 0;
}

static int on_revoke(struct worker *w, const struct ipc_head *head)
{
    machine_revoke(w->machine, (uint32_t)((const struct ipc_number *)head)->id);
    return 0;
}

static int on_drop(struct worker *w, const struct ipc_head *head)
{
    pool_drop_idle(&w->machine->pool, (uint32_t)((const struct ipc_number *)head)->id,
                   clock_mono_ns());
    return 0;
}

static int on_stop(struct worker *w, const struct ipc_head *head)
{
    machine_stop(w->machine, (uint32_t)((const struct ipc_number *)head)->id);
    return 0;
}

static int on_heard(struct worker *w, const struct ipc_head *head)
{
    machine_heard(w->machine, (uint32_t)((const struct ipc_number *)head)->id);
    return 0;
}

static int on_drain(struct worker *w, const struct ipc_head *head)
{
    w->draining = true;
    return 0;
}

static int (*const handle[IPC_TYPE_COUNT])(struct worker *w, const struct ipc_head *head) = {
    [IPC_CONF] = on_conf,       [IPC_JOB] = on_job,   [IPC_JOB_GONE] = on_job_gone,
    [IPC_LEASE] = on_lease,     [IPC_FILE] = on_file, [IPC_REVOKE] = on_revoke,
    [IPC_RESOLVE] = on_resolve, [IPC_DROP] = on_drop, [IPC_DRAIN] = on_drain,
    [IPC_STOP] = on_stop,       [IPC_HEARD] = on_heard,
};

/* ---- the socket ---- */

static void uplink_failed(struct worker *w, const char *what, int err)
{
    log_err("uplink=%s error=\"%s\"", what, strerror(-err));
    worker_end(w, 1);
}

static int handle_message(struct worker *w, const struct ipc_head *head)
{
    if (head->type != IPC_CONF && !w->machine)
        return -EPROTO;
    return handle[head->type](w, head);
}

static void handle_some(struct worker *w)
{
    const struct ipc_head *head;
    int got = 0;
    for (int i = 0; i < UPLINK_MESSAGES_PER_TURN; i++) {
        got = ipc_next(&w->uplink, &head);
        if (got <= 0)
            break;
        int err = handle_message(w, head);
        if (err) {
            uplink_failed(w, ipc_name((enum ipc_type)head->type), err);
            return;
        }
    }
    if (got < 0) {
        uplink_failed(w, "read", got);
    } else if (got) {
        ev_io_stop(w->loop, &w->uplink_in);
        ev_idle_start(w->loop, &w->more);
    } else {
        ev_idle_stop(w->loop, &w->more);
        ev_io_start(w->loop, &w->uplink_in);
    }
}

static void on_more(struct ev_loop *loop, ev_idle *idle, int revents)
{
    handle_some(list_of(idle, struct worker, more));
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
    struct worker *w = list_of(io, struct worker, uplink_in);
    int got = ipc_fill(&w->uplink);
    if (got < 0)
        uplink_failed(w, "read", got);
    else if (got > 0)
        _exit(0); /* the supervisor is gone: nobody may hold its state lock */
    else
        handle_some(w);
}

static void uplink_flush(struct worker *w)
{
    int left = ipc_flush(&w->uplink);
    if (left < 0)
        uplink_failed(w, "write", left);
    else if (left)
        ev_io_start(w->loop, &w->uplink_out);
    else
        ev_io_stop(w->loop, &w->uplink_out);
}

static void on_writable(struct ev_loop *loop, ev_io *io, int revents)
{
    uplink_flush(list_of(io, struct worker, uplink_out));
}

static void on_prepare(struct ev_loop *loop, ev_prepare *p, int revents)
{
    struct worker *w = list_of(p, struct worker, flush);
    if (w->machine)
        machine_turn(w->machine);
    if (!ev_is_active(&w->uplink_out))
        uplink_flush(w);
    if (w->draining && (!w->machine || !w->machine->lease_count) && !ev_is_active(&w->uplink_out))
        worker_end(w, 0);
}

void uplink_start(struct worker *w, int take_fd)
{
    ipc_init(&w->uplink, take_fd, false);
    ev_io_init(&w->uplink_in, on_readable, take_fd, EV_READ);
    ev_io_start(w->loop, &w->uplink_in);
    ev_io_init(&w->uplink_out, on_writable, take_fd, EV_WRITE);
    ev_prepare_init(&w->flush, on_prepare);
    ev_prepare_start(w->loop, &w->flush);
    ev_idle_init(&w->more, on_more);
    ev_set_priority(&w->more, EV_MAXPRI);
}

void uplink_stop(struct worker *w)
{
    ev_io_stop(w->loop, &w->uplink_in);
    ev_io_stop(w->loop, &w->uplink_out);
    ev_prepare_stop(w->loop, &w->flush);
    ev_idle_stop(w->loop, &w->more);
    ipc_done(&w->uplink);
}
