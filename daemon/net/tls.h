/* SPDX-License-Identifier: MIT */
/* TLS on a connected socket: the one place that knows mbedTLS (2.28: TLS 1.2; 3.6: 1.2 and 1.3).
 *
 *      tls_new ▸ tls_open ▸ tls_shake ... ▸ tls_read, tls_write ... ▸ tls_close ▸ tls_free
 *
 * There is no connection without the name or address it is for: that goes into SNI (names only,
 * RFC 6066) and is what the certificate is held against. Sessions are kept by origin and resumed
 * without asking; the origin must tell apart how certificates are verified.
 *
 * The library holds bytes that the kernel knows nothing of: after a read, tls_pending() says
 * whether to read again without waiting for the socket. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/outcome.h"
#include "daemon/net/addr.h"

#define TLS_CONN_BYTES (40u << 10) /* memory of one connection; measured: 37 to 43 KiB */
#define TLS_CA_FILE    "/etc/ssl/certs/ca-certificates.crt"

enum tls_verify {
    TLS_STRICT, /* a certificate that is not valid ends the handshake */
    TLS_RECORD, /* it is told in tls_info */
    TLS_OFF,    /* it is not looked at */
    TLS_VERIFY_COUNT,
};

/* What a finished handshake led to. Constant texts. */
struct tls_info {
    const char *version; /* "1.2", "1.3"; NULL: none yet */
    const char *cipher;  /* as IANA names it: "TLS_AES_128_GCM_SHA256" */
    const char *why;     /* the certificate is not verified; NULL: it is */
    bool resumed;
};

struct tls_peer {
    const char *host; /* a name; not terminated */
    size_t host_len;
    const struct addr *ip; /* instead of a name; NULL */
    uint64_t origin;       /* of its sessions; also another for each way to verify */
    enum tls_verify verify;
};

struct tls;      /* of a worker: trust, settings, sessions */
struct tls_conn; /* of one connection */

/* Reads the certificate authorities of ca_file (NULL: TLS_CA_FILE) and all else that has to be
 * opened. A missing file is logged: nothing can be verified then. 0 or -errno. */
int tls_new(const char *ca_file, struct tls **ret_tls);
void tls_free(struct tls *t); /* no connection may be left; NULL is accepted */

/* Connections open, bytes of sessions kept. */
unsigned tls_count(const struct tls *t);
size_t tls_session_bytes(const struct tls *t);

enum tls_known {
    TLS_UNKNOWN,     /* the next handshake will be a full one */
    TLS_SESSIONLESS, /* the server gives none: all are */
    TLS_SESSION,     /* one to be resumed is there */
};

/* What is known of the origin's sessions. */
enum tls_known tls_known(struct tls *t, uint64_t origin);

/* A server has answered and given no session. */
void tls_no_session(struct tls *t, uint64_t origin);

/* fd: connected; borrowed. NULL: the host is none that TLS can name. */
struct tls_conn *tls_open(struct tls *t, int fd, const struct tls_peer *peer);

/* Says our end, once, if there is something to end. The peer's may still come. */
void tls_end(struct tls_conn *c);

/* Says our end and frees. */
void tls_close(struct tls_conn *c);

enum tls_verdict {
    TLS_DONE,
    TLS_WANT_READ,
    TLS_WANT_WRITE,
    TLS_TIME, /* until_ns is over: call again, there is more to do */
    TLS_FAILED,
};

/* Goes on with the handshake; each step is up to milliseconds of CPU, and none begins after
 * until_ns. */
enum tls_verdict tls_shake(struct tls_conn *c, int64_t until_ns);

/* After TLS_FAILED: TLS_ERROR, TLS_VERIFY or TLS_VERSION and a constant text that helps. */
enum reason tls_failure(const struct tls_conn *c, const char **ret_detail);

/* After TLS_FAILED: the library tripped over what it need not have offered. It is known of the
 * origin now, another connection leaves it out. */
bool tls_lowered(const struct tls_conn *c);

/* After TLS_DONE. */
const struct tls_info *tls_info(const struct tls_conn *c);

#define TLS_CUT    (-ECONNABORTED) /* the connection ended and the peer had not said so */
#define TLS_BROKEN (-EBADMSG)      /* not what TLS allows, or changed on the way */

/* Bytes read, 0 when the peer said its end, -EAGAIN, TLS_CUT, TLS_BROKEN or another -errno. Reads
 * on until n bytes are there or nothing is left. */
ssize_t tls_read(struct tls_conn *c, void *p, size_t n);

/* Are there bytes to be read that the socket does not tell of? */
bool tls_pending(const struct tls_conn *c);

/* Bytes written, -EAGAIN or another -errno. After -EAGAIN the same bytes must come again. */
ssize_t tls_write(struct tls_conn *c, const void *p, size_t n);

#endif
