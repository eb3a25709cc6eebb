/* SPDX-License-Identifier: MIT */
/* A client of ours on one end of a socket pair; on the other the library's own server, whose bytes
 * the test delivers as it likes. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "common/buf.h"
#include "daemon/net/tls.h"
#include "tests/unit/tls_certs.h"
#include "tests/unit/unit.h"

#define NEVER INT64_MAX

static struct {
    struct tls *tls;
    struct tls_conn *c;
    int fd, server_fd;
    bool hung_up;
    struct buf wire; /* from the server, not delivered */
    mbedtls_ssl_config conf;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_ticket_context tickets;
    mbedtls_x509_crt crt;
    mbedtls_pk_context key;
} t;

/* ---- the server ---- */

static int random_bytes(void *ctx, unsigned char *p, size_t n)
{
    return getrandom(p, n, 0) == (ssize_t)n ? 0 : -1;
}

static int server_send(void *ctx, const unsigned char *p, size_t n)
{
    buf_add(&t.wire, p, n);
    return (int)n;
}

static int server_recv(void *ctx, unsigned char *p, size_t n)
{
    ssize_t got = recv(t.server_fd, p, n, MSG_DONTWAIT);
    return got >= 0 ? (int)got : MBEDTLS_ERR_SSL_WANT_READ;
}

static int parse_key(const char *pem)
{
#if MBEDTLS_VERSION_MAJOR >= 3
    return mbedtls_pk_parse_key(&t.key, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0,
                                random_bytes, NULL);
#else
    return mbedtls_pk_parse_key(&t.key, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0);
#endif
}

static void only_1_2(void)
{
#if MBEDTLS_VERSION_MAJOR >= 3
    mbedtls_ssl_conf_max_tls_version(&t.conf, MBEDTLS_SSL_VERSION_TLS1_2);
#endif
}

static void server_init(const char *pem, const char *key)
{
    mbedtls_x509_crt_init(&t.crt);
    mbedtls_pk_init(&t.key);
    mbedtls_ssl_config_init(&t.conf);
    mbedtls_ssl_ticket_init(&t.tickets);
    ck_assert_int_eq(mbedtls_x509_crt_parse(&t.crt, (const unsigned char *)pem, strlen(pem) + 1),
                     0);
    ck_assert_int_eq(parse_key(key), 0);
    mbedtls_ssl_config_defaults(&t.conf, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&t.conf, random_bytes, NULL);
    ck_assert_int_eq(mbedtls_ssl_conf_own_cert(&t.conf, &t.crt, &t.key), 0);
    ck_assert_int_eq(
        mbedtls_ssl_ticket_setup(&t.tickets, random_bytes, NULL, MBEDTLS_CIPHER_AES_256_GCM, 3600),
        0);
    mbedtls_ssl_conf_session_tickets_cb(&t.conf, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse,
                                        &t.tickets);
}

/* ---- both ends ---- */

static void begin(const char *pem, const char *key)
{
    char path[] = "/tmp/test_tls_XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, authority_pem, sizeof authority_pem - 1),
                     (int)sizeof authority_pem - 1);
    close(fd);
    ck_assert_int_eq(tls_new(path, &t.tls), 0);
    unlink(path);
    server_init(pem, key);
}

static void connect_ends(const struct tls_peer *peer)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    t.fd = pair[0];
    t.server_fd = pair[1];
    mbedtls_ssl_init(&t.ssl);
    ck_assert_int_eq(mbedtls_ssl_setup(&t.ssl, &t.conf), 0);
    mbedtls_ssl_set_bio(&t.ssl, NULL, server_send, server_recv, NULL);
    t.c = tls_open(t.tls, t.fd, peer);
    ck_assert_ptr_nonnull(t.c);
}

static void hang_up(void)
{
    shutdown(t.server_fd, SHUT_WR);
    t.hung_up = true;
}

static void disconnect_ends(void)
{
    tls_close(t.c);
    mbedtls_ssl_free(&t.ssl);
    buf_clear(&t.wire);
    close(t.server_fd);
    close(t.fd);
    t.hung_up = false;
}

static void end(void)
{
    ck_assert_uint_eq(tls_count(t.tls), 0);
    tls_free(t.tls);
    mbedtls_ssl_config_free(&t.conf);
    mbedtls_ssl_ticket_free(&t.tickets);
    mbedtls_x509_crt_free(&t.crt);
    mbedtls_pk_free(&t.key);
    buf_done(&t.wire);
}

static struct tls_peer peer_of(const char *host, enum tls_verify verify)
{
    return (struct tls_peer){.host = host, .host_len = strlen(host), .origin = 1, .verify = verify};
}

static void deliver(size_t n)
{
    n = n < buf_len(&t.wire) ? n : buf_len(&t.wire);
    ck_assert_int_eq(send(t.server_fd, buf_data(&t.wire), n, 0), (int)n);
    buf_consume(&t.wire, n);
}

/* Delivers `piece` bytes at a time, `most` in all, then hangs up. */
static enum tls_verdict shake(size_t piece, size_t most)
{
    for (int i = 0; i < 20000; i++) {
        enum tls_verdict v = tls_shake(t.c, NEVER);
        if (v != TLS_WANT_READ)
            return v;
        if (!t.hung_up)
            mbedtls_ssl_handshake(&t.ssl);
        size_t n = piece < most ? piece : most;
        n = n < buf_len(&t.wire) ? n : buf_len(&t.wire);
        if (!t.hung_up)
            deliver(n);
        most -= n;
        if (!most)
            hang_up();
    }
    ck_abort_msg("no end");
}

static enum tls_verdict shake_with(const char *host, enum tls_verify verify)
{
    struct tls_peer peer = peer_of(host, verify);
    connect_ends(&peer);
    return shake(SIZE_MAX / 2, SIZE_MAX);
}

static void say(const char *text)
{
    ck_assert_int_eq(mbedtls_ssl_write(&t.ssl, (const unsigned char *)text, strlen(text)),
                     (int)strlen(text));
}

static void expect_failure(enum reason reason, const char *detail)
{
    const char *said;
    ck_assert_str_eq(reason_name(tls_failure(t.c, &said)), reason_name(reason));
    ck_assert_msg(strstr(said, detail) != NULL, "%s", said);
}

/* ---- handshakes ---- */

START_TEST(shakes_hands_whatever_the_pieces)
{
    char text[8];
    struct tls_peer peer = peer_of("good.test", TLS_STRICT);
    begin(good_pem, good_key);
    connect_ends(&peer);
    ck_assert_int_eq(shake(1, SIZE_MAX), TLS_DONE);
    ck_assert_ptr_null(tls_info(t.c)->why);
    ck_assert_ptr_nonnull(strstr("1.2 1.3", tls_info(t.c)->version));
    ck_assert_ptr_nonnull(strstr(tls_info(t.c)->cipher, "CHACHA20"));
    ck_assert_int_eq(tls_write(t.c, "GET", 3), 3);
    mbedtls_ssl_handshake(&t.ssl);
    ck_assert_int_eq(mbedtls_ssl_read(&t.ssl, (unsigned char *)text, sizeof text), 3);
    disconnect_ends();
    end();
}
END_TEST

START_TEST(a_handshake_that_is_cut_anywhere_says_so)
{
    struct tls_peer peer = peer_of("good.test", TLS_STRICT);
    enum tls_verdict v = TLS_FAILED;
    int cuts = 0;
    begin(good_pem, good_key);
    for (size_t at = 1; v == TLS_FAILED; at += at < 12 ? 1 : 131, cuts++) {
        connect_ends(&peer);
        v = shake(SIZE_MAX / 2, at);
        if (v == TLS_FAILED)
            expect_failure(REASON_TLS_ERROR, "closed the connection");
        disconnect_ends();
    }
    ck_assert_int_gt(cuts, 15);
    end();
}
END_TEST

START_TEST(a_session_is_resumed_and_keeps_what_was_verified)
{
    begin(expired_pem, expired_key);
    for (int i = 0; i < 3; i++) {
        char byte;
        ck_assert_int_eq(tls_known(t.tls, 1), i ? TLS_SESSION : TLS_UNKNOWN);
        ck_assert_int_eq(shake_with("good.test", TLS_RECORD), TLS_DONE);
        mbedtls_ssl_handshake(&t.ssl);
        say("x");
        deliver(SIZE_MAX);
        ck_assert_int_eq(tls_read(t.c, &byte, 1), 1);
        ck_assert_int_eq(tls_info(t.c)->resumed, i > 0);
        ck_assert_ptr_nonnull(strstr(tls_info(t.c)->why, "expired"));
        disconnect_ends();
    }
    end();
}
END_TEST

START_TEST(until_its_time_is_over_no_step_begins)
{
    struct tls_peer peer = peer_of("good.test", TLS_STRICT);
    begin(good_pem, good_key);
    connect_ends(&peer);
    ck_assert_int_eq(tls_shake(t.c, 0), TLS_TIME);
    ck_assert_int_eq(shake(SIZE_MAX / 2, SIZE_MAX), TLS_DONE);
    disconnect_ends();
    end();
}
END_TEST

/* ---- certificates ---- */

static const struct {
    const char *host, *why; /* NULL: good */
} names[] = {
    {"good.test", NULL},
    {"GOOD.test.", NULL},
    {"a.wild.test", NULL},
    {"bad.test", "another"},
    {"a.b.wild.test", "another"},
    {"wild.test", "another"},
    {"good.test.evil.test", "another"},
};

START_TEST(a_certificate_is_held_against_the_name)
{
    begin(good_pem, good_key);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        enum tls_verdict v = shake_with(names[i].host, TLS_STRICT);
        ck_assert_msg((v == TLS_FAILED) == (names[i].why != NULL), "%s", names[i].host);
        if (names[i].why)
            expect_failure(REASON_TLS_VERIFY, names[i].why);
        disconnect_ends();
        tls_no_session(t.tls, 1);
    }
    end();
}
END_TEST

START_TEST(a_certificate_is_held_against_the_address)
{
    static const struct addr addrs[] = {{.family = 4, .ip = {127, 0, 0, 1}},
                                        {.family = 6, .ip = {[15] = 1}},
                                        {.family = 4, .ip = {127, 0, 0, 2}},
                                        {.family = 6, .ip = {[15] = 2}}};
    begin(good_pem, good_key);
    for (int i = 0; i < 4; i++) {
        struct tls_peer peer = {.ip = &addrs[i], .origin = 1};
        connect_ends(&peer);
        ck_assert_int_eq(shake(SIZE_MAX / 2, SIZE_MAX), i < 2 ? TLS_DONE : TLS_FAILED);
        if (i >= 2)
            expect_failure(REASON_TLS_VERIFY, "another name");
        disconnect_ends();
        tls_no_session(t.tls, 1);
    }
    end();
}
END_TEST

START_TEST(what_is_wrong_with_a_certificate_is_told)
{
    static const struct {
        const char *pem, *key, *why;
    } wrong[] = {{expired_pem, expired_key, "expired"},
                 {stranger_pem, stranger_key, "unknown authority"}};
    for (int i = 0; i < 2; i++) {
        begin(wrong[i].pem, wrong[i].key);
        ck_assert_int_eq(shake_with("good.test", TLS_STRICT), TLS_FAILED);
        expect_failure(REASON_TLS_VERIFY, wrong[i].why);
        disconnect_ends();
        ck_assert_int_eq(shake_with("good.test", TLS_RECORD), TLS_DONE);
        ck_assert_ptr_nonnull(strstr(tls_info(t.c)->why, wrong[i].why));
        disconnect_ends();
        tls_no_session(t.tls, 1);
        ck_assert_int_eq(shake_with("good.test", TLS_OFF), TLS_DONE);
        ck_assert_str_eq(tls_info(t.c)->why, "not verified");
        disconnect_ends();
        end();
    }
}
END_TEST

/* ---- other answers than a handshake ---- */

static const struct {
    const char *bytes;
    size_t len;
    enum reason reason;
    const char *detail;
} answers[] = {
    {"HTTP/1.1 400 Bad Request\r\n\r\n", 28, REASON_TLS_ERROR, "does not speak TLS on this port"},
    {"SSH-2.0-OpenSSH\r\n", 17, REASON_TLS_ERROR, "does not speak TLS on this port"},
    {"\x15\3\3\0\2\2\x28", 7, REASON_TLS_ERROR, "alert handshake_failure"},
    {"\x15\3\3\0\2\2\x70", 7, REASON_TLS_ERROR, "alert unrecognized_name"},
    {"\x15\3\3\0\2\2\x46", 7, REASON_TLS_VERSION, "does not speak TLS 1.2"},
    {"\x15\3\3\0\2\2\xff", 7, REASON_TLS_ERROR, "fatal alert"},
    {"\x15\3\3\0\2\1\0", 7, REASON_TLS_ERROR, "closed the connection"},
    {"\x16\3\3\xff\xff\2\0\0\0", 9, REASON_TLS_ERROR, "breaks the protocol"},
    {"\x16\3\3\0\4\2\0\0\0", 9, REASON_TLS_ERROR, "breaks the protocol"},
    {"\x17\3\3\0\4GET ", 9, REASON_TLS_ERROR, "breaks the protocol"},
};

START_TEST(what_is_no_handshake_ends_it_and_is_told)
{
    begin(good_pem, good_key);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct tls_peer peer = peer_of("good.test", TLS_STRICT);
        connect_ends(&peer);
        ck_assert_int_eq(tls_shake(t.c, NEVER), TLS_WANT_READ);
        buf_add(&t.wire, answers[i].bytes, answers[i].len);
        deliver(SIZE_MAX);
        ck_assert_int_eq(tls_shake(t.c, NEVER), TLS_FAILED);
        expect_failure(answers[i].reason, answers[i].detail);
        ck_assert_int_eq(tls_shake(t.c, NEVER), TLS_FAILED);
        disconnect_ends();
    }
    end();
}
END_TEST

/* ---- data ---- */

static void connected(void)
{
    begin(good_pem, good_key);
    ck_assert_int_eq(shake_with("good.test", TLS_STRICT), TLS_DONE);
    mbedtls_ssl_handshake(&t.ssl);
}

START_TEST(what_the_library_holds_is_pending)
{
    char text[16] = "";
    connected();
    say("hello ");
    say("world");
    deliver(SIZE_MAX);
    ck_assert_int_eq(tls_read(t.c, text, 3), 3);
    ck_assert(tls_pending(t.c));
    ck_assert_int_eq(tls_read(t.c, text + 3, sizeof text - 3), 8);
    ck_assert_str_eq(text, "hello world");
    ck_assert(!tls_pending(t.c));
    ck_assert_int_eq(tls_read(t.c, text, sizeof text), -EAGAIN);
    disconnect_ends();
    end();
}
END_TEST

START_TEST(records_come_whole_whatever_the_pieces)
{
    char text[4096], *big = calloc(1, 3001);
    size_t got = 0;
    connected();
    memset(big, 'x', 3000);
    say(big);
    for (int i = 0; i < 5000 && buf_len(&t.wire); i++) {
        deliver(7);
        ssize_t n = tls_read(t.c, text + got, sizeof text - got);
        ck_assert(n > 0 || n == -EAGAIN);
        got += n > 0 ? (size_t)n : 0;
    }
    ck_assert_uint_eq(got, 3000);
    free(big);
    disconnect_ends();
    end();
}
END_TEST

START_TEST(an_end_that_was_said_is_another_than_a_cut)
{
    char text[16];
    for (int said = 0; said < 2; said++) {
        connected();
        say("hello");
        if (said)
            mbedtls_ssl_close_notify(&t.ssl);
        deliver(SIZE_MAX);
        hang_up();
        ck_assert_int_eq(tls_read(t.c, text, sizeof text), 5);
        ck_assert_int_eq(tls_read(t.c, text, sizeof text), said ? 0 : TLS_CUT);
        ck_assert_int_eq(tls_read(t.c, text, sizeof text), said ? 0 : TLS_CUT);
        disconnect_ends();
        end();
    }
}
END_TEST

START_TEST(a_record_that_was_changed_is_broken)
{
    char text[16];
    connected();
    deliver(SIZE_MAX);
    ck_assert_int_eq(tls_read(t.c, text, sizeof text), -EAGAIN);
    say("hello");
    buf_data(&t.wire)[buf_len(&t.wire) - 1] ^= 1;
    deliver(SIZE_MAX);
    ck_assert_int_eq(tls_read(t.c, text, sizeof text), TLS_BROKEN);
    ck_assert_int_eq(tls_read(t.c, text, sizeof text), TLS_BROKEN);
    disconnect_ends();
    end();
}
END_TEST

START_TEST(renegotiation_is_refused_and_the_answer_comes_all_the_same)
{
    char text[16] = "";
    begin(good_pem, good_key);
    only_1_2();
    mbedtls_ssl_conf_renegotiation(&t.conf, MBEDTLS_SSL_RENEGOTIATION_ENABLED);
    ck_assert_int_eq(shake_with("good.test", TLS_STRICT), TLS_DONE);
    ck_assert_int_eq(mbedtls_ssl_renegotiate(&t.ssl), 0);
    deliver(SIZE_MAX);
    ck_assert_int_eq(tls_read(t.c, text, sizeof text), -EAGAIN);
    say("hello");
    deliver(SIZE_MAX);
    ck_assert_int_eq(tls_read(t.c, text, sizeof text), 5);
    ck_assert_str_eq(text, "hello");
    disconnect_ends();
    end();
}
END_TEST

UNIT_TESTS("tls", shakes_hands_whatever_the_pieces, a_handshake_that_is_cut_anywhere_says_so,
           a_session_is_resumed_and_keeps_what_was_verified, until_its_time_is_over_no_step_begins,
           a_certificate_is_held_against_the_name, a_certificate_is_held_against_the_address,
           what_is_wrong_with_a_certificate_is_told, what_is_no_handshake_ends_it_and_is_told,
           what_the_library_holds_is_pending, records_come_whole_whatever_the_pieces,
           an_end_that_was_said_is_another_than_a_cut, a_record_that_was_changed_is_broken,
           renegotiation_is_refused_and_the_answer_comes_all_the_same)
