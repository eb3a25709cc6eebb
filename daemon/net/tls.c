/* SPDX-License-Identifier: MIT */
/* The library reads a record's five bytes of head and then its rest; here a read from the socket
 * takes what is there into one buffer of the worker, and what the library did not ask for in the
 * same call stays with the connection:
 *
 *      socket ──recv──▶ t->in ──▶ library        (while one call lasts)
 *                         └─▶ c->rest ─▶ library (the next)
 *
 * As long as there is more in there, WANT_READ only means that something was dealt with which is no
 * data (a session ticket of TLS 1.3), and the library is asked again.
 *
 * Randomness comes from getrandom(2) and files are read by tls_new() alone, so that a sandbox may
 * forbid open(2) afterwards. */
#include "daemon/net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/slab.h"
#include "common/xalloc.h"
#include "daemon/net/sessions.h"

#define IN_BYTES   (18u << 10) /* a record and the next one's head */
#define ROUNDS_MAX 64          /* of one call, that led to nothing */
#define SAN_IP     (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7)

#define DHM_BITS_MIN 2048 /* the library's own bound is 1024 */

/* ---- 2.28 and 3.6 ---- */

#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>

#define VERSIONS    "1.2 or 1.3"
#define BAD_VERSION MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION
#define BAD_CERTIFICATE MBEDTLS_ERR_SSL_BAD_CERTIFICATE

static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_X448,      MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

static int library_init(void)
{
    return psa_crypto_init() == PSA_SUCCESS ? 0 : -EIO;
}

static void set_versions(mbedtls_ssl_config *conf)
{
    mbedtls_ssl_conf_groups(conf, groups);
    mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
}

static bool is_ticket(int r)
{
    return r == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
}
#else
#define MBEDTLS_PRIVATE(member) member
#define VERSIONS                "1.2"
#define BAD_VERSION             MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION
#define BAD_CERTIFICATE         MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE

static const mbedtls_ecp_group_id groups[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
                                              MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_SECP521R1,
                                              MBEDTLS_ECP_DP_NONE};

static int library_init(void)
{
    return 0;
}

static void set_versions(mbedtls_ssl_config *conf)
{
    mbedtls_ssl_conf_curves(conf, groups);
    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
}

static bool is_ticket(int r)
{
    return false;
}
#endif

/* The cipher suites offered, best first: ChaCha20 is the fastest here. */
#define SUITES(ROW)                                                                                \
    ROW(TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256)                                             \
    ROW(TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256)                                               \
    ROW(TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)                                                   \
    ROW(TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)                                                     \
    ROW(TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)                                                   \
    ROW(TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384)                                                     \
    ROW(TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256)                                                   \
    ROW(TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256)                                                     \
    ROW(TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384)                                                   \
    ROW(TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384)                                                     \
    ROW(TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA)                                                      \
    ROW(TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA)                                                        \
    ROW(TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA)                                                      \
    ROW(TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA)                                                        \
    ROW(TLS_RSA_WITH_AES_128_GCM_SHA256)                                                           \
    ROW(TLS_RSA_WITH_AES_256_GCM_SHA384)                                                           \
    ROW(TLS_RSA_WITH_AES_128_CBC_SHA256)                                                           \
    ROW(TLS_RSA_WITH_AES_256_CBC_SHA256)                                                           \
    ROW(TLS_RSA_WITH_AES_128_CBC_SHA)                                                              \
    ROW(TLS_RSA_WITH_AES_256_CBC_SHA)                                                              \
    ROW(TLS_DHE_RSA_WITH_AES_128_GCM_SHA256)                                                       \
    ROW(TLS_DHE_RSA_WITH_AES_256_GCM_SHA384)

#if MBEDTLS_VERSION_MAJOR >= 3
#define SUITES_1_3(ROW)                                                                            \
    ROW(MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256")                   \
    ROW(MBEDTLS_TLS1_3_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256")                               \
    ROW(MBEDTLS_TLS1_3_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384")
#else
#define SUITES_1_3(ROW)
#endif

static const int suites[] = {
#define ROW_1_3(id, name) id,
#define ROW(name)         MBEDTLS_##name,
    SUITES_1_3(ROW_1_3) SUITES(ROW) 0
#undef ROW_1_3
#undef ROW
};

static const char *const suite_names[] = {
#define ROW_1_3(id, name) name,
#define ROW(name)         #name,
    SUITES_1_3(ROW_1_3) SUITES(ROW)
#undef ROW_1_3
#undef ROW
};

/* Flags of a certificate, the most telling first. */
static const struct {
    uint32_t flag;
    const char *why;
} whys[] = {
    {MBEDTLS_X509_BADCERT_EXPIRED, "the certificate has expired"},
    {MBEDTLS_X509_BADCERT_FUTURE, "the certificate is not valid yet"},
    {MBEDTLS_X509_BADCERT_CN_MISMATCH, "the certificate is for another name"},
    {MBEDTLS_X509_BADCERT_REVOKED, "the certificate was revoked"},
    {MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY,
     "the certificate has a weak signature or key"},
    {MBEDTLS_X509_BADCERT_NOT_TRUSTED, "the certificate is of an unknown authority"},
    {MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
         MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
     "the certificate is not one for servers"},
    {MBEDTLS_X509_BADCERT_MISSING, "there is no certificate"},
    {UINT32_MAX, "the certificate is not valid"},
};

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

struct tls {
    mbedtls_x509_crt trust;
    bool trusts;                          /* there is an authority in `trust` */
    mbedtls_ssl_config conf[TLS_OFF + 1]; /* by enum tls_verify */
    struct sessions sessions;
    struct slab conns;
    unsigned char scratch[SESSION_BYTES_MAX + 1]; /* a session on its way */
    size_t in_off, in_len;
    unsigned char in[IN_BYTES];
};

struct tls_conn {
    struct tls *tls; /* borrowed */
    mbedtls_ssl_context ssl;
    struct buf rest; /* received, and not yet asked for */
    int fd;          /* borrowed */
    enum tls_verify verify;
    uint64_t origin;
    int64_t verified_ns; /* of the session that was offered */
    const char *why;     /* as the session that was offered says */
    struct tls_info info;
    const char *detail; /* of the failure */
    enum reason reason; /* of the failure; NONE: no handshake has failed */
    ssize_t end;        /* what reading ended with; 1: it did not */
    unsigned char ip[16];
    uint8_t ip_len;     /* 0: there is a name */
    uint8_t first;      /* byte of all received */
    bool offered, full; /* a session was offered; a certificate came */
    bool selfsigned;
    bool heard, dry;
    bool over;  /* the handshake */
    bool ended; /* our end was said */
};

/* ---- bytes in and out ---- */

static int random_bytes(void *ctx, unsigned char *p, size_t n)
{
    while (n) {
        ssize_t got = getrandom(p, n < 256 ? n : 256, 0);
        if (got < 0 && errno != EINTR)
            return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
        p += got > 0 ? got : 0;
        n -= got > 0 ? (size_t)got : 0;
    }
    return 0;
}

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

/* ---- the worker's part ---- */

static void load_trust(struct tls *t, const char *path)
{
    int failed = mbedtls_x509_crt_parse_file(&t->trust, path);
    t->trusts = t->trust.version != 0;
    if (!t->trusts)
        log_warning(
            "ca_file=\"%s\" error=\"no certificate authorities could be read\" "
            "hint=\"https pages fail unless tls_verify is record or off; Debian has them in "
            "ca-certificates\"",
            path);
    else if (failed)
        log_info("ca_file=\"%s\" unreadable=%d", path, failed);
}

static int conf_init(struct tls *t, enum tls_verify verify)
{
    static const char *alpn[] = {"http/1.1", NULL};
    mbedtls_ssl_config *conf = &t->conf[verify];
    if (mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT))
        return -ENOMEM;
    set_versions(conf);
    mbedtls_ssl_conf_rng(conf, random_bytes, NULL);
    mbedtls_ssl_conf_ciphersuites(conf, suites);
    mbedtls_ssl_conf_dhm_min_bitlen(conf, DHM_BITS_MIN);
    mbedtls_ssl_conf_renegotiation(conf, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_session_tickets(conf, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
    mbedtls_ssl_conf_authmode(conf, verify == TLS_STRICT ? MBEDTLS_SSL_VERIFY_REQUIRED
                                                         : MBEDTLS_SSL_VERIFY_OPTIONAL);
    if (t->trusts && verify != TLS_OFF)
        mbedtls_ssl_conf_ca_chain(conf, &t->trust, NULL);
    return mbedtls_ssl_conf_alpn_protocols(conf, alpn) ? -ENOMEM : 0;
}

int tls_new(const char *ca_file, struct tls **ret_tls)
{
    struct tls *t = xcalloc(1, sizeof *t);
    struct tm tm;
    time_t now = time(NULL);
    gmtime_r(&now, &tm); /* reads the time zone's file, the first time */
    sessions_init(&t->sessions);
    slab_init(&t->conns, sizeof(struct tls_conn));
    mbedtls_x509_crt_init(&t->trust);
    for (int i = TLS_STRICT; i <= TLS_OFF; i++)
        mbedtls_ssl_config_init(&t->conf[i]);
    int err = library_init();
    if (!err)
        load_trust(t, ca_file ? ca_file : TLS_CA_FILE);
    for (int i = TLS_STRICT; i <= TLS_OFF && !err; i++)
        err = conf_init(t, (enum tls_verify)i);
    if (err)
        tls_free(t);
    else
        *ret_tls = t;
    return err;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    for (int i = TLS_STRICT; i <= TLS_OFF; i++)
        mbedtls_ssl_config_free(&t->conf[i]);
    mbedtls_x509_crt_free(&t->trust);
    sessions_done(&t->sessions);
    slab_done(&t->conns);
    free(t);
}

unsigned tls_count(const struct tls *t)
{
    return (unsigned)t->conns.used_count;
}

size_t tls_session_bytes(const struct tls *t)
{
    return t->sessions.bytes;
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
                            .why = c->info.why};
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

/* ---- certificates ---- */

static bool has_address(const mbedtls_x509_crt *crt, const unsigned char *ip, size_t len)
{
    for (const mbedtls_x509_sequence *s = &crt->subject_alt_names; s; s = s->next)
        if (s->buf.tag == SAN_IP && s->buf.len == len && !memcmp(s->buf.p, ip, len))
            return true;
    return false;
}

/* What the library does not look at: addresses (2.28 knows names alone). */
static int look_at(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    struct tls_conn *c = ctx;
    if (depth)
        return 0;
    if (c->ip_len && !has_address(crt, c->ip, c->ip_len))
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    c->selfsigned = crt->issuer_raw.len == crt->subject_raw.len &&
                    !memcmp(crt->issuer_raw.p, crt->subject_raw.p, crt->subject_raw.len);
    return 0;
}

static const char *why_of(const struct tls_conn *c, uint32_t flags)
{
    if (!flags)
        return NULL;
    for (size_t i = 0; i < sizeof whys / sizeof *whys; i++) {
        if (!(flags & whys[i].flag))
            continue;
        if (whys[i].flag == MBEDTLS_X509_BADCERT_NOT_TRUSTED && c->selfsigned)
            return "the certificate is self-signed";
        return whys[i].why;
    }
    return NULL;
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
    if (mbedtls_ssl_setup(&c->ssl, &t->conf[peer->verify]) || set_peer(c, peer)) {
        mbedtls_ssl_free(&c->ssl);
        slab_put(&t->conns, c);
        return NULL;
    }
    mbedtls_ssl_set_verify(&c->ssl, look_at, c);
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

static enum tls_verdict failed(struct tls_conn *c, int r)
{
    bool no_tls = c->heard && (c->first < 20 || c->first > 23);
    uint32_t flags = mbedtls_ssl_get_verify_result(&c->ssl);
    c->end = TLS_BROKEN;
    if (r == BAD_VERSION || (r == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE &&
                             c->ssl.MBEDTLS_PRIVATE(in_msg)[1] == ALERT_PROTOCOL_VERSION)) {
        c->reason = REASON_TLS_VERSION;
        c->detail = "the server does not speak TLS " VERSIONS;
    } else if (r == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ||
               (r == BAD_CERTIFICATE && flags && !(flags & MBEDTLS_X509_BADCERT_SKIP_VERIFY))) {
        c->reason = REASON_TLS_VERIFY;
        c->detail = why_of(c, flags);
    } else if (r == MBEDTLS_ERR_SSL_CA_CHAIN_REQUIRED) {
        c->reason = REASON_TLS_VERIFY;
        c->detail = "no certificate authorities are known; see ca_file";
    } else {
        c->reason = REASON_TLS_ERROR;
        c->detail = no_tls ? "the server does not speak TLS on this port" : error_detail(c, r);
    }
    return TLS_FAILED;
}

static const char *suite_name(const mbedtls_ssl_context *ssl)
{
    int id = mbedtls_ssl_get_ciphersuite_id(mbedtls_ssl_get_ciphersuite(ssl));
    for (size_t i = 0; i < sizeof suite_names / sizeof *suite_names; i++)
        if (suites[i] == id)
            return suite_names[i];
    return "unknown";
}

static enum tls_verdict done(struct tls_conn *c)
{
    bool is_1_3 = !strcmp(mbedtls_ssl_get_version(&c->ssl), "TLSv1.3");
    c->over = true;
    c->info.version = is_1_3 ? "1.3" : "1.2";
    c->info.cipher = suite_name(&c->ssl);
    c->info.resumed = c->offered && !c->full;
    c->info.why = c->verify == TLS_OFF ? "not verified"
                  : c->info.resumed    ? c->why
                                       : why_of(c, mbedtls_ssl_get_verify_result(&c->ssl));
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
        } else if (is_ticket(r)) {
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
