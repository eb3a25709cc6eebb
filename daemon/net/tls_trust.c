/* SPDX-License-Identifier: MIT */
/* What all connections of a worker share: authorities, settings, randomness; and what is told of a
 * certificate. Randomness comes from getrandom(2) and files are read by tls_new() alone, so that a
 * sandbox may forbid open(2) afterwards. */
#include "daemon/net/tls_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/log.h"
#include "common/xalloc.h"

#define SAN_IP       (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7)
#define DHM_BITS_MIN 2048 /* the library's own bound is 1024 */

/* ---- 2.28 and 3.6 ---- */

#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>

static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_X448,      MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

/* Signatures that both sides of 3.6 agree on. In its 3.6.6 a client of TLS 1.2 refuses RSA-PSS,
 * which 1.3 demands: so it comes late, and not at all where that did not help. */
static const uint16_t signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512, MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,       MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,    MBEDTLS_TLS1_3_SIG_NONE};

static const uint16_t signatures_1_2[] = {MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
                                          MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
                                          MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512,
                                          MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
                                          MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
                                          MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
                                          MBEDTLS_TLS1_3_SIG_NONE};

static int library_init(void)
{
    return psa_crypto_init() == PSA_SUCCESS ? 0 : -EIO;
}

static void set_versions(mbedtls_ssl_config *conf, bool lowered)
{
    mbedtls_ssl_conf_groups(conf, groups);
    mbedtls_ssl_conf_sig_algs(conf, lowered ? signatures_1_2 : signatures);
    if (lowered)
        mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
}

#else

static const mbedtls_ecp_group_id groups[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
                                              MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_SECP521R1,
                                              MBEDTLS_ECP_DP_NONE};

static int library_init(void)
{
    return 0;
}

static void set_versions(mbedtls_ssl_config *conf, bool lowered)
{
    mbedtls_ssl_conf_curves(conf, groups);
    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
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

/* ---- the worker's part ---- */

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

static int conf_init(struct tls *t, enum tls_verify verify, bool lowered)
{
    static const char *alpn[] = {"http/1.1", NULL};
    mbedtls_ssl_config *conf = &t->conf[lowered][verify];
    if (mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT))
        return -ENOMEM;
    set_versions(conf, lowered);
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
    for (int i = 0; i < 2 * TLS_VERIFY_COUNT; i++)
        mbedtls_ssl_config_init(&t->conf[i / TLS_VERIFY_COUNT][i % TLS_VERIFY_COUNT]);
    int err = library_init();
    if (!err)
        load_trust(t, ca_file ? ca_file : TLS_CA_FILE);
    for (int i = 0; i < 2 * TLS_VERIFY_COUNT && !err; i++)
        err = conf_init(t, (enum tls_verify)(i % TLS_VERIFY_COUNT), i / TLS_VERIFY_COUNT);
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
    for (int i = 0; i < 2 * TLS_VERIFY_COUNT; i++)
        mbedtls_ssl_config_free(&t->conf[i / TLS_VERIFY_COUNT][i % TLS_VERIFY_COUNT]);
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

/* ---- certificates ---- */

static bool has_address(const mbedtls_x509_crt *crt, const unsigned char *ip, size_t len)
{
    for (const mbedtls_x509_sequence *s = &crt->subject_alt_names; s; s = s->next)
        if (s->buf.tag == SAN_IP && s->buf.len == len && !memcmp(s->buf.p, ip, len))
            return true;
    return false;
}

int tls_look_at(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
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

const char *tls_why(const struct tls_conn *c, uint32_t flags)
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

const char *tls_suite_name(const mbedtls_ssl_context *ssl)
{
    int id = mbedtls_ssl_get_ciphersuite_id(mbedtls_ssl_get_ciphersuite(ssl));
    for (size_t i = 0; i < sizeof suite_names / sizeof *suite_names; i++)
        if (suites[i] == id)
            return suite_names[i];
    return "unknown";
}
