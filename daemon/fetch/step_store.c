/* SPDX-License-Identifier: MIT */
/* STORE. The capture is the store's until `done`. While too much waits there, fetches stand in
 * `full`; machine_turn() lets them on as captures come back. */
#include "daemon/fetch/machine.h"
#include "daemon/fetch/memory.h"

enum fetch_state fetch_record(const struct fetch *f)
{
    return f->answer->stores ? FETCH_STORE : FETCH_REPORT;
}

bool fetch_may_store(const struct fetch *f)
{
    return store_queued_bytes(f->machine->store) < memory_store_max(f->machine);
}

static void capture_done(struct capture *c)
{
    struct answer *a = list_of(c, struct answer, capture);
    a->stored = true;
    a->fetch->at_store = false;
    machine_drive(a->fetch);
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
    if (f->secure) {
        c->tls_version = f->secure->tls.version;
        c->tls_cipher = f->secure->tls.cipher;
    }
    c->wall_ns = f->wall_ns;
    c->has_payload = true;
    c->dense = a->codings.count || mime_is_dense(a->mime.type);
    struct sha1 sum = a->sha1;
    sha1_final(&sum, c->payload_sha1);
    c->done = capture_done;
    fetch_request(f, &c->request);
    f->at_store = true;
    store_put(f->machine->store, c);
}

enum fetch_state fetch_store(struct fetch *f)
{
    struct answer *a = f->answer;
    if (a->stored)
        return FETCH_NEXT;
    if (f->at_store || !list_empty(&a->room))
        return FETCH_PARK;
    if (fetch_may_store(f))
        put(f);
    else
        list_add_tail(&f->machine->full, &a->room);
    return FETCH_PARK;
}
