/* SPDX-License-Identifier: MIT */
/* A cgroup's limit holds for all below it, so every directory from ours to the hierarchy's root is
 * asked. /proc/self/cgroup names ours, /proc/self/mountinfo where the hierarchy is seen:
 *
 *     v2   0::/system.slice/crawld.service       cgroup2 mount   memory.max
 *     v1   4:memory:/system.slice/crawld.service cgroup mount    memory.limit_in_bytes
 *
 * In a container the mount may show only a part of the hierarchy: its root field is what the path
 * has in front then.
 *
 *     [ limit: 70 % of it | supervisor a quarter | worker: process, fetches | worker ... ]
 */
#include "daemon/supervisor/memory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PERCENT          70        /* the rest is for page cache, sockets and our neighbours */
#define SUPERVISOR_PART  4         /* a quarter */
#define PROCESS_BYTES    (8 << 20) /* of a worker without fetches */
#define WORKER_LEAST     (4ull << 20)
#define BYTES_PER_WORKER (64ull << 20)
#define LIMIT_NONE       (1ull << 60) /* v1 says no limit by a number near 2^63 */

struct hierarchy {
    char path[PATH_MAX]; /* our cgroup, as the hierarchy's root sees it */
    char at[PATH_MAX];   /* where it is mounted */
    bool known;
};

/* The limit in that file; LIMIT_NONE if it says none or is not there. */
static uint64_t limit_in(const char *path)
{
    unsigned long long n = 0;
    FILE *f = fopen(path, "re");
    bool number = f && fscanf(f, "%llu", &n) == 1;
    if (f)
        fclose(f);
    return number && n < LIMIT_NONE ? n : LIMIT_NONE;
}

static uint64_t least_limit(const char *root, const struct hierarchy *h, const char *file)
{
    uint64_t least = LIMIT_NONE;
    char path[PATH_MAX], full[3 * PATH_MAX];
    if (!h->known)
        return least;
    snprintf(path, sizeof path, "%s", h->path);
    for (;;) {
        snprintf(full, sizeof full, "%s%s%s/%s", root, h->at, path, file);
        uint64_t here = limit_in(full);
        least = here < least ? here : least;
        char *slash = strrchr(path, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* One line of /proc/self/cgroup. */
static void take_membership(char *line, struct hierarchy *v1, struct hierarchy *v2)
{
    char *controllers = strchr(line, ':'),
         *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    if (!strncmp(line, "0::", 2))
        snprintf(v2->path, sizeof v2->path, "%s", path);
    for (char *name; (name = strsep(&controllers, ":,"));)
        if (!strcmp(name, "memory"))
            snprintf(v1->path, sizeof v1->path, "%s", path);
}

/* One line of /proc/self/mountinfo: proc(5). */
static void take_mount(const char *line, struct hierarchy *v1, struct hierarchy *v2)
{
    char top[PATH_MAX], at[PATH_MAX], type[32], options[1024];
    const char *rest = strstr(line, " - ");
    if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", top, at) != 2 ||
        sscanf(rest, " - %31s %*s %1023s", type, options) != 2)
        return;
    bool is_v2 = !strcmp(type, "cgroup2");
    if (!is_v2 && (strcmp(type, "cgroup") || !strstr(options, "memory")))
        return;
    struct hierarchy *h = is_v2 ? v2 : v1;
    size_t n = strcmp(top, "/") ? strlen(top) : 0;
    if (!strncmp(h->path, top, n) && strchr("/", h->path[n]))
        memmove(h->path, h->path + n, strlen(h->path + n) + 1);
    snprintf(h->at, sizeof h->at, "%s", at);
    h->known = true;
}

static void each_line(const char *root, const char *file, struct hierarchy *v1,
                      struct hierarchy *v2, bool mounts)
{
    char path[PATH_MAX], line[4 * PATH_MAX];
    snprintf(path, sizeof path, "%s%s", root, file);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (mounts)
            take_mount(line, v1, v2);
        else
            take_membership(line, v1, v2);
    if (f)
        fclose(f);
}

uint64_t memory_cgroup_bytes(const char *root)
{
    struct hierarchy *h = calloc(2, sizeof *h);
    if (!h)
        return 0;
    each_line(root, "/proc/self/cgroup", &h[0], &h[1], false);
    each_line(root, "/proc/self/mountinfo", &h[0], &h[1], true);
    uint64_t v1 = least_limit(root, &h[0], "memory.limit_in_bytes");
    uint64_t v2 = least_limit(root, &h[1], "memory.max");
    uint64_t least = v1 < v2 ? v1 : v2;
    free(h);
    return least < LIMIT_NONE ? least : 0;
}

static void find_limit(struct memory_plan *p, uint64_t limit_bytes)
{
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t cgroup = memory_cgroup_bytes("");
    bool in_cgroup = cgroup && cgroup < machine;
    p->from = limit_bytes ? "memory_limit" : in_cgroup ? "cgroup" : "machine";
    p->limit_bytes = limit_bytes ? limit_bytes : (in_cgroup ? cgroup : machine) / 100 * PERCENT;
}

static int workers_for(uint64_t limit_bytes)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t most = limit_bytes / BYTES_PER_WORKER;
    if (most < 1 || cores < 1)
        return 1;
    return most < (uint64_t)cores ? (int)most : (int)cores;
}

struct memory_plan memory_plan(uint64_t limit_bytes, int workers)
{
    struct memory_plan p = {0};
    find_limit(&p, limit_bytes);
    p.workers = workers ? workers : workers_for(p.limit_bytes);
    p.supervisor_bytes = p.limit_bytes / SUPERVISOR_PART;
    uint64_t each = (p.limit_bytes - p.supervisor_bytes) / (unsigned)p.workers;
    p.worker_bytes = each > PROCESS_BYTES + WORKER_LEAST ? each - PROCESS_BYTES : WORKER_LEAST;
    return p;
}
