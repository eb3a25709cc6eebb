/* SPDX-License-Identifier: MIT */
/* News for the service manager: the datagrams of sd_notify(3). Without $NOTIFY_SOCKET nothing is
 * said. Never blocks: a full socket loses the news. */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

#include <stdint.h>

struct notify {
    int fd; /* owned, connected; -1: nobody listens */
};

/* socket: $NOTIFY_SOCKET or NULL; a path, or @name for an abstract one. 0 or -errno; then, too,
 * the others may be called and do nothing. */
int notify_init(struct notify *n, const char *socket);
void notify_done(struct notify *n);

void notify_ready(struct notify *n);
void notify_stopping(struct notify *n);

/* One line for `systemctl status`; line breaks in it become spaces. */
void notify_status(struct notify *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Start or stop may take this much longer, from now. */
void notify_extend(struct notify *n, int64_t ms);

#endif
