/* SPDX-License-Identifier: MIT */
/* What the kernel says about a process of ours. /proc is no file system on a disk: reading it does
 * not wait for one. */
#ifndef SUPERVISOR_PROC_H
#define SUPERVISOR_PROC_H

#include <stdint.h>
#include <sys/types.h>

struct proc_usage {
    uint64_t rss_bytes;
    double cpu_s; /* user and system */
};

/* Zeros if there is no such process. */
struct proc_usage proc_usage(pid_t pid);

#endif
