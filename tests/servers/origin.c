/* SPDX-License-Identifier: MIT */
/* origin: an HTTP/1.1 server for the tests, the demo and the benchmarks. The first process binds
 * every address once per process (SO_REUSEPORT), prints "listening ADDR:PORT" for each, then
 * starts the others; SIGTERM and SIGINT end all of them. The paths it knows stand in route.h,
 * the lines of its ledger in ledger.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/servers/conn.h"
#include "tests/servers/ledger.h"
#include "tests/servers/route.h"

#define ADDRESSES_MOST 64
#define PROCESSES_MOST 64

static struct {
    struct sockaddr_storage addresses[ADDRESSES_MOST];
    size_t address_count;
    int process_count;
    const char *ledger_path;
    struct route_config route;
} options = {.process_count = 1, .route = {.body_bytes = 1024, .root = -1}};

static int listeners[PROCESSES_MOST][ADDRESSES_MOST];
static volatile sig_atomic_t stop_asked;

static void ask_stop(int signal_number)
{
    stop_asked = 1;
}

static const char usage_text[] =
    "usage: origin [--listen ADDR:PORT]... [--port N] [--processes N] [--body-bytes N]\n"
    "              [--delay SECONDS[-SECONDS]] [--root DIR] [--ledger FILE]\n";

static void die(const char *what, const char *why)
{
    fprintf(stderr, "origin: %s: %s\n", what, why);
    exit(1);
}

/* "127.0.0.1:8080" or "[::1]:8080". */
static void add_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (!colon || options.address_count == ADDRESSES_MOST)
        die(text, "no ADDR:PORT");
    char host[64];
    bool bracketed = *text == '[' && colon > text + 1 && colon[-1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(colon - text) - 2 * bracketed, text + bracketed);
    struct sockaddr_storage a = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&a;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a;
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)atoi(colon + 1));
    } else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)atoi(colon + 1));
    } else {
        die(text, "no ADDR:PORT");
    }
    options.addresses[options.address_count++] = a;
}

static void set_delay(const char *text)
{
    char *end;
    double least_s = strtod(text, &end);
    double most_s = *end == '-' ? strtod(end + 1, &end) : least_s;
    if (*end || least_s < 0 || most_s < least_s)
        die(text, "no SECONDS or SECONDS-SECONDS");
    options.route.delay_least_ns = (int64_t)(least_s * (double)NS_PER_S);
    options.route.delay_most_ns = (int64_t)(most_s * (double)NS_PER_S);
}

static void set_root(const char *path)
{
    options.route.root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (options.route.root < 0)
        die(path, strerror(errno));
}

static void set_processes(const char *text)
{
    options.process_count = atoi(text);
    if (options.process_count < 1 || options.process_count > PROCESSES_MOST)
        die(text, "--processes is 1 to 64");
}

static void set_option(int option, const char *value)
{
    char address[32];
    switch (option) {
    case 'l':
        add_address(value);
        break;
    case 'p':
        snprintf(address, sizeof address, "127.0.0.1:%d", atoi(value));
        add_address(address);
        break;
    case 'n':
        set_processes(value);
        break;
    case 'b':
        options.route.body_bytes = strtoull(value, NULL, 10);
        break;
    case 'd':
        set_delay(value);
        break;
    case 'r':
        set_root(value);
        break;
    case 'g':
        options.ledger_path = value;
        break;
    default:
        fputs(usage_text, option == 'h' ? stdout : stderr);
        exit(option == 'h' ? 0 : 2);
    }
}

static void read_options(int argc, char **argv)
{
    static const struct option known[] = {{"listen", required_argument, NULL, 'l'},
                                          {"port", required_argument, NULL, 'p'},
                                          {"processes", required_argument, NULL, 'n'},
                                          {"body-bytes", required_argument, NULL, 'b'},
                                          {"delay", required_argument, NULL, 'd'},
                                          {"root", required_argument, NULL, 'r'},
                                          {"ledger", required_argument, NULL, 'g'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    for (int option; (option = getopt_long(argc, argv, "h", known, NULL)) != -1;)
        set_option(option, optarg);
    if (optind != argc)
        set_option('?', NULL);
    if (!options.address_count)
        add_address("127.0.0.1:0");
}

static int listen_on(struct sockaddr_storage *a)
{
    int one = 1;
    int fd = socket(a->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t n =
        a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (options.process_count > 1)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (a->ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)a, n) || listen(fd, 65535))
        die("listen", strerror(errno));
    getsockname(fd, (struct sockaddr *)a, &n);
    return fd;
}

static void say_address(const struct sockaddr_storage *a)
{
    char text[INET6_ADDRSTRLEN];
    const struct sockaddr_in *in = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
    bool is_v6 = a->ss_family == AF_INET6;
    inet_ntop(a->ss_family, is_v6 ? (const void *)&in6->sin6_addr : &in->sin_addr, text,
              sizeof text);
    printf(is_v6 ? "listening [%s]:%d\n" : "listening %s:%d\n", text,
           ntohs(is_v6 ? in6->sin6_port : in->sin_port));
}

static void listen_everywhere(void)
{
    for (size_t i = 0; i < options.address_count; i++) {
        for (int p = 0; p < options.process_count; p++)
            listeners[p][i] = listen_on(&options.addresses[i]);
        say_address(&options.addresses[i]);
    }
    fflush(stdout);
}

static int serve(int process, const sigset_t *wait_mask)
{
    for (int p = 0; p < options.process_count; p++)
        for (size_t i = 0; p != process && i < options.address_count; i++)
            close(listeners[p][i]);
    srandom((unsigned)process + 1);
    int r = conn_serve(listeners[process], options.address_count, &stop_asked, wait_mask);
    return r ? 1 : 0;
}

static int start_processes(pid_t *ret_pids, const sigset_t *wait_mask)
{
    pid_t parent = getpid();
    for (int p = 1; p < options.process_count; p++) {
        ret_pids[p] = fork();
        if (ret_pids[p] < 0)
            die("fork", strerror(errno));
        if (ret_pids[p])
            continue;
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() == parent)
            exit(serve(p, wait_mask));
        exit(1);
    }
    return serve(0, wait_mask);
}

int main(int argc, char **argv)
{
    pid_t pids[PROCESSES_MOST] = {0};
    sigset_t stops, before;
    struct rlimit files;
    struct sigaction action = {.sa_handler = ask_stop};
    read_options(argc, argv);
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    sigprocmask(SIG_BLOCK, &stops, &before);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    route_init(&options.route);
    int r = ledger_open(options.ledger_path);
    if (r)
        die(options.ledger_path, strerror(-r));
    listen_everywhere();
    r = start_processes(pids, &before);
    for (int p = 1; p < options.process_count; p++) {
        kill(pids[p], SIGTERM);
        waitpid(pids[p], NULL, 0);
    }
    return r;
}
