/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"

#define HELLO_WAIT_MS    2000
#define BACKLOG          512
#define LISTEN_FDS_FIRST 3

/* sd_listen_fds(3): the first socket, if it was meant for this process. */
static int inherited(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    if (!pid || !count || atol(pid) != (long)getpid() || atoi(count) < 1)
        return -1;
    int listening = 0;
    socklen_t n = sizeof listening;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (getsockopt(LISTEN_FDS_FIRST, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) < 0 || !listening) {
        log_warning("the descriptor inherited (LISTEN_FDS) is no listening socket; it is not used");
        return -1;
    }
    fcntl(LISTEN_FDS_FIRST, F_SETFD, FD_CLOEXEC);
    fcntl(LISTEN_FDS_FIRST, F_SETFL, O_NONBLOCK);
    return LISTEN_FDS_FIRST;
}

/* A daemon speaks first. The socket of one that was killed is held for a moment by a worker that it
 * was just starting: then the connection is closed unheard. */
static bool somebody_listens(const struct sockaddr_un *address)
{
    char c;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool there = fd >= 0 && connect(fd, (const void *)address, sizeof *address) == 0;
    struct pollfd heard = {.fd = fd, .events = POLLIN};
    if (there && poll(&heard, 1, HELLO_WAIT_MS) > 0)
        there = read(fd, &c, 1) == 1;
    if (fd >= 0)
        close(fd);
    return there;
}

static void give_to_group(const char *path, const char *name)
{
    const struct group *g = *name ? getgrnam(name) : NULL;
    if (g && chown(path, (uid_t)-1, g->gr_gid) < 0)
        log_warning("cannot give the socket to its group path=%s group=%s: %m", path, name);
}

static int bind_fresh(int fd, const struct sockaddr_un *address)
{
    struct stat st;
    if (!lstat(address->sun_path, &st)) {
        if (!S_ISSOCK(st.st_mode))
            return -EEXIST;
        if (somebody_listens(address))
            return -EADDRINUSE;
        unlink(address->sun_path);
    }
    mode_t mask = umask(0117);
    int r = bind(fd, (const void *)address, sizeof *address) < 0 ? -errno : 0;
    umask(mask);
    return r;
}

int listen_control(const struct options *o, bool *ret_made)
{
    int fd = inherited();
    if (fd >= 0)
        return fd;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int r = -ENAMETOOLONG;
    if (strlen(o->socket) < sizeof address.sun_path) {
        strcpy(address.sun_path, o->socket);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        r = fd < 0 ? -errno : bind_fresh(fd, &address);
    }
    if (!r && listen(fd, BACKLOG) < 0)
        r = -errno;
    if (r < 0) {
        log_err("cannot listen socket=%s: %s%s", o->socket, strerror(-r),
                r == -EADDRINUSE ? "; another daemon answers there"
                : r == -ENOENT   ? "; its directory must exist"
                : r == -EEXIST   ? "; something that is no socket has that name"
                                 : "");
        if (fd >= 0)
            close(fd);
        return r;
    }
    give_to_group(o->socket, o->socket_group);
    *ret_made = true;
    return fd;
}
