/* SPDX-License-Identifier: MIT */
/* Who may do what on the control socket. Names are looked up once, at the start, so that no file is
 * read on the loop; a peer's user and groups come from the kernel. */
#ifndef SUPERVISOR_RIGHTS_H
#define SUPERVISOR_RIGHTS_H

#include <sys/types.h>

#include "common/options.h"
#include "daemon/supervisor/control.h"

struct rights_list {
    uid_t *users;  /* owned */
    gid_t *groups; /* owned */
    size_t users_count, groups_count;
};

struct rights {
    struct rights_list lists[LEVEL_ADMIN + 1]; /* by level */
    struct rights_list robots;                 /* who may say robots: ignore */
    enum level robots_level;                   /* and who has at least this level */
};

/* "none", "read", "operate", "admin". */
const char *level_name(enum level level);

void rights_init(struct rights *r, const struct options *o);
void rights_done(struct rights *r);

/* The level of the peer; LEVEL_NONE if it cannot be known. The daemon's own user and root are
 * admins. */
enum level rights_level(const struct rights *r, int fd);

bool rights_ignore_robots(const struct rights *r, int fd, enum level level);

#endif
