/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct proc_usage proc_usage(pid_t pid)
{
    struct proc_usage u = {0};
    char path[32], text[1024] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return u;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    const char *p = n > 0 ? strrchr(text, ')') : NULL;
    unsigned long user = 0, system = 0;
    long pages = 0;
    if (p && sscanf(p + 1,
                    " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d "
                    "%*d %*d %*u %*u %ld",
                    &user, &system, &pages) == 3) {
        u.cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
        u.rss_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    return u;
}
