/* SPDX-License-Identifier: MIT */
/* mbedTLS and nothing else: the limit for https. Makes --count connections to 127.0.0.1, one after
 * the other, asks for one page on each and reads to the end; prints how many pages came and its CPU
 * time in seconds.
 *
 *   tls_client --port P --ca FILE --count N [--resume] [--ending .example.test]
 *
 * Connection i is to the name h<i><ending>; with --resume all are to h0<ending>, with the session
 * of the one before. Certificates are verified; curves and ciphers stand in the order crawld has.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>

static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                  MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                  MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

static bool is_ticket(int r)
{
    return r == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
}

static void begin(mbedtls_ssl_config *conf)
{
    psa_crypto_init();
    mbedtls_ssl_conf_groups(conf, groups);
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
}
#else
static const mbedtls_ecp_group_id groups[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
                                              MBEDTLS_ECP_DP_NONE};

static bool is_ticket(int r)
{
    return false;
}

static void begin(mbedtls_ssl_config *conf)
{
    mbedtls_ssl_conf_curves(conf, groups);
}
#endif

static const int ciphers[] = {
#if MBEDTLS_VERSION_MAJOR >= 3
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
#endif
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, 0};

static struct {
    const char *ca, *ending;
    int port;
    unsigned count;
    bool resume;
} options = {.ending = ".example.test"};

static struct {
    mbedtls_ssl_config conf;
    mbedtls_x509_crt ca;
    mbedtls_ssl_session session;
    bool has_session;
    unsigned pages;
} client;

static int random_bytes(void *ctx, unsigned char *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = getrandom(p + done, n - done, 0);
        done += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static void fail(const char *what, int r)
{
    fprintf(stderr, "tls_client: %s: %s0x%04x\n", what, r < 0 ? "-" : "", (unsigned)abs(r));
    exit(1);
}

static void check(const char *what, int r)
{
    if (r)
        fail(what, r);
}

static void prepare(void)
{
    mbedtls_ssl_config_init(&client.conf);
    mbedtls_x509_crt_init(&client.ca);
    mbedtls_ssl_session_init(&client.session);
    check("defaults",
          mbedtls_ssl_config_defaults(&client.conf, MBEDTLS_SSL_IS_CLIENT,
                                      MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT));
    begin(&client.conf);
    check(options.ca, mbedtls_x509_crt_parse_file(&client.ca, options.ca));
    mbedtls_ssl_conf_ca_chain(&client.conf, &client.ca, NULL);
    mbedtls_ssl_conf_rng(&client.conf, random_bytes, NULL);
    mbedtls_ssl_conf_ciphersuites(&client.conf, ciphers);
    mbedtls_ssl_conf_authmode(&client.conf, MBEDTLS_SSL_VERIFY_REQUIRED);
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)options.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
        fail("connect", -1);
    return fd;
}

static void keep_session(mbedtls_ssl_context *ssl)
{
    if (!options.resume)
        return;
    mbedtls_ssl_session_free(&client.session);
    mbedtls_ssl_session_init(&client.session);
    client.has_session = !mbedtls_ssl_get_session(ssl, &client.session);
}

/* Reads to the end; was it a 200? */
static bool read_answer(mbedtls_ssl_context *ssl)
{
    unsigned char in[16384], first[12];
    size_t all = 0;
    int r;
    while ((r = mbedtls_ssl_read(ssl, in, sizeof in)) > 0 || is_ticket(r)) {
        if (r > 0 && all < sizeof first)
            memcpy(first + all, in,
                   (size_t)r < sizeof first - all ? (size_t)r : sizeof first - all);
        if (is_ticket(r))
            keep_session(ssl);
        all += r > 0 ? (size_t)r : 0;
    }
    if (r && r != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY && r != MBEDTLS_ERR_SSL_CONN_EOF)
        fail("read", r);
    return all > sizeof first && !memcmp(first, "HTTP/1.1 200", sizeof first);
}

static void exchange(unsigned number)
{
    mbedtls_ssl_context ssl;
    mbedtls_net_context net = {.fd = dial()};
    char name[128], request[512];
    snprintf(name, sizeof name, "h%u%s", options.resume ? 0 : number, options.ending);
    int n = snprintf(request, sizeof request,
                     "GET /p/%u.html HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: tls_client\r\n\r\n",
                     number, name, options.port);
    mbedtls_ssl_init(&ssl);
    check("setup", mbedtls_ssl_setup(&ssl, &client.conf));
    check("name", mbedtls_ssl_set_hostname(&ssl, name));
    if (client.has_session)
        check("session", mbedtls_ssl_set_session(&ssl, &client.session));
    mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
    check("handshake", mbedtls_ssl_handshake(&ssl));
    if (!client.has_session)
        keep_session(&ssl);
    if (mbedtls_ssl_write(&ssl, (unsigned char *)request, (size_t)n) != n)
        fail("write", -1);
    client.pages += read_answer(&ssl);
    mbedtls_ssl_close_notify(&ssl);
    mbedtls_ssl_free(&ssl);
    close(net.fd);
}

static void parse_arguments(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", required_argument, NULL, 'p'},   {"ca", required_argument, NULL, 'c'},
        {"count", required_argument, NULL, 'n'},  {"resume", no_argument, NULL, 'r'},
        {"ending", required_argument, NULL, 'e'}, {0}};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'p':
            options.port = atoi(optarg);
            break;
        case 'c':
            options.ca = optarg;
            break;
        case 'n':
            options.count = (unsigned)atoi(optarg);
            break;
        case 'r':
            options.resume = true;
            break;
        case 'e':
            options.ending = optarg;
            break;
        default:
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    struct rusage used;
    parse_arguments(argc, argv);
    prepare();
    for (unsigned i = 0; i < options.count; i++)
        exchange(i);
    getrusage(RUSAGE_SELF, &used);
    printf("%u %.6f\n", client.pages,
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    return client.pages == options.count ? 0 : 1;
}
