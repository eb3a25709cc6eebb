/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/rights.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"

#define GROUPS_MAX 1024

const char *level_name(enum level level)
{
    static const char *const names[] = {"none", "read", "operate", "admin"};
    return names[level];
}

/* robots_ignore may name the other lists. */
static enum level level_called(const char *name)
{
    return !strcmp(name, "readers")     ? LEVEL_READ
           : !strcmp(name, "operators") ? LEVEL_OPERATE
           : !strcmp(name, "admins")    ? LEVEL_ADMIN
                                        : LEVEL_NONE;
}

static void list_init_from(struct rights_list *l, const struct option_list *names)
{
    *l = (struct rights_list){0};
    l->users = xcalloc(names->count + 1, sizeof *l->users);
    l->groups = xcalloc(names->count + 1, sizeof *l->groups);
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->v[i];
        if (level_called(name) != LEVEL_NONE)
            continue;
        const struct group *g = *name == '@' ? getgrnam(name + 1) : NULL;
        const struct passwd *p = *name == '@' ? NULL : getpwnam(name);
        if (g)
            l->groups[l->groups_count++] = g->gr_gid;
        else if (p)
            l->users[l->users_count++] = p->pw_uid;
        else
            log_info("no such user or group name=%s", name);
    }
}

static void list_free(struct rights_list *l)
{
    free(l->users);
    free(l->groups);
}

void rights_init(struct rights *r, const struct options *o)
{
    *r = (struct rights){0};
    list_init_from(&r->lists[LEVEL_READ], &o->readers);
    list_init_from(&r->lists[LEVEL_OPERATE], &o->operators);
    list_init_from(&r->lists[LEVEL_ADMIN], &o->admins);
    list_init_from(&r->robots, &o->robots_ignore);
    r->robots_level = LEVEL_ADMIN;
    for (size_t i = 0; i < o->robots_ignore.count; i++) {
        enum level level = level_called(o->robots_ignore.v[i]);
        if (level != LEVEL_NONE && level < r->robots_level)
            r->robots_level = level;
    }
}

void rights_done(struct rights *r)
{
    for (int level = 0; level <= LEVEL_ADMIN; level++)
        list_free(&r->lists[level]);
    list_free(&r->robots);
}

static bool holds(const struct rights_list *l, uid_t user, const gid_t *groups, size_t count)
{
    for (size_t i = 0; i < l->users_count; i++)
        if (l->users[i] == user)
            return true;
    for (size_t i = 0; i < l->groups_count; i++)
        for (size_t k = 0; k < count; k++)
            if (l->groups[i] == groups[k])
                return true;
    return false;
}

struct peer {
    uid_t user;
    gid_t groups[GROUPS_MAX + 1];
    size_t groups_count;
};

static bool peer_of(int fd, struct peer *ret_peer)
{
    struct ucred cred;
    socklen_t n = sizeof cred, bytes = GROUPS_MAX * sizeof *ret_peer->groups;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
        return false;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ret_peer->groups, &bytes) < 0)
        bytes = 0;
    ret_peer->user = cred.uid;
    ret_peer->groups_count = bytes / sizeof *ret_peer->groups;
    ret_peer->groups[ret_peer->groups_count++] = cred.gid;
    return true;
}

enum level rights_level(const struct rights *r, int fd)
{
    struct peer p;
    if (!peer_of(fd, &p))
        return LEVEL_NONE;
    if (p.user == 0 || p.user == geteuid())
        return LEVEL_ADMIN;
    for (enum level level = LEVEL_ADMIN; level > LEVEL_NONE; level--)
        if (holds(&r->lists[level], p.user, p.groups, p.groups_count))
            return level;
    return LEVEL_NONE;
}

bool rights_ignore_robots(const struct rights *r, int fd, enum level level)
{
    struct peer p;
    return level >= r->robots_level ||
           (peer_of(fd, &p) && holds(&r->robots, p.user, p.groups, p.groups_count));
}
