/* SPDX-License-Identifier: MIT */
/* Inside of TLS, for tls.c and tls_trust.c: nothing else includes the library. What its
 * versions 2.28 and 3.6 do differently is here, and at the top of tls_trust.c. */
#ifndef NET_TLS_IMPL_H
#define NET_TLS_IMPL_H

#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "common/buf.h"
#include "common/slab.h"
#include "daemon/net/sessions.h"
#include "daemon/net/tls.h"

#define IN_BYTES (18u << 10) /* a record and the next one's head */

#if MBEDTLS_VERSION_MAJOR >= 3
#define TLS_VERSIONS        "1.2 or 1.3"
#define TLS_BAD_VERSION     MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION
#define TLS_BAD_CERTIFICATE MBEDTLS_ERR_SSL_BAD_CERTIFICATE
#define TLS_IS_TICKET(r)    ((r) == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
#define TLS_TRIPPED(r, state)                                                                      \
    ((r) == MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER && (state) == MBEDTLS_SSL_SERVER_KEY_EXCHANGE)
#else
#define MBEDTLS_PRIVATE(member) member
#define TLS_VERSIONS            "1.2"
#define TLS_BAD_VERSION         MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION
#define TLS_BAD_CERTIFICATE     MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE
#define TLS_IS_TICKET(r)        false
#define TLS_TRIPPED(r, state)   false
#endif

struct tls {
    mbedtls_x509_crt trust;
    bool trusts;                                  /* there is an authority in `trust` */
    mbedtls_ssl_config conf[2][TLS_VERIFY_COUNT]; /* lowered?; by enum tls_verify */
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
    bool over;   /* the handshake */
    bool low;    /* offers TLS 1.2 alone, without RSA-PSS */
    bool lowers; /* it failed, and without these another may not */
    bool ended;  /* our end was said */
};

/* Looks at a certificate of the connection's server after the library: addresses (2.28 knows names
 * alone), and whether it is self-signed. ctx: the connection. */
int tls_look_at(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags);

/* What the library's flags mean; NULL: nothing is wrong. */
const char *tls_why(const struct tls_conn *c, uint32_t flags);

/* IANA's name of the cipher suite in use. */
const char *tls_suite_name(const mbedtls_ssl_context *ssl);

#endif
