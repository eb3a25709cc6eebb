/* SPDX-License-Identifier: MIT */
/* liar PID LEASE: speaks for a worker that was stopped, over its own socket: first what no worker
 * may say, then that the lease has ended. Exit 77 if this process may not. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/heritage.h"
#include "common/ipc.h"
#include "common/outcome.h"

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int pid_fd = (int)syscall(SYS_pidfd_open, atoi(argv[1]), 0);
    int fd = pid_fd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pid_fd, HERITAGE_SOCKET_FD, 0);
    if (fd < 0) {
        perror("liar");
        return 77;
    }
    struct ipc c;
    ipc_init(&c, fd, false);
    ipc_add_number(&c, IPC_SLOTS, UINT64_MAX);
    struct ipc_end *end = ipc_add(&c, IPC_DONE, 0);
    end->lease = strtoull(argv[2], NULL, 10);
    end->outcome = OUTCOME_DROPPED;
    int left = ipc_flush(&c);
    ipc_done(&c);
    return left ? 1 : 0;
}
