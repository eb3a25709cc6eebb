/* SPDX-License-Identifier: MIT */
#include "daemon/net/conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void on_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    struct conn *c = list_of(io, struct conn, io);
    c->woken = true;
    c->ready(c);
}

static int bind_source(int fd, const struct addr *source)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_sockaddr(source, 0, &sa);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    return bind(fd, (struct sockaddr *)&sa, len) ? -errno : 0;
}

static int start_connect(int fd, const struct conn *c, const struct addr *source)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_sockaddr(&c->peer, c->port, &sa);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    int err = source && source->family == c->peer.family ? bind_source(fd, source) : 0;
    if (err)
        return err;
    return connect(fd, (struct sockaddr *)&sa, len) && errno != EINPROGRESS ? -errno : 0;
}

int conn_open(struct conn *c, struct ev_loop *loop, const struct addr *a, const struct addr *source)
{
    int family = a->family == 4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    c->peer = *a;
    list_init(&c->link);
    list_init(&c->bucket);
    int err = start_connect(fd, c, source);
    if (err) {
        close(fd);
        return err;
    }
    ev_io_init(&c->io, on_ready, fd, EV_WRITE);
    ev_io_start(loop, &c->io);
    return 0;
}

void conn_want_write(struct conn *c, struct ev_loop *loop, bool write)
{
    ev_io_stop(loop, &c->io);
    ev_io_modify(&c->io, write ? EV_WRITE : EV_READ);
    ev_io_start(loop, &c->io);
}

void conn_pause(struct conn *c, struct ev_loop *loop)
{
    ev_io_stop(loop, &c->io);
}

void conn_resume(struct conn *c, struct ev_loop *loop)
{
    ev_io_start(loop, &c->io);
}

int conn_connected(struct conn *c, struct ev_loop *loop)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (!c->woken)
        return -EINPROGRESS;
    c->woken = false;
    if (getsockopt(c->io.fd, SOL_SOCKET, SO_ERROR, &err, &len))
        return -errno;
    if (!err)
        conn_want_write(c, loop, false);
    return -err;
}

int conn_secure(struct conn *c, struct tls *t, const struct tls_peer *peer)
{
    c->tls = tls_open(t, c->io.fd, peer);
    return c->tls ? 0 : -EINVAL;
}

enum tls_verdict conn_shake(struct conn *c, struct ev_loop *loop, int64_t until_ns)
{
    enum tls_verdict v = tls_shake(c->tls, until_ns);
    c->woken = false;
    if (v == TLS_WANT_WRITE || c->io.events & EV_WRITE)
        conn_want_write(c, loop, v == TLS_WANT_WRITE);
    return v;
}

static ssize_t read_secure(struct conn *c, void *p, size_t n)
{
    if (!c->woken && !tls_pending(c->tls))
        return -EAGAIN;
    c->woken = false;
    ssize_t got = tls_read(c->tls, p, n);
    c->peer_closed |= got <= 0 && got != -EAGAIN;
    return got;
}

ssize_t conn_read(struct conn *c, void *p, size_t n)
{
    ssize_t got;
    if (c->tls)
        return read_secure(c, p, n);
    if (!c->woken)
        return -EAGAIN;
    c->woken = false;
    do
        got = recv(c->io.fd, p, n, 0);
    while (got < 0 && errno == EINTR);
    if (!got || (got < 0 && errno != EAGAIN))
        c->peer_closed = true;
    return got < 0 ? -errno : got;
}

ssize_t conn_write(struct conn *c, const void *p, size_t n)
{
    ssize_t put;
    if (c->tls)
        return tls_write(c->tls, p, n);
    do
        put = send(c->io.fd, p, n, MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

bool conn_quiet(struct conn *c)
{
    char byte;
    return !conn_pending(c) || conn_read(c, &byte, 1) == -EAGAIN;
}

bool conn_acknowledged(const struct conn *c)
{
    int left = 0;
    return !ioctl(c->io.fd, SIOCOUTQ, &left) && !left;
}

void conn_shutdown(struct conn *c)
{
    if (c->tls)
        tls_end(c->tls);
    shutdown(c->io.fd, SHUT_WR);
}

void conn_close(struct conn *c, struct ev_loop *loop)
{
    ev_io_stop(loop, &c->io);
    if (c->tls)
        tls_close(c->tls);
    close(c->io.fd);
}
