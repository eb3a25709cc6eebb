/* SPDX-License-Identifier: MIT */
/* What supervisor and worker say to each other over one socket pair.
 *
 * A message is a fixed struct and, behind it, the bytes its `*_len` fields count. Both ends are the
 * same program, so structs travel as they are, padded to 8 bytes. A worker is hostile: the
 * supervisor takes a message only if it is of a type workers may send and its lengths add up;
 * otherwise ipc_next() fails and the worker is killed.
 *
 * Messages are collected in `out` and written by ipc_flush() once per loop turn. A descriptor
 * travels with the message it belongs to. */
#ifndef COMMON_IPC_H
#define COMMON_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define IPC_MESSAGE_MAX 65536 /* bytes of one whole message */
#define IPC_FDS_MAX     64    /* descriptors received and not yet taken */

/* IPC(symbol, struct, from): W a worker may send it, S the supervisor */
#define IPC_MESSAGES(IPC)                                                                          \
    IPC(CONF, ipc_text, S) /* JSON: what the worker needs of the configuration; first */           \
    IPC(JOB, ipc_text, S)  /* id, specification as JSON; before its first lease or file */         \
    IPC(JOB_GONE, ipc_number,                                                                      \
        S)                   /* no lease of this job will come any more: say LEFT for its file */  \
    IPC(LEASE, ipc_lease, S) /* fetch this URL */                                                  \
    IPC(FILE, ipc_file, S)   /* the job's next WARC file; carries a descriptor */                  \
    IPC(REVOKE, ipc_number, S)  /* drop the job's leases, records and files; say REVOKED */        \
    IPC(RESOLVE, ipc_text, S)   /* id = host: look its address up, say ADDR */                     \
    IPC(DROP, ipc_number, S)    /* id = host: close all its idle connections */                    \
    IPC(STOP, ipc_number, S)    /* id = host: send nothing of what you hold for it: NOCONN */      \
    IPC(HEARD, ipc_number, S)   /* id = host: its BUSY is known; leases may be sent again */       \
    IPC(DRAIN, ipc_number, S)   /* end when no lease is left */                                    \
    IPC(READY, ipc_number, W)   /* id = how many leases it can hold at once */                     \
    IPC(SLOTS, ipc_number, W)   /* the same, changed (memory, a full store queue) */               \
    IPC(BEAT, ipc_number, W)    /* once a second; id = leases held */                              \
    IPC(SENT, ipc_number, W)    /* id = lease: its request was acknowledged or answered */         \
    IPC(BUSY, ipc_busy, W)      /* 429 or 503 was read; the lease goes on. Until HEARD, NOCONN */  \
    IPC(DONE, ipc_end, W)       /* the lease ends with this row */                                 \
    IPC(AGAIN, ipc_end, W)      /* it goes on at `next` (a redirect); its record is written */     \
    IPC(RETRY, ipc_end, W)      /* failed, and another attempt is worth it; nothing stored */      \
    IPC(BACK, ipc_end, W)       /* the end of a lease that was BUSY: no attempt was made */        \
    IPC(NOCONN, ipc_end, W)     /* the kept connection is gone: nothing was sent, turn returned */ \
    IPC(WFAIL, ipc_end, W)      /* its record could not be written; the file is finished with */   \
    IPC(LEFT, ipc_number, W)    /* id = job << 32 | file: never written again */                   \
    IPC(REVOKED, ipc_number, W) /* id = job */                                                     \
    IPC(ADDR, ipc_addr, W)      /* answer to RESOLVE; it changed */                                \
    IPC(IDLE_GONE, ipc_number, W) /* id = host: one of its idle connections cannot be used */      \
    IPC(CLOSED, ipc_number, W)    /* id = host: one connection is gone, surely at both ends */

enum ipc_type {
    IPC_NONE,
#define IPC(symbol, ...) IPC_##symbol,
    IPC_MESSAGES(IPC)
#undef IPC
    IPC_TYPE_COUNT
};

struct ipc_head {
    uint32_t size; /* whole message, a multiple of 8 */
    uint16_t type; /* enum ipc_type */
    uint16_t zero;
};

struct ipc_number {
    struct ipc_head head;
    uint64_t id;
};

struct ipc_text {
    struct ipc_head head;
    uint64_t id;
    uint32_t text_len;
    uint32_t more; /* 1: the text goes on in the next message of this type and id */
    char text[];
};

/* How the request may travel. */
enum grant {
    GRANT_FREE, /* host without limits: any connection, kept or new */
    GRANT_OPEN, /* open one; the supervisor has counted it */
    GRANT_KEPT, /* on an idle connection of this host; never opens one */
};

struct ipc_lease {
    struct ipc_head head;
    uint64_t lease;
    uint64_t seq;
    uint32_t job, host;
    uint16_t url_len;
    uint8_t grant;     /* enum grant */
    uint8_t hop;       /* redirects behind it */
    uint8_t attempt;   /* from 1 */
    uint8_t last;      /* 1: no further attempt: what comes now is the result */
    uint8_t tell_sent; /* 1: say SENT */
    uint8_t limited;   /* 1: count connections: say IDLE_GONE and CLOSED for this host */
    uint8_t foreign;   /* 1: not the origin of the URL given: no headers of the job */
    uint8_t as_get;    /* 1: a redirect made it a GET without body */
    uint8_t bound;     /* 1: connections of `address` are counted: connect to no other one */
    uint8_t address[16]; /* what the host was said to be; IPv4 as ::ffff:a.b.c.d */
    char url[];        /* canonical */
};

struct ipc_file {
    struct ipc_head head;
    uint32_t job, file;
    uint32_t name_len;
    uint32_t zero;
    char name[]; /* its final name, as rows give it */
};

/* The end of a lease. `tail` are members of the row behind url and outcome, `"status":200,...`,
 * without braces; the supervisor writes what stands before. */
struct ipc_end {
    struct ipc_head head;
    uint64_t lease;
    uint64_t wire_bytes;   /* received */
    uint64_t end;          /* of the record(s) in the file, bytes */
    uint32_t file;         /* 0: no record */
    uint16_t status;       /* 0: no response */
    uint16_t tail_len;
    uint16_t next_len;     /* AGAIN: the redirect's target */
    uint8_t outcome;       /* enum outcome; DONE only */
    uint8_t reason;        /* enum reason */
    uint8_t kept;          /* the connection stays open, idle */
    uint8_t zero;
    uint16_t err;          /* WFAIL: errno of the write */
    uint32_t zero2;
    char data[];           /* tail, next */
};

struct ipc_busy {
    struct ipc_head head;
    uint64_t lease;
    uint32_t host;
    uint32_t retry_after_s; /* what the server asked for; 0: nothing */
    uint16_t status;        /* 429 or 503 */
    uint8_t zero[6];
};

struct ipc_addr {
    struct ipc_head head;
    uint32_t host;
    uint8_t family;      /* 4 or 6; 0: no address, see reason */
    uint8_t reason;      /* enum reason */
    uint8_t zero[2];
    uint8_t address[16]; /* network order; the first to be tried */
};

struct ipc {
    int fd;              /* owned; non-blocking */
    bool worker_speaks;  /* this end reads what a worker says */
    struct buf in, out;
    int fds[IPC_FDS_MAX]; /* received, in order */
    int fd_count;
    struct buf out_fds;   /* struct ipc_out_fd, owned: to go with their messages, in order */
    uint64_t out_at;      /* of the stream: where `out` begins */
};

struct ipc_out_fd {
    uint64_t at; /* of the stream: its message's first byte */
    int fd;
};

/* take_fd: one end of a socketpair(AF_UNIX, SOCK_STREAM). */
void ipc_init(struct ipc *c, int take_fd, bool worker_speaks);
void ipc_done(struct ipc *c);

/* Room for a message of the type with `extra` bytes behind its struct, zeroed and with its head
 * filled in; valid until the next call. The whole must not exceed IPC_MESSAGE_MAX. */
void *ipc_add(struct ipc *c, enum ipc_type type, size_t extra);
void ipc_add_number(struct ipc *c, enum ipc_type type, uint64_t id);

/* A text of any length, in as many messages as it takes. */
void ipc_add_text(struct ipc *c, enum ipc_type type, uint64_t id, const char *text, size_t len);

/* Adds a FILE with its descriptor (borrowed: it is duplicated). 0 or -errno. */
int ipc_add_file(struct ipc *c, uint32_t job, uint32_t file, const char *name, int fd);

/* Writes what it can. 0 all written, 1 some is left (wait for writable), -errno. */
int ipc_flush(struct ipc *c);

/* Reads what there is, at most 1 MiB. 0, 1 end of file, -errno. */
int ipc_fill(struct ipc *c);

/* The next whole message: 1 and *ret_message (valid until the next ipc_fill), 0 none yet, -EPROTO. */
int ipc_next(struct ipc *c, const struct ipc_head **ret_message);

/* The descriptor that came with the FILE just read; -1 if none came. The caller owns it. */
int ipc_take_fd(struct ipc *c);

const char *ipc_name(enum ipc_type type);

#endif
