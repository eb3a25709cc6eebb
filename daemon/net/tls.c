/* SPDX-License-Identifier: MIT */
/* The library reads a record's five bytes of head and then its rest; here a read from the socket
 * takes what is there into one buffer of the worker, and what the library did not ask for in the
 * same call stays with the connection:
 *
 *      socket ──recv──▶ t->in ──▶ library        (while one call lasts)
 *                         └─▶ c->rest ─▶ library (the next)
 *
 * As long as there is more in there, WANT_READ only means that something was dealt with which is no
 * data (a session ticket of TLS 1.3), and the library is asked again. */
#include "daemon/net/tls_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/log.h"

#define ROUNDS_MAX 64 /* of one call, that led to nothing */

/* RFC 8446, section 6.2. */
static const struct {
    unsigned char number;
    const char *detail;
} alerts[] = {
    {10, "alert unexpected_message"},
    {20, "alert bad_record_mac"},
    {40, "alert handshake_failure"},
    {42, "alert bad_certificate"},
    {47, "alert illegal_parameter"},
    {48, "alert unknown_ca"},
    {49, "alert access_denied"},
    {50, "alert decode_error"},
    {51, "alert decrypt_error"},
    {70, "alert protocol_version"},
    {71, "alert insufficient_security"},
    {80, "alert internal_error"},
    {86, "alert inappropriate_fallback"},
    {110, "alert unsupported_extension"},
    {112, "alert unrecognized_name"},
    {116, "alert certificate_required"},
    {120, "alert no_application_protocol"},
};

#define ALERT_PROTOCOL_VERSION 70

/* ---- bytes in and out ---- */

static int bio_send(void *ctx, const unsigned char *p, size_t n)
{
    const struct tls_conn *c = ctx;
    ssize_t put;
    do
        put = send(c->fd, p, n, MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    if (put >= 0)
        return (int)put;
    return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_NET_CONN_RESET;
}

static int bio_fill(struct tls_conn *c)
{
    struct tls *t = c->tls;
    ssize_t got;
    if (c->dry)
        return MBEDTLS_ERR_SSL_WANT_READ;
    do
        got = recv(c->fd, t->in, sizeof t->in, 0);
    while (got < 0 && errno == EINTR);
    c->dry = got < (ssize_t)sizeof t->in;
    if (got < 0)
        return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_NET_CONN_RESET;
    if (!got)
        return MBEDTLS_ERR_SSL_CONN_EOF;
    if (!c->heard)
        c->first = t->in[0];
    c->heard = true;
    t->in_off = 0;
    t->in_len = (size_t)got;
    return 0;
}

static int bio_recv(void *ctx, unsigned char *p, size_t n)
{
    struct tls_conn *c = ctx;
    struct tls *t = c->tls;
    if (buf_len(&c->rest)) {
        n = n < buf_len(&c->rest) ? n : buf_len(&c->rest);
        memcpy(p, buf_data(&c->rest), n);
        buf_consume(&c->rest, n);
        if (!buf_len(&c->rest))
            buf_done(&c->rest);
        return (int)n;
    }
    int r = t->in_len ? 0 : bio_fill(c);
    if (r)
        return r;
    n = n < t->in_len ? n : t->in_len;
    memcpy(p, t->in + t->in_off, n);
    t->in_off += n;
    t->in_len -= n;
    return (int)n;
}

/* Nothing is left to be asked for: WANT_READ means what it says. */
static bool drained(const struct tls_conn *c)
{
    return c->dry && !c->tls->in_len && !buf_len(&c->rest);
}

/* Around every call that may read. */
static void begin_reading(struct tls_conn *c)
{
    c->tls->in_len = 0;
    c->dry = false;
}

static void end_reading(struct tls_conn *c)
{
    struct tls *t = c->tls;
    buf_add(&c->rest, t->in + t->in_off, t->in_len);
    t->in_len = 0;
}

/* ---- sessions ---- */

enum tls_known tls_known(struct tls *t, uint64_t origin)
{
    const struct session *s = sessions_find(&t->sessions, origin, clock_mono_ns());
    return !s ? TLS_UNKNOWN : s->len ? TLS_SESSION : TLS_SESSIONLESS;
}

void tls_no_session(struct tls *t, uint64_t origin)
{
    int64_t now_ns = clock_mono_ns();
    struct session about = {.origin = origin, .verified_ns = now_ns, .put_ns = now_ns};
    sessions_put(&t->sessions, &about, NULL, 0);
}

static void offer_session(struct tls_conn *c)
{
    mbedtls_ssl_session session;
    const struct session *s = sessions_find(&c->tls->sessions, c->origin, clock_mono_ns());
    if (!s || !s->len)
        return;
    mbedtls_ssl_session_init(&session);
    if (!mbedtls_ssl_session_load(&session, s->bytes, s->len) &&
        !mbedtls_ssl_set_session(&c->ssl, &session)) {
        c->offered = true;
        c->verified_ns = s->verified_ns;
        c->why = s->why;
    }
    mbedtls_ssl_session_free(&session);
}

/* A handshake is over (TLS 1.2), or a ticket came (1.3): keeps the session unless a fresh one is
 * there. */
static void take_session(struct tls_conn *c)
{
    struct tls *t = c->tls;
    int64_t now_ns = clock_mono_ns();
    const struct session *old = sessions_find(&t->sessions, c->origin, now_ns);
    struct session about = {.origin = c->origin,
                            .put_ns = now_ns,
                            .verified_ns = c->info.resumed ? c->verified_ns : now_ns,
                            .why = c->info.why,
                            .low = c->low};
    mbedtls_ssl_session session;
    size_t len = 0;
    if (old && old->len && c->info.resumed && now_ns - old->put_ns < SESSION_FRESH_NS)
        return;
    mbedtls_ssl_session_init(&session);
    if (mbedtls_ssl_get_session(&c->ssl, &session) ||
        (!session.MBEDTLS_PRIVATE(id_len) && !session.MBEDTLS_PRIVATE(ticket_len)) ||
        mbedtls_ssl_session_save(&session, t->scratch, sizeof t->scratch, &len))
        len = 0;
    mbedtls_ssl_session_free(&session);
    sessions_put(&t->sessions, &about, t->scratch, len);
}

/* ---- one connection ---- */

/* Nothing is asked of the library about an address: it would send it as a name. */
static int set_peer(struct tls_conn *c, const struct tls_peer *peer)
{
    char host[256];
    size_t n = peer->host_len;
    if (peer->ip) {
        c->ip_len = peer->ip->family == 4 ? 4 : 16;
        memcpy(c->ip, peer->ip->ip, c->ip_len);
        return mbedtls_ssl_set_hostname(&c->ssl, NULL);
    }
    if (n && peer->host[n - 1] == '.')
        n--;
    if (!n || n >= sizeof host)
        return -1;
    memcpy(host, peer->host, n);
    host[n] = '\0';
    return mbedtls_ssl_set_hostname(&c->ssl, host);
}

struct tls_conn *tls_open(struct tls *t, int fd, const struct tls_peer *peer)
{
    struct tls_conn *c = slab_get(&t->conns);
    c->tls = t;
    c->fd = fd;
    c->origin = peer->origin;
    c->verify = peer->verify;
    c->end = 1;
    mbedtls_ssl_init(&c->ssl);
    const struct session *known = sessions_find(&t->sessions, peer->origin, clock_mono_ns());
    c->low = known && known->low;
    if (mbedtls_ssl_setup(&c->ssl, &t->conf[c->low][peer->verify]) || set_peer(c, peer)) {
        mbedtls_ssl_free(&c->ssl);
        slab_put(&t->conns, c);
        return NULL;
    }
    mbedtls_ssl_set_verify(&c->ssl, tls_look_at, c);
    mbedtls_ssl_set_bio(&c->ssl, c, bio_send, bio_recv, NULL);
    offer_session(c);
    return c;
}

void tls_end(struct tls_conn *c)
{
    if (c->over && !c->ended && c->end >= 0)
        mbedtls_ssl_close_notify(&c->ssl);
    c->ended = true;
}

void tls_close(struct tls_conn *c)
{
    tls_end(c);
    mbedtls_ssl_free(&c->ssl);
    buf_done(&c->rest);
    slab_put(&c->tls->conns, c);
}

bool tls_lowered(const struct tls_conn *c)
{
    return c->lowers;
}

const struct tls_info *tls_info(const struct tls_conn *c)
{
    return &c->info;
}

enum reason tls_failure(const struct tls_conn *c, const char **ret_detail)
{
    *ret_detail = c->detail;
    return c->reason;
}

/* ---- the handshake ---- */

static const char *alert_detail(const struct tls_conn *c)
{
    const unsigned char *alert = c->ssl.MBEDTLS_PRIVATE(in_msg);
    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
        if (alerts[i].number == alert[1])
            return alerts[i].detail;
    return "the server sent a fatal alert";
}

static const char *error_detail(const struct tls_conn *c, int r)
{
    switch (r) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        return alert_detail(c);
    case MBEDTLS_ERR_SSL_CONN_EOF:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return "the server closed the connection";
    case MBEDTLS_ERR_NET_CONN_RESET:
        return "the connection was reset";
    case MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE:
        return "the server asks for what is not supported";
    case MBEDTLS_ERR_SSL_INVALID_MAC:
        return "a record was changed on the way";
    default:
        return "the server breaks the protocol";
    }
}

/* What is known of the origin from now on. */
static void lower(struct tls_conn *c)
{
    int64_t now_ns = clock_mono_ns();
    struct session about = {
        .origin = c->origin, .verified_ns = now_ns, .put_ns = now_ns, .low = true};
    sessions_put(&c->tls->sessions, &about, NULL, 0);
    c->lowers = true;
}

static enum tls_verdict failed(struct tls_conn *c, int r)
{
    if (!c->low && TLS_TRIPPED(r, c->ssl.MBEDTLS_PRIVATE(state)))
        lower(c);
    bool no_tls = c->heard && (c->first < 20 || c->first > 23);
    uint32_t flags = mbedtls_ssl_get_verify_result(&c->ssl);
    c->end = TLS_BROKEN;
    log_debug("tls=failed error=-0x%04x state=%d flags=0x%x", (unsigned)-r,
              c->ssl.MBEDTLS_PRIVATE(state), flags);
    if (r == TLS_BAD_VERSION || (r == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE &&
                                 c->ssl.MBEDTLS_PRIVATE(in_msg)[1] == ALERT_PROTOCOL_VERSION)) {
        c->reason = REASON_TLS_VERSION;
        c->detail = "the server does not speak TLS " TLS_VERSIONS;
    } else if (r == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ||
               (r == TLS_BAD_CERTIFICATE && flags && !(flags & MBEDTLS_X509_BADCERT_SKIP_VERIFY))) {
        c->reason = REASON_TLS_VERIFY;
        c->detail = tls_why(c, flags);
    } else if (r == MBEDTLS_ERR_SSL_CA_CHAIN_REQUIRED) {
        c->reason = REASON_TLS_VERIFY;
        c->detail = "no certificate authorities are known; see ca_file";
    } else {
        c->reason = REASON_TLS_ERROR;
        c->detail = no_tls ? "the server does not speak TLS on this port" : error_detail(c, r);
    }
    return TLS_FAILED;
}

static enum tls_verdict done(struct tls_conn *c)
{
    bool is_1_3 = !strcmp(mbedtls_ssl_get_version(&c->ssl), "TLSv1.3");
    c->over = true;
    c->info.version = is_1_3 ? "1.3" : "1.2";
    c->info.cipher = tls_suite_name(&c->ssl);
    c->info.resumed = c->offered && !c->full;
    c->info.why = c->verify == TLS_OFF ? "not verified"
                  : c->info.resumed    ? c->why
                                       : tls_why(c, mbedtls_ssl_get_verify_result(&c->ssl));
    if (!is_1_3)
        take_session(c);
    return TLS_DONE;
}

static enum tls_verdict step(struct tls_conn *c, int64_t until_ns)
{
    for (int rounds = 0; rounds < ROUNDS_MAX;) {
        int state = c->ssl.MBEDTLS_PRIVATE(state);
        if (state == MBEDTLS_SSL_HANDSHAKE_OVER)
            return done(c);
        if (clock_mono_ns() >= until_ns)
            return TLS_TIME;
        int r = mbedtls_ssl_handshake_step(&c->ssl);
        if (r == MBEDTLS_ERR_SSL_WANT_READ && drained(c))
            return TLS_WANT_READ;
        if (r == MBEDTLS_ERR_SSL_WANT_WRITE)
            return TLS_WANT_WRITE;
        if (r && r != MBEDTLS_ERR_SSL_WANT_READ)
            return failed(c, r);
        rounds += r != 0;
        c->full |= state == MBEDTLS_SSL_SERVER_CERTIFICATE;
    }
    return TLS_TIME;
}

enum tls_verdict tls_shake(struct tls_conn *c, int64_t until_ns)
{
    if (c->reason)
        return TLS_FAILED;
    begin_reading(c);
    enum tls_verdict v = step(c, until_ns);
    end_reading(c);
    return v;
}

/* ---- data ---- */

static ssize_t end_of(int r)
{
    return r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? 0
           : !r || r == MBEDTLS_ERR_SSL_CONN_EOF  ? TLS_CUT
           : r == MBEDTLS_ERR_NET_CONN_RESET      ? -ECONNRESET
                                                  : TLS_BROKEN;
}

ssize_t tls_read(struct tls_conn *c, void *p, size_t n)
{
    size_t got = 0;
    int rounds = 0;
    if (c->end <= 0)
        return c->end;
    begin_reading(c);
    while (got < n && rounds < ROUNDS_MAX) {
        int r = mbedtls_ssl_read(&c->ssl, (unsigned char *)p + got, n - got);
        if (r > 0) {
            got += (size_t)r;
        } else if (TLS_IS_TICKET(r)) {
            take_session(c);
            rounds++;
        } else if (r == MBEDTLS_ERR_SSL_WANT_READ && !drained(c)) {
            rounds++;
        } else {
            if (r != MBEDTLS_ERR_SSL_WANT_READ && r != MBEDTLS_ERR_SSL_WANT_WRITE)
                c->end = end_of(r);
            break;
        }
    }
    end_reading(c);
    return got ? (ssize_t)got : c->end <= 0 ? c->end : -EAGAIN;
}

bool tls_pending(const struct tls_conn *c)
{
    return c->over && (buf_len(&c->rest) || c->end <= 0 || mbedtls_ssl_check_pending(&c->ssl));
}

ssize_t tls_write(struct tls_conn *c, const void *p, size_t n)
{
    int r = mbedtls_ssl_write(&c->ssl, p, n);
    if (r >= 0)
        return r;
    return r == MBEDTLS_ERR_SSL_WANT_WRITE || r == MBEDTLS_ERR_SSL_WANT_READ ? -EAGAIN : -EPIPE;
}
