/* SPDX-License-Identifier: MIT */
/* Framing over a stream socket.
 *
 * A descriptor is sent with the first byte of its FILE message, so that it is received no later
 * than that byte: bytes before the message go out first by themselves. The reader collects
 * descriptors in order; every FILE takes one. */
#include "common/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/xalloc.h"

#define READ_BYTES     65536
#define READ_MAX_BYTES (1 << 20)

enum side { S, W };

static const struct {
    const char *name;
    uint32_t size;
    enum side from;
} types[IPC_TYPE_COUNT] = {
#define IPC(symbol, type, from) [IPC_##symbol] = {#symbol, sizeof(struct type), from},
    IPC_MESSAGES(IPC)
#undef IPC
};

/* Bytes that the message's own length fields announce behind its struct. */
static size_t announced(const struct ipc_head *m)
{
    switch (m->type) {
    case IPC_CONF:
    case IPC_JOB:
    case IPC_RESOLVE:
        return ((const struct ipc_text *)m)->text_len;
    case IPC_LEASE:
        return ((const struct ipc_lease *)m)->url_len;
    case IPC_FILE:
        return ((const struct ipc_file *)m)->name_len;
    case IPC_DONE:
    case IPC_AGAIN:
    case IPC_RETRY:
    case IPC_BACK:
    case IPC_NOCONN:
    case IPC_WFAIL:
        return (size_t)((const struct ipc_end *)m)->tail_len +
               ((const struct ipc_end *)m)->next_len;
    default:
        return 0;
    }
}

static uint32_t padded(size_t n)
{
    return (uint32_t)((n + 7) & ~(size_t)7);
}

void ipc_init(struct ipc *c, int take_fd, bool worker_speaks)
{
    *c = (struct ipc){.fd = take_fd, .worker_speaks = worker_speaks};
}

/* The first descriptor that is to go out; NULL if there is none. */
static const struct ipc_out_fd *first_out_fd(const struct ipc *c)
{
    return buf_len(&c->out_fds) ? (const void *)buf_data(&c->out_fds) : NULL;
}

static void forget_out_fd(struct ipc *c)
{
    close(first_out_fd(c)->fd);
    buf_consume(&c->out_fds, sizeof(struct ipc_out_fd));
}

void ipc_done(struct ipc *c)
{
    if (c->fd >= 0)
        close(c->fd);
    while (buf_len(&c->out_fds))
        forget_out_fd(c);
    for (int i = 0; i < c->fd_count; i++)
        close(c->fds[i]);
    buf_done(&c->out_fds);
    buf_done(&c->in);
    buf_done(&c->out);
    *c = (struct ipc){.fd = -1};
}

void *ipc_add(struct ipc *c, enum ipc_type type, size_t extra)
{
    uint32_t size = padded(types[type].size + extra);
    struct ipc_head *m = (struct ipc_head *)buf_reserve(&c->out, size);
    memset(m, 0, size);
    m->size = size;
    m->type = (uint16_t)type;
    buf_grew(&c->out, size);
    return m;
}

void ipc_add_number(struct ipc *c, enum ipc_type type, uint64_t id)
{
    struct ipc_number *m = ipc_add(c, type, 0);
    m->id = id;
}

void ipc_add_text(struct ipc *c, enum ipc_type type, uint64_t id, const char *text, size_t len)
{
    const size_t most = IPC_MESSAGE_MAX - sizeof(struct ipc_text) - 8;
    do {
        size_t n = len < most ? len : most;
        struct ipc_text *m = ipc_add(c, type, n);
        m->id = id;
        m->text_len = (uint32_t)n;
        m->more = n < len;
        memcpy(m->text, text, n);
        text += n;
        len -= n;
    } while (len);
}

int ipc_add_file(struct ipc *c, uint32_t job, uint32_t file, const char *name, int fd)
{
    struct ipc_out_fd out = {.at = c->out_at + buf_len(&c->out),
                             .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    if (out.fd < 0)
        return -errno;
    buf_add(&c->out_fds, &out, sizeof out);
    size_t n = strlen(name);
    struct ipc_file *m = ipc_add(c, IPC_FILE, n);
    m->job = job;
    m->file = file;
    m->name_len = (uint32_t)n;
    memcpy(m->name, name, n);
    return 0;
}

/* One sendmsg: the bytes before the next descriptor's message; or that message with it, and what
 * follows up to the one after it. */
static ssize_t send_some(struct ipc *c)
{
    const struct ipc_out_fd *fds = first_out_fd(c);
    size_t fds_count = buf_len(&c->out_fds) / sizeof *fds, n = buf_len(&c->out);
    bool with_fd = fds && fds->at == c->out_at;
    if (fds_count > with_fd)
        n = (size_t)(fds[with_fd].at - c->out_at);
    struct iovec iov = {.iov_base = buf_data(&c->out), .iov_len = n};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (with_fd) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control;
        control.head = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(&control.head), &fds->fd, sizeof(int));
    }
    ssize_t sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0 && with_fd)
        forget_out_fd(c);
    c->out_at += sent > 0 ? (uint64_t)sent : 0;
    return sent;
}

int ipc_flush(struct ipc *c)
{
    while (buf_len(&c->out)) {
        ssize_t sent = send_some(c);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN || errno == ENOBUFS ? 1 : -errno;
        buf_consume(&c->out, (size_t)sent);
    }
    return 0;
}

static int take_descriptors(struct ipc *c, struct msghdr *msg)
{
    int r = msg->msg_flags & MSG_CTRUNC ? -EPROTO : 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
            if (c->worker_speaks || c->fd_count == IPC_FDS_MAX) {
                close(fd);
                r = -EPROTO;
            } else {
                c->fds[c->fd_count++] = fd;
            }
        }
    }
    return r;
}

int ipc_fill(struct ipc *c)
{
    buf_consume(&c->in, 0);
    for (size_t total = 0; total < READ_MAX_BYTES;) {
        struct iovec iov = {.iov_base = buf_reserve(&c->in, READ_BYTES), .iov_len = READ_BYTES};
        char control[CMSG_SPACE(sizeof(int) * 16)];
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
        ssize_t n = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : errno == ECONNRESET ? 1 : -errno;
        int r = take_descriptors(c, &msg);
        if (r < 0)
            return r;
        if (n == 0)
            return 1;
        buf_grew(&c->in, (size_t)n);
        total += (size_t)n;
        if (n < READ_BYTES)
            return 0;
    }
    return 0;
}

int ipc_next(struct ipc *c, const struct ipc_head **ret_message)
{
    if (buf_len(&c->in) < sizeof(struct ipc_head))
        return 0;
    const struct ipc_head *m = (const struct ipc_head *)buf_data(&c->in);
    enum side from = c->worker_speaks ? W : S;
    if (m->type == IPC_NONE || m->type >= IPC_TYPE_COUNT || types[m->type].from != from ||
        m->size > IPC_MESSAGE_MAX || m->size < types[m->type].size || m->size % 8)
        return -EPROTO;
    if (buf_len(&c->in) < m->size)
        return 0;
    if (padded(types[m->type].size + announced(m)) != m->size)
        return -EPROTO;
    *ret_message = m;
    c->in.head += m->size; /* the bytes stay where they are until the next fill */
    return 1;
}

int ipc_take_fd(struct ipc *c)
{
    if (!c->fd_count)
        return -1;
    int fd = c->fds[0];
    memmove(c->fds, c->fds + 1, sizeof *c->fds * (size_t)--c->fd_count);
    return fd;
}

const char *ipc_name(enum ipc_type type)
{
    return types[type].name;
}
