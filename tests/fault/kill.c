/* SPDX-License-Identifier: MIT */
/* kill [STEP]: a child works with a ledger on the real file system and the real disk thread, and is
 * killed with SIGKILL at its k-th changing call, for each STEP-th k. It tells through a pipe what
 * was acknowledged. The parent then recovers the job and has verify_job() look at it. */
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "daemon/frontier/fs.h"
#include "daemon/frontier/ledger.h"
#include "daemon/frontier/verify.h"

#define ROUNDS 12
#define URLS   5 /* added in each round */

#define MUST(cond, ...)                                                                            \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            printf("VIOLATION at call %llu: ", (unsigned long long)kill_at);                       \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static const struct fs *kernel;
static uint64_t calls, kill_at;

static void count(void)
{
    if (++calls == kill_at)
        raise(SIGKILL);
}

static ssize_t count_pwrite(int fd, const void *p, size_t n, uint64_t off)
{
    count();
    if (calls + 1 == kill_at && n > 1) /* killed in the middle of a write */
        n /= 2;
    return kernel->pwrite(fd, p, n, off);
}

#define COUNTED(name, params, args)                                                                \
    static int count_##name params                                                                 \
    {                                                                                              \
        count();                                                                                   \
        return kernel->name args;                                                                  \
    }
COUNTED(open, (const char *path, int flags), (path, flags))
COUNTED(fdatasync, (int fd), (fd))
COUNTED(fsync, (int fd), (fd))
COUNTED(ftruncate, (int fd, uint64_t length), (fd, length))
COUNTED(rename, (const char *from, const char *to), (from, to))
COUNTED(unlink, (const char *path), (path))
COUNTED(mkdir, (const char *path), (path))

struct job {
    struct ev_loop *loop;
    struct disk *disk;
    struct ledger *ledger;
    bool opened, closed, waited;
    int err;
    uint64_t queued[ROUNDS * URLS + 1]; /* seqs */
    size_t queued_count;
    uint32_t file;
    int fd;
    uint64_t end_bytes;
    char name[128];
    struct ledger_wait wait;
};

static void on_opened(void *owner, int err, const char *why, uint64_t torn_bytes)
{
    struct job *j = owner;
    j->opened = true;
    j->err = err;
    if (err)
        printf("opening: %s\n", why);
}

static void on_queued(void *owner, const struct ledger_url *urls, size_t n)
{
    struct job *j = owner;
    for (size_t i = 0; i < n; i++)
        j->queued[j->queued_count++] = urls[i].seq;
}

static void on_ended(void *owner, uint64_t seq, enum outcome outcome)
{
}

static void on_read(void *owner, const struct ledger_url *urls, size_t n)
{
}

static void on_file(void *owner, uint64_t cookie, uint32_t file, int fd, const char *name)
{
    struct job *j = owner;
    j->file = file;
    j->fd = fd;
    j->end_bytes = 0;
    snprintf(j->name, sizeof j->name, "%s", name ? name : "");
}

static void on_failed(void *owner, int err, const char *what)
{
    printf("failed: %s: %s\n", what, strerror(-err));
    exit(1);
}

static void on_closed(void *owner)
{
    ((struct job *)owner)->closed = true;
}

static const struct ledger_ops ops = {.opened = on_opened,
                                      .queued = on_queued,
                                      .ended = on_ended,
                                      .read = on_read,
                                      .file = on_file,
                                      .failed = on_failed,
                                      .closed = on_closed};

static void on_waited(struct ledger_wait *w, int err)
{
    ((struct job *)((char *)w - offsetof(struct job, wait)))->waited = !err;
}

static void begin(struct job *j, const char *dir, bool create)
{
    *j = (struct job){.loop = ev_loop_new(0)};
    j->disk = disk_new(j->loop);
    j->ledger = ledger_new(j->disk, j->loop, dir, ".warc", LEDGER_EACH, 0, &ops, j);
    if (create)
        ledger_create(j->ledger);
    else
        ledger_open(j->ledger);
    while (!j->opened)
        ev_run(j->loop, EVRUN_ONCE);
}

static void end(struct job *j)
{
    ledger_close(j->ledger);
    while (!j->closed)
        ev_run(j->loop, EVRUN_ONCE);
    ledger_free(j->ledger);
    disk_free(j->disk);
    ev_loop_destroy(j->loop);
}

static void commit(struct job *j)
{
    j->waited = false;
    j->wait.done = on_waited;
    ledger_wait(j->ledger, &j->wait);
    while (!j->waited)
        ev_run(j->loop, EVRUN_ONCE);
}

static void new_file(struct job *j)
{
    if (j->file)
        ledger_file_finish(j->ledger, j->file);
    j->file = 0;
    ledger_file_new(j->ledger, 1);
    while (!j->file)
        ev_run(j->loop, EVRUN_ONCE);
}

static void end_url(struct job *j, uint64_t seq)
{
    static const char record[] = "WARC/1.1 and what follows\n";
    char row[256];
    int n = snprintf(
        row, sizeof row,
        "{\"seq\":%llu,\"outcome\":\"stored\",\"warc\":{\"file\":\"%s\",\"offset\":%llu,"
        "\"length\":%zu}}\n",
        (unsigned long long)seq, j->name, (unsigned long long)j->end_bytes, sizeof record - 1);
    if (write(j->fd, record, sizeof record - 1) != (ssize_t)sizeof record - 1)
        abort();
    j->end_bytes += sizeof record - 1;
    ledger_row(j->ledger, seq, OUTCOME_STORED, row, (size_t)n, j->file, j->end_bytes);
}

/* Tells through `told` how many rounds were acknowledged. */
static void work(const char *dir, int told)
{
    struct job j;
    begin(&j, dir, true);
    if (j.err)
        exit(1);
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 3 == 0)
            new_file(&j);
        for (int i = 0; i < URLS; i++) {
            char url[64];
            int n = snprintf(url, sizeof url, "http://w/%d", round * URLS + i);
            ledger_accept(j.ledger, url, (size_t)n, true, false);
        }
        commit(&j);
        if (write(told, "a", 1) != 1)
            abort();
        while (j.queued_count > 2)
            end_url(&j, j.queued[--j.queued_count]);
    }
    end(&j);
}

static void on_problem(void *arg, const char *text)
{
    printf("problem: %s\n", text);
}

static void check(const char *dir, int acked_rounds)
{
    char journal[128];
    snprintf(journal, sizeof journal, "%s/frontier.log", dir);
    if (!acked_rounds && access(journal, F_OK) != 0)
        return; /* killed while the job was made */
    struct job j;
    begin(&j, dir, false);
    MUST(!j.err, "it does not open again");
    struct verify_report r;
    MUST(!verify_job(dir, on_problem, NULL, &r) && !r.problems, "%llu problems",
         (unsigned long long)r.problems);
    MUST(r.accepted >= (uint64_t)acked_rounds * URLS, "%llu URLs of %d acknowledged",
         (unsigned long long)r.accepted, acked_rounds * URLS);
    while (j.queued_count < r.open)
        ev_run(j.loop, EVRUN_ONCE);
    end(&j);
}

/* Whether the child was killed: false when it had fewer calls than kill_at. */
static bool run_once(const char *dir)
{
    int told[2], status;
    if (pipe(told) < 0)
        abort();
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        struct fs table = *kernel;
        table.open = count_open;
        table.pwrite = count_pwrite;
        table.fdatasync = count_fdatasync;
        table.fsync = count_fsync;
        table.ftruncate = count_ftruncate;
        table.rename = count_rename;
        table.unlink = count_unlink;
        table.mkdir = count_mkdir;
        fs_use(&table);
        work(dir, told[1]);
        _exit(0);
    }
    close(told[1]);
    char acks[ROUNDS + 1];
    int acked = 0;
    for (ssize_t n; (n = read(told[0], acks, sizeof acks)) > 0;)
        acked += (int)n;
    close(told[0]);
    waitpid(child, &status, 0);
    MUST(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0,
         "the child ended with status %d", status);
    check(dir, acked);
    return WIFSIGNALED(status);
}

int main(int argc, char **argv)
{
    uint64_t step = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    kernel = fs;
    for (bool killed = true; killed;) {
        kill_at += step;
        char dir[64], command[128];
        snprintf(dir, sizeof dir, "%s/ledger-kill-XXXXXX",
                 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
        if (!mkdtemp(dir))
            abort();
        killed = run_once(dir);
        snprintf(command, sizeof command, "rm -rf %s", dir);
        if (system(command))
            abort();
    }
    printf("killed at each %llu. call up to %llu, 0 violations\n", (unsigned long long)step,
           (unsigned long long)kill_at);
    return 0;
}
