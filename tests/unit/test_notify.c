/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/supervisor/notify.h"
#include "tests/unit/unit.h"

/* A service manager: a bound datagram socket; @name is abstract. */
static int manager(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, name, strlen(name));
    if (*name == '@')
        *at.sun_path = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, len), 0);
    return fd;
}

static const char *heard(int fd)
{
    static char text[1024];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static void check_news(const char *name)
{
    struct notify n;
    int fd = manager(name);
    ck_assert_int_eq(notify_init(&n, name), 0);
    notify_ready(&n);
    ck_assert_str_eq(heard(fd), "READY=1");
    notify_status(&n, "%d jobs\nREADY=1", 3);
    ck_assert_str_eq(heard(fd), "STATUS=3 jobs READY=1");
    notify_extend(&n, 1500);
    ck_assert_str_eq(heard(fd), "EXTEND_TIMEOUT_USEC=1500000");
    notify_stopping(&n);
    ck_assert_str_eq(heard(fd), "STOPPING=1");
    ck_assert_str_eq(heard(fd), "");
    notify_done(&n);
    close(fd);
}

START_TEST(news_reach_a_socket_with_a_path)
{
    char dir[] = "/tmp/test_notifyXXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/socket", dir);
    check_news(path);
    unlink(path);
    rmdir(dir);
}
END_TEST

START_TEST(news_reach_an_abstract_socket)
{
    char name[64];
    snprintf(name, sizeof name, "@test_notify/%d", (int)getpid());
    check_news(name);
}
END_TEST

START_TEST(without_a_listener_nothing_is_said_and_nothing_breaks)
{
    struct notify n;
    char longest[200] = "/";
    memset(longest + 1, 'a', 150);
    ck_assert_int_eq(notify_init(&n, NULL), 0);
    notify_ready(&n);
    ck_assert_int_eq(notify_init(&n, ""), 0);
    ck_assert_int_eq(notify_init(&n, "relative"), -EINVAL);
    ck_assert_int_eq(notify_init(&n, longest), -EINVAL);
    ck_assert_int_eq(notify_init(&n, "/nonexistent/socket"), -ENOENT);
    notify_status(&n, "nobody");
    notify_done(&n);
}
END_TEST

START_TEST(a_full_or_vanished_socket_never_blocks)
{
    struct notify n;
    char name[64];
    snprintf(name, sizeof name, "@test_notify_full/%d", (int)getpid());
    int fd = manager(name);
    ck_assert_int_eq(notify_init(&n, name), 0);
    for (int i = 0; i < 10000; i++)
        notify_ready(&n);
    close(fd);
    notify_ready(&n);
    notify_done(&n);
}
END_TEST

UNIT_TESTS("notify", news_reach_a_socket_with_a_path, news_reach_an_abstract_socket,
           without_a_listener_nothing_is_said_and_nothing_breaks,
           a_full_or_vanished_socket_never_blocks)
