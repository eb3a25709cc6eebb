/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/heritage.h"

#define FIRST_SAFE_FD 10 /* above every descriptor a worker inherits */

extern char **environ;

/* The same descriptor at a number that no inherited one overwrites; -1 if there is none free. */
static int lift(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_SAFE_FD);
    close(fd);
    return high;
}

struct stats_block *spawn_stats(int *ret_fd)
{
    int fd = memfd_create("crawld-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, sizeof(struct stats_block)) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        log_crit("no memory for a stats block: %m");
        abort();
    }
    void *p = mmap(NULL, sizeof(struct stats_block), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        log_crit("cannot map a stats block: %m");
        abort();
    }
    *ret_fd = lift(fd);
    if (*ret_fd < 0) {
        log_crit("no descriptor for a stats block: %m");
        abort();
    }
    return p;
}

static int exec_worker(struct worker *w, int socket_fd, int log_fd, int lock_fd)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_adddup2(&actions, log_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, log_fd, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, socket_fd, HERITAGE_SOCKET_FD);
    posix_spawn_file_actions_adddup2(&actions, w->stats_fd, HERITAGE_STATS_FD);
    posix_spawn_file_actions_adddup2(&actions, lock_fd, HERITAGE_LOCK_FD);
    char number[16];
    snprintf(number, sizeof number, "%d", w->slot);
    char *const argv[] = {(char *)"crawld", (char *)"--worker", number, NULL};
    int r = posix_spawn(&w->pid, "/proc/self/exe", &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -r;
}

int spawn_worker(struct worker *w, int lock_fd)
{
    int sockets[2], log_pipe[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) < 0)
        return -errno;
    if (pipe2(log_pipe, O_CLOEXEC) < 0) {
        int r = -errno;
        close(sockets[0]);
        close(sockets[1]);
        return r;
    }
    fcntl(log_pipe[0], F_SETFL, O_NONBLOCK);
    sockets[1] = lift(sockets[1]);
    log_pipe[1] = lift(log_pipe[1]);
    bool lifted = sockets[1] >= 0 && log_pipe[1] >= 0;
    int r = lifted ? exec_worker(w, sockets[1], log_pipe[1], lock_fd) : -EMFILE;
    if (sockets[1] >= 0)
        close(sockets[1]);
    if (log_pipe[1] >= 0)
        close(log_pipe[1]);
    if (r < 0) {
        w->pid = 0;
        close(sockets[0]);
        close(log_pipe[0]);
        return r;
    }
    ipc_init(&w->ipc, sockets[0], true);
    ev_io_set(&w->log, log_pipe[0], EV_READ);
    return 0;
}
