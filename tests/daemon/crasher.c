/* SPDX-License-Identifier: MIT */
/* For LD_PRELOAD: a worker that dies while it sends a certain request, in the midst of a step.
 *
 *     GET /die/K/segv,hang,kill HTTP/1.1
 *
 * The first time such a request is sent the first word happens, then the second; when none is left
 * it is sent as any other. How often is counted in byte K (0 to 9) of the file $CRASHER_TURNS,
 * which all processes map when they begin. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS 10

static unsigned char *turns;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CRASHER_TURNS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, TURNS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    turns = p == MAP_FAILED ? NULL : p;
    if (fd >= 0)
        close(fd);
}

static void happen(const char *word)
{
    if (!strncmp(word, "segv", 4))
        *(volatile int *)0 = 0;
    else if (!strncmp(word, "abort", 5))
        abort();
    else if (!strncmp(word, "kill", 4))
        kill(getpid(), SIGKILL);
    while (!strncmp(word, "hang", 4))
        pause();
}

static void look_at(const char *request, size_t len)
{
    static const char mark[] = "/die/";
    const char *at = len > 4 ? memmem(request, len, mark, sizeof mark - 1) : NULL;
    if (!turns || !at || strncmp(request, "GET ", 4) || request + len < at + 32)
        return;
    at += sizeof mark - 1;
    unsigned turn = turns[(*at - '0') % TURNS]++;
    for (at += 2; turn; turn--, at++) {
        at += strcspn(at, ", ");
        if (*at == ' ')
            return;
    }
    happen(at);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
    ssize_t (*real)(int, const void *, size_t, int) =
        (ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
    look_at(p, n);
    return real(fd, p, n, flags);
}
