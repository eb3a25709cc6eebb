/* SPDX-License-Identifier: MIT */
/* The connections of one origin process: an epoll loop with a heap of delayed answers. */
#ifndef SERVERS_CONN_H
#define SERVERS_CONN_H

#include <signal.h>
#include <stddef.h>

/* Serves the listening sockets until *stop is set by a signal handler; wait_mask lets that signal
 * in while waiting. 0 or -errno. */
int conn_serve(const int *listeners, size_t listener_count, const volatile sig_atomic_t *stop,
               const sigset_t *wait_mask);

#endif
