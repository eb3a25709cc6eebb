/* SPDX-License-Identifier: MIT */
/* STORE. The capture is the store's until `done`. While more than STORE_QUEUE_BYTES wait there,
 * fetches stand in `full` and are let on one by one as captures come back. */
#include "daemon/fetch/machine.h"

static void let_next_in(struct machine *m)
{
    if (list_empty(&m->full) || store_queued_bytes(m->store) >= STORE_QUEUE_BYTES)
        return;
    struct answer *a = list_of(m->full.next, struct answer, room);
    list_del(&a->room);
    machine_drive(a->fetch);
}

static void capture_done(struct capture *c)
{
    struct answer *a = list_of(c, struct answer, capture);
    struct machine *m = a->fetch->machine;
    a->stored = true;
    a->fetch->at_store = false;
    machine_drive(a->fetch);
    let_next_in(m);
}

static void put(struct fetch *f)
{
    struct answer *a = f->answer;
    struct capture *c = &a->capture;
    c->job = f->job->number;
    c->lease = f->lease;
    c->url = f->url;
    c->url_len = f->url_len;
    c->ip = addr_text(&f->peer, a->ip);
    c->wall_ns = f->wall_ns;
    c->has_payload = true;
    struct sha1 sum = a->sha1;
    sha1_final(&sum, c->payload_sha1);
    c->page = true;
    c->done = capture_done;
    fetch_request(f, &c->request);
    f->at_store = true;
    store_put(f->machine->store, c);
}

enum fetch_state fetch_store(struct fetch *f)
{
    struct answer *a = f->answer;
    struct machine *m = f->machine;
    if (a->stored)
        return FETCH_NEXT;
    if (f->at_store || !list_empty(&a->room))
        return FETCH_PARK;
    if (store_queued_bytes(m->store) >= STORE_QUEUE_BYTES)
        list_add_tail(&m->full, &a->room);
    else
        put(f);
    return FETCH_PARK;
}
