/* SPDX-License-Identifier: MIT */
/* Plays supervisor to one worker: leases it --count URLs, --parallel at a time, and prints how they
 * ended, what a page cost and how much memory a fetch in flight takes.
 *
 *   drive_worker [--count N] [--parallel P] [--hosts H] [--spec JSON] [--warc FILE] [--limited]
 * URL... The URLs are leased in turn. They may hold %1$u, the number of the lease, and %2$u, that
 * number modulo --hosts plus 1. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/outcome.h"
#include "common/stats.h"
#include "common/heritage.h"
#include "daemon/worker/entry.h"

static struct {
    uint64_t count, parallel, hosts;
    const char *spec, *warc;
    char **urls;
    uint64_t url_count;
    bool limited, verbose;
} options = {.count = 1,
             .parallel = 1,
             .hosts = 1,
             .spec = "{\"pace\":{\"preset\":\"own\"},\"store\":{\"format\":\"none\"}}"};

static struct {
    struct ipc ipc;
    struct stats_block *stats;
    pid_t pid;
    uint64_t leased, ended, slots;
    uint64_t by_type[IPC_TYPE_COUNT], by_reason[REASON_COUNT], by_outcome[OUTCOME_COUNT];
    long base_kib, most_kib;
    int64_t begin_ns;
} drive;

static void start_worker(void)
{
    int pair[2], stats = memfd_create("stats", 0);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) ||
        ftruncate(stats, sizeof *drive.stats))
        exit(1);
    drive.stats = mmap(NULL, sizeof *drive.stats, PROT_READ, MAP_SHARED, stats, 0);
    drive.pid = fork();
    if (!drive.pid) {
        int null = open("/dev/null", O_RDONLY);
        int socket = fcntl(pair[1], F_DUPFD, 20), block = fcntl(stats, F_DUPFD, 20);
        dup2(socket, HERITAGE_SOCKET_FD);
        dup2(block, HERITAGE_STATS_FD);
        dup2(null, HERITAGE_LOCK_FD);
        for (int fd = HERITAGE_LOCK_FD + 1; fd < 64; fd++)
            close(fd);
        exit(worker_main(0));
    }
    close(pair[1]);
    ipc_init(&drive.ipc, pair[0], true);
}

static long rss_kib(void)
{
    char path[64];
    long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)drive.pid);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void begin(void)
{
    static const char conf[] =
        "{\"user_agent\":\"crawld-drive\",\"contact\":\"mailto:nobody@example.org\","
        "\"allow_cidr\":[\"127.0.0.0/8\",\"::1\"],\"in_flight\":0}";
    ipc_add_text(&drive.ipc, IPC_CONF, 0, conf, sizeof conf - 1);
    ipc_add_text(&drive.ipc, IPC_JOB, 1, options.spec, strlen(options.spec));
    if (options.warc) {
        int fd = open(options.warc, O_CREAT | O_TRUNC | O_APPEND | O_WRONLY, 0666);
        ipc_add_file(&drive.ipc, 1, 1, "drive.warc", fd);
        close(fd);
    }
}

static void add_lease(const char *url, size_t len, uint64_t number, uint8_t hop)
{
    struct ipc_lease *l = ipc_add(&drive.ipc, IPC_LEASE, len);
    l->lease = number;
    l->seq = number;
    l->job = 1;
    l->host = 1;
    l->url_len = (uint16_t)len;
    l->grant = options.limited ? GRANT_OPEN : GRANT_FREE;
    l->attempt = 1;
    l->last = 1;
    l->hop = hop;
    l->limited = l->tell_sent = options.limited;
    memcpy(l->url, url, len);
}

static void lease_more(void)
{
    uint64_t most = options.parallel < drive.slots ? options.parallel : drive.slots;
    while (drive.leased < options.count && drive.leased - drive.ended < most) {
        char url[8192];
        drive.leased++;
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        int len = snprintf(url, sizeof url, options.urls[drive.leased % options.url_count],
                           (unsigned)drive.leased, (unsigned)(drive.leased % options.hosts + 1));
        add_lease(url, (size_t)len, drive.leased, 0);
    }
}

static void take_end(const struct ipc_head *h)
{
    const struct ipc_end *e = (const struct ipc_end *)h;
    if (options.verbose)
        printf("%s lease=%lu outcome=%s reason=%s file=%u %.*s next=%.*s\n", ipc_name(h->type),
               e->lease, outcome_name(e->outcome), reason_name(e->reason), e->file, e->tail_len,
               e->data, e->next_len, e->data + e->tail_len);
    if (h->type == IPC_AGAIN && drive.by_type[IPC_AGAIN] < 100 * options.count) {
        add_lease(e->data + e->tail_len, e->next_len, e->lease, 1);
        return;
    }
    drive.ended++;
    drive.by_reason[e->reason]++;
    drive.by_outcome[e->outcome]++;
}

static void take(const struct ipc_head *h)
{
    drive.by_type[h->type]++;
    bool ends = h->type == IPC_DONE || h->type == IPC_RETRY || h->type == IPC_NOCONN ||
                h->type == IPC_WFAIL || h->type == IPC_AGAIN;
    if (ends) {
        take_end(h);
    } else if (h->type == IPC_READY) {
        drive.slots = ((const struct ipc_number *)h)->id;
        drive.base_kib = rss_kib();
        drive.begin_ns = clock_mono_ns();
    } else if (h->type == IPC_BEAT) {
        long kib = rss_kib();
        drive.most_kib = kib > drive.most_kib ? kib : drive.most_kib;
    } else if (options.verbose) {
        printf("%s %lu\n", ipc_name((enum ipc_type)h->type), ((const struct ipc_number *)h)->id);
    }
}

static void turn(void)
{
    struct pollfd p = {.fd = drive.ipc.fd, .events = POLLIN};
    const struct ipc_head *h;
    int got;
    if (ipc_flush(&drive.ipc) == 1)
        p.events |= POLLOUT;
    poll(&p, 1, -1);
    if (ipc_fill(&drive.ipc)) {
        fprintf(stderr, "the worker is gone\n");
        exit(1);
    }
    while ((got = ipc_next(&drive.ipc, &h)) > 0)
        take(h);
    if (got < 0) {
        fprintf(stderr, "the worker sends nonsense\n");
        exit(1);
    }
    lease_more();
}

static void print_counts(void)
{
    for (int i = 1; i < IPC_TYPE_COUNT; i++)
        if (drive.by_type[i])
            printf("%s=%lu ", ipc_name((enum ipc_type)i), drive.by_type[i]);
    printf("|");
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (drive.by_outcome[i])
            printf(" %s=%lu", outcome_name((enum outcome)i), drive.by_outcome[i]);
    for (int i = 1; i < REASON_COUNT; i++)
        if (drive.by_reason[i])
            printf(" %s=%lu", reason_name((enum reason)i), drive.by_reason[i]);
    printf("\n");
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void finish(void)
{
    int status;
    struct rusage r;
    double wall = (double)(clock_mono_ns() - drive.begin_ns) / 1e9;
    ipc_add_number(&drive.ipc, IPC_DRAIN, 0);
    ipc_flush(&drive.ipc);
    wait4(drive.pid, &status, 0, &r);
    print_counts();
    double user = seconds(r.ru_utime), system = seconds(r.ru_stime), n = (double)drive.ended;
    printf("pages=%lu wall=%.2fs %.0f/s cpu=%.2f us/page (user %.2f system %.2f) exit=%d\n",
           drive.ended, wall, n / wall, (user + system) * 1e6 / n, user * 1e6 / n, system * 1e6 / n,
           WEXITSTATUS(status));
    printf("rss: before %ld KiB, most %ld KiB, %.0f bytes per fetch in flight; connects=%lu "
           "reused=%lu bytes_in=%lu\n",
           drive.base_kib, drive.most_kib,
           1024.0 * (double)(drive.most_kib - drive.base_kib) / (double)options.parallel,
           drive.stats->value[STAT_CONNECTS], drive.stats->value[STAT_REUSED],
           drive.stats->value[STAT_BYTES_IN]);
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"count", 1, NULL, 'n'},   {"parallel", 1, NULL, 'p'},
                                          {"spec", 1, NULL, 's'},    {"warc", 1, NULL, 'w'},
                                          {"limited", 0, NULL, 'l'}, {"hosts", 1, NULL, 'h'},
                                          {"verbose", 0, NULL, 'v'}, {NULL, 0, NULL, 0}};
    int c;
    while ((c = getopt_long(argc, argv, "n:p:h:s:w:lv", known, NULL)) > 0) {
        if (c == 'n')
            options.count = strtoull(optarg, NULL, 10);
        else if (c == 'p')
            options.parallel = strtoull(optarg, NULL, 10);
        else if (c == 'h')
            options.hosts = strtoull(optarg, NULL, 10);
        else if (c == 's')
            options.spec = optarg;
        else if (c == 'w')
            options.warc = optarg;
        else if (c == 'l')
            options.limited = true;
        else if (c == 'v')
            options.verbose = true;
        else
            return 2;
    }
    if (optind == argc)
        return 2;
    options.urls = argv + optind;
    options.url_count = (uint64_t)(argc - optind);
    start_worker();
    begin();
    while (drive.ended < options.count)
        turn();
    finish();
    return 0;
}
