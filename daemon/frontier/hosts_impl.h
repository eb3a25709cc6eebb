/* SPDX-License-Identifier: MIT */
/* What host.c, hosts.c, places.c and group.c share. */
#ifndef FRONTIER_HOSTS_IMPL_H
#define FRONTIER_HOSTS_IMPL_H

#include "daemon/frontier/host.h"

/* places.c: the one function that moves a host. `list` is where it goes, NULL where it is in none.
 */
void host_move(struct hosts *h, struct host *host, enum host_place place, struct list *list);

/* To HOST_TIMED or HOST_BLOCKED_TILL. */
void host_move_timed(struct hosts *h, struct host *host, enum host_place place, int64_t due_ns);

/* group.c */
struct host_group *group_get(struct hosts *h, const uint8_t address[16]);

/* Its waiting hosts are to be looked at: something has changed. NULL is accepted. */
void group_look(struct hosts *h, struct host_group *g);

/* It has been looked at, and found full. */
void group_seen(struct host_group *g);

/* Nothing new before then; calls come in order of time. */
void group_hold(struct hosts *h, struct host_group *g, int64_t until_ns);

/* Ends the holds whose time has come; when the next does (INT64_MAX: none). */
int64_t groups_tick(struct hosts *h, int64_t now_ns);

/* The host that waits longest for a group that is to be looked at; NULL: none. */
struct host *groups_first(struct hosts *h);

/* A host that can give its idle connections away; NULL: none. */
struct host *group_idle(const struct host_group *g);

/* Does a host other than this wait for its address? */
bool group_others_wait(const struct host *host);

void host_set_idle(struct host *host, unsigned idle);

#endif
