/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int notify_init(struct notify *n, const char *socket_name)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    n->fd = -1;
    if (!socket_name || !*socket_name)
        return 0;
    size_t len = strlen(socket_name);
    if ((*socket_name != '/' && *socket_name != '@') || len >= sizeof to.sun_path)
        return -EINVAL;
    memcpy(to.sun_path, socket_name, len);
    if (*to.sun_path == '@')
        *to.sun_path = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    socklen_t to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (connect(fd, (struct sockaddr *)&to, to_len) < 0) {
        int e = errno;
        close(fd);
        return -e;
    }
    n->fd = fd;
    return 0;
}

void notify_done(struct notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}

static void say(struct notify *n, const char *text)
{
    if (n->fd >= 0)
        (void)!send(n->fd, text, strlen(text), MSG_NOSIGNAL);
}

void notify_ready(struct notify *n)
{
    say(n, "READY=1");
}

void notify_stopping(struct notify *n)
{
    say(n, "STOPPING=1");
}

void notify_status(struct notify *n, const char *fmt, ...)
{
    char text[512] = "STATUS=";
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text + strlen(text), sizeof text - strlen(text), fmt, ap);
    va_end(ap);
    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
    say(n, text);
}

void notify_extend(struct notify *n, int64_t ms)
{
    char text[64];
    snprintf(text, sizeof text, "EXTEND_TIMEOUT_USEC=%lld", (long long)ms * 1000);
    say(n, text);
}
