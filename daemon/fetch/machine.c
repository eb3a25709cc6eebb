/* SPDX-License-Identifier: MIT */
/* A fetch stands in the list of its row; the list's length is the row's gauge in the stats block.
 * Whatever wakes a fetch calls machine_drive(), which runs steps until one parks or the fetch is
 * gone:
 *
 *      lease ──▶ RESOLVE ▸ CONNECT ▸ SEND ▸ HEAD ▸ BODY ▸ JUDGE ▸ DECODE ▸ KEEP ▸ STORE ▸ REPORT
 *                   │         │        │      │      │     failed, late, cancelled        ▲  │
 *                   └─────────┴────────┴──────┴──────┴────────────────────────────────────┘  ▼
 *                                                                                     its message
 *
 * fetch_enter() alone changes the state; fetch_late() in deadline.c alone sees lateness. */
#include "daemon/fetch/machine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/fetch/memory.h"

#define STEPS_MAX 64 /* of one wake-up */

static const struct {
    const char *name, *help;
    enum fetch_state (*step)(struct fetch *f);
} route[FETCH_STATE_COUNT] = {
#define ROW(state_, step_, help_, limit_, late_)                                                   \
    [FETCH_##state_] = {.name = #state_, .help = help_, .step = fetch_##step_},
    FETCH_ROUTE(ROW)
#undef ROW
};

static_assert(FETCH_STATE_COUNT <= STATS_STATES_MAX, "every row has its gauge");

/* ---- the driver ---- */

static void fetch_enter(struct fetch *f, enum fetch_state to)
{
    struct machine *m = f->machine;
    m->stats->in_state[f->state]--;
    m->stats->in_state[to]++;
    list_del(&f->link);
    list_add_tail(&m->row[to], &f->link);
    f->state = (uint8_t)to;
    fetch_row_began(f);
}

void machine_drive(struct fetch *f)
{
    struct machine *m = f->machine;
    uint64_t outer = m->stats->blame[0];
    m->stats->blame[0] = f->lease;
    for (int i = 0; i < STEPS_MAX; i++) {
        enum fetch_state to = route[f->state].step(f);
        if (to >= FETCH_PARK)
            break;
        fetch_enter(f, to == FETCH_NEXT ? (enum fetch_state)(f->state + 1) : to);
    }
    m->stats->blame[0] = outer;
}

enum fetch_state fetch_fail(struct fetch *f, enum reason reason, const char *detail)
{
    f->reason = (uint8_t)reason;
    f->detail = detail;
    return FETCH_JUDGE;
}

void fetch_detour(struct fetch *f, enum fetch_state to)
{
    fetch_enter(f, to);
    machine_drive(f);
}

void fetch_unsent(struct fetch *f)
{
    f->no_conn = true;
    fetch_detour(f, FETCH_REPORT);
}

void fetch_tell_sent(struct fetch *f)
{
    f->look_ns = 0;
    if (!f->tell_sent)
        return;
    f->tell_sent = false;
    ipc_add_number(f->machine->uplink, IPC_SENT, f->lease);
}

/* ---- leases ---- */

static void name_answered(struct dns_wait *w)
{
    machine_drive(list_of(w, struct fetch, name));
}

static struct fetch_part part_of(const struct url *u, struct url_slice s)
{
    return (struct fetch_part){(uint16_t)(s.n ? s.p - u->href : 0), (uint16_t)s.n};
}

/* Connections and sessions are shared only where certificates are looked at in the same way. */
static uint64_t seed_of(const struct fetch *f, const struct url *u)
{
    uint64_t kind = u->scheme == URL_HTTPS ? f->job->spec.tls_verify + 1 : 0;
    return f->machine->seed + kind;
}

static void fetch_take_url(struct fetch *f, const struct url *u)
{
    struct url_slice host_port = url_host(u);
    f->host_part = part_of(u, url_hostname(u));
    f->host_port = part_of(u, host_port);
    f->target = part_of(u, url_target(u));
    f->username = part_of(u, url_part(u, URL_USERNAME));
    f->password = part_of(u, url_part(u, URL_PASSWORD));
    f->port = u->port;
    f->literal = u->ip_family;
    f->peer.family = u->ip_family;
    memcpy(f->peer.ip, u->ip, sizeof f->peer.ip);
    f->origin = XXH3_64bits_withSeed(host_port.p, host_port.n, seed_of(f, u));
}

static struct fetch *fetch_new(struct machine *m, struct job *j, const struct ipc_lease *l)
{
    struct fetch *f = slab_get(&m->fetches);
    f->machine = m;
    f->job = j;
    f->lease = l->lease;
    f->seq = l->seq;
    f->host = l->host;
    f->grant = l->grant;
    f->hop = l->hop;
    f->attempt = l->attempt;
    f->last = l->last;
    f->tell_sent = l->tell_sent;
    f->limited = l->limited;
    f->foreign = l->foreign;
    f->as_get = l->as_get;
    f->bound = l->bound;
    memcpy(f->bound_to, l->address, sizeof f->bound_to);
    f->name.done = name_answered;
    f->name.asked = fetch_name_asked;
    f->url = xmemdup0(l->url, l->url_len);
    f->url_len = l->url_len;
    f->wall_ns = clock_wall_ns();
    f->begin_ns = clock_mono_ns();
    f->total_ns = deadline_add(f->begin_ns, j->limits.total_ns);
    wheel_member_init(&f->wheel);
    list_add_tail(&m->row[f->state], &f->link);
    list_add_tail(&m->hosts[f->host % MACHINE_HOSTS].fetches, &f->of_host);
    m->stats->in_state[f->state]++;
    m->stats->value[STAT_LEASES] = ++m->lease_count;
    m->stats->value[STAT_STARTED]++;
    j->lease_count++;
    return f;
}

int machine_lease(struct machine *m, const struct ipc_lease *l)
{
    struct job *j = jobs_find(&m->jobs, l->job);
    if (!j || l->grant > GRANT_KEPT || !l->url_len)
        return -EPROTO;
    struct fetch *f = fetch_new(m, j, l);
    if (url_parse(f->url, l->url_len, NULL, &m->url) || m->url.href_len > UINT16_MAX) {
        fetch_detour(f, fetch_fail(f, REASON_BAD_URL, NULL));
    } else if (!url_is_http(&m->url)) {
        fetch_detour(f, fetch_fail(f, REASON_SCHEME, NULL));
    } else if (m->url.href_len != l->url_len || memcmp(m->url.href, f->url, l->url_len)) {
        fetch_detour(f, fetch_fail(f, REASON_BAD_URL, "not canonical"));
    } else {
        fetch_take_url(f, &m->url);
        if (m->url.scheme == URL_HTTPS)
            f->secure = secure_new(f);
        fetch_detour(f, FETCH_RESOLVE);
    }
    return 0;
}

int fetch_request(const struct fetch *f, struct buf *out)
{
    struct request r = f->job->request;
    r.target = (struct request_text){fetch_text(f, f->target), f->target.len};
    r.host_port = (struct request_text){fetch_text(f, f->host_port), f->host_port.len};
    if (f->foreign)
        r.field_count = f->job->public_count;
    if (f->as_get) {
        r.method = (struct request_text){"GET", 3};
        r.body = (struct request_text){NULL, 0};
    }
    if (f->username.len || f->password.len) {
        r.username = (struct request_text){fetch_text(f, f->username), f->username.len};
        r.password = (struct request_text){fetch_text(f, f->password), f->password.len};
    }
    return request_build(&r, out);
}

static void conn_ready(struct conn *c)
{
    machine_drive(c->owner);
}

void fetch_take_conn(struct fetch *f, struct conn *c)
{
    f->conn = c;
    c->owner = f;
    c->ready = conn_ready;
}

void fetch_let_conn(struct fetch *f, bool keep)
{
    struct machine *m = f->machine;
    struct conn *c = f->conn;
    if (!c)
        return;
    if (f->secure)
        secure_let_conn(f->secure);
    keep = keep && conn_quiet(c);
    f->conn = NULL;
    f->kept = keep;
    if (keep)
        pool_keep(&m->pool, c, clock_mono_ns());
    else if (f->counted)
        pool_drop(&m->pool, c, clock_mono_ns());
    else
        pool_abort(&m->pool, c);
}

/* ---- jobs and files ---- */

int machine_job(struct machine *m, uint32_t number, const char *text, size_t len)
{
    static const char *const robots[] = {"obey", "archive", "ignore"};
    struct job *j;
    if (jobs_find(&m->jobs, number))
        return -EINVAL;
    int err = jobs_add(&m->jobs, number, text, len, m->conf.user_agent, &j);
    if (err)
        return err;
    const char *own = j->spec.request.user_agent;
    store_job(m->store, &(struct store_job){.job = number,
                                            .gzip = j->spec.store.compress == SPEC_GZIP,
                                            .software = "crawld/" CRAWLD_VERSION,
                                            .operator_contact = m->conf.contact,
                                            .robots = robots[j->spec.pace.robots],
                                            .user_agent = own && *own ? own : m->conf.user_agent,
                                            .job_name = j->spec.name});
    return 0;
}

void machine_job_gone(struct machine *m, uint32_t number)
{
    struct job *j = jobs_find(&m->jobs, number);
    if (!j)
        return;
    store_job_gone(m->store, number);
    j->gone = true;
    if (!j->lease_count)
        job_free(j);
}

void machine_file(struct machine *m, const struct ipc_file *file, int take_fd)
{
    char *name = xmemdup0(file->name, file->name_len);
    store_file(m->store, file->job, file->file, name, take_fd);
    free(name);
}

static void file_left(void *owner, uint32_t job, uint32_t file)
{
    struct machine *m = owner;
    ipc_add_number(m->uplink, IPC_LEFT, (uint64_t)job << 32 | file);
}

static void job_revoked(void *owner, uint32_t number)
{
    struct machine *m = owner;
    ipc_add_number(m->uplink, IPC_REVOKED, number);
}

/* Fetches whose capture the store has are cancelled by its `done`. */
static void cancel_row(struct machine *m, enum fetch_state row, const struct job *j)
{
    list_each_safe(it, tmp, &m->row[row])
    {
        struct fetch *f = list_of(it, struct fetch, link);
        if (f->job != j)
            continue;
        f->cancelled = true;
        if (!f->at_store)
            fetch_detour(f, FETCH_REPORT);
    }
}

void machine_revoke(struct machine *m, uint32_t number)
{
    struct job *j = jobs_find(&m->jobs, number);
    if (j)
        for (int row = 0; row < FETCH_REPORT; row++)
            cancel_row(m, (enum fetch_state)row, j);
    store_revoke(m->store, number, job_revoked);
}

/* ---- the whole ---- */

static void conn_idle_gone(void *owner, uint32_t host)
{
    struct machine *m = owner;
    ipc_add_number(m->uplink, IPC_IDLE_GONE, host);
}

static void conn_closed(void *owner, uint32_t host)
{
    struct machine *m = owner;
    ipc_add_number(m->uplink, IPC_CLOSED, host);
}

/* The rows' names for whoever reads the block. */
static void name_states(struct stats_block *stats)
{
    for (int i = 0; i < FETCH_STATE_COUNT; i++)
        for (int k = 0; k < STATS_NAME_BYTES - 1 && route[i].name[k]; k++)
            stats->state_name[i][k] = (char)(route[i].name[k] | 0x20);
}

/* That it is active keeps the loop from sleeping. */
static void on_hurry(struct ev_loop *loop, ev_idle *idle, int revents)
{
}

int machine_init(struct machine *m, struct ev_loop *loop, struct ipc *uplink,
                 struct stats_block *stats, const struct machine_conf *conf)
{
    static const struct store_ops store_ops = {.left = file_left};
    static const struct pool_ops pool_ops = {.idle_gone = conn_idle_gone, .closed = conn_closed};
    memset(m, 0, offsetof(struct machine, in));
    m->loop = loop;
    m->uplink = uplink;
    m->stats = stats;
    m->conf = *conf;
    for (int i = 0; i < FETCH_STATE_COUNT; i++)
        list_init(&m->row[i]);
    name_states(stats);
    machine_stops_init(m);
    list_init(&m->full);
    list_init(&m->poor);
    jobs_init(&m->jobs);
    slab_init(&m->fetches, sizeof(struct fetch));
    slab_init(&m->answers, sizeof(struct answer));
    decode_init(m);
    policy_init(&m->policy);
    wheel_init(&m->wheel, loop, fetch_late);
    pool_init(&m->pool, loop, &pool_ops, m);
    m->pool.source = m->conf.source.family ? &m->conf.source : NULL;
    m->pool.open_max = conf->open_max;
    m->pool.receive_bytes = conf->receive_bytes;
    ev_idle_init(&m->hurry, on_hurry);
    int err = secures_init(&m->secures, conf->ca_file);
    if (err)
        return err;
    m->store = store_new(loop, &store_ops, m, &stats->blame[1]);
    if (getrandom(&m->seed, sizeof m->seed, 0) != sizeof m->seed)
        return -EIO;
    return dns_init(&m->dns, loop, conf->dns_servers, &stats->value[STAT_DNS_QUERIES],
                    &stats->value[STAT_DNS_CACHED]);
}

void machine_done(struct machine *m)
{
    store_free(m->store);
    for (int row = 0; row < FETCH_REPORT; row++)
        list_each_safe(it, tmp, &m->row[row])
        {
            struct fetch *f = list_of(it, struct fetch, link);
            f->cancelled = true;
            fetch_detour(f, FETCH_REPORT);
        }
    decode_done(m);
    pool_done(&m->pool);
    secures_done(&m->secures);
    ev_idle_stop(m->loop, &m->hurry);
    dns_done(&m->dns);
    wheel_done(&m->wheel);
    jobs_done(&m->jobs);
    policy_done(&m->policy);
    slab_done(&m->fetches);
    slab_done(&m->answers);
    machine_stops_done(m);
    url_done(&m->url);
    url_done(&m->target);
    buf_done(&m->request);
    buf_done(&m->tail);
}

/* Who waits longest goes first; one that may not go on holds back those behind it. */
void machine_turn(struct machine *m)
{
    while (!list_empty(&m->full)) {
        struct answer *a = list_of(m->full.next, struct answer, room);
        if (!fetch_may_store(a->fetch))
            break;
        list_del(&a->room);
        machine_drive(a->fetch);
    }
    memory_turn(m);
    bool hurry = secures_turn(m);
    hurry |= decode_turn(m);
    if (hurry)
        ev_idle_start(m->loop, &m->hurry);
    else
        ev_idle_stop(m->loop, &m->hurry);
}

void machine_beat(struct machine *m)
{
    memory_beat(m);
    secures_measure(m);
    pool_sweep(&m->pool, clock_mono_ns());
    m->stats->value[STAT_STORE_BYTES] = store_queued_bytes(m->store);
}
