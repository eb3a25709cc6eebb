/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/ipc.h"
#include "tests/unit/unit.h"

static struct ipc supervisor, worker;

static void open_pair(void)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    ipc_init(&supervisor, fds[0], true);
    ipc_init(&worker, fds[1], false);
}

static void close_pair(void)
{
    ipc_done(&supervisor);
    ipc_done(&worker);
}

static const struct ipc_head *must_next(struct ipc *c)
{
    const struct ipc_head *m = NULL;
    int r = ipc_next(c, &m);
    if (r == 0) {
        ck_assert_int_eq(ipc_fill(c), 0);
        r = ipc_next(c, &m);
    }
    ck_assert_int_eq(r, 1);
    return m;
}

START_TEST(long_texts_arrive_whole_in_several_messages)
{
    open_pair();
    size_t n = 150000;
    char *text = malloc(n);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i % 26);
    ipc_add_text(&supervisor, IPC_JOB, 7, text, n);
    struct buf got = {0};
    for (bool more = true; more;) {
        ipc_flush(&supervisor);
        const struct ipc_text *m = (const void *)must_next(&worker);
        ck_assert_uint_eq(m->id, 7);
        buf_add(&got, m->text, m->text_len);
        more = m->more;
    }
    ck_assert_uint_eq(buf_len(&got), n);
    ck_assert_int_eq(memcmp(buf_data(&got), text, n), 0);
    buf_done(&got);
    free(text);
    close_pair();
}
END_TEST

START_TEST(a_descriptor_arrives_with_its_file_message_among_others)
{
    open_pair();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ipc_add_number(&supervisor, IPC_DROP, 1);
    ck_assert_int_eq(ipc_add_file(&supervisor, 3, 9, "000009-x.warc.gz", fd), 0);
    ipc_add_number(&supervisor, IPC_DROP, 2);
    ck_assert_int_eq(ipc_add_file(&supervisor, 3, 10, "b", fd), 0);
    ck_assert_int_eq(ipc_flush(&supervisor), 0);
    ck_assert_int_eq(must_next(&worker)->type, IPC_DROP);
    const struct ipc_file *m = (const void *)must_next(&worker);
    ck_assert_int_eq(m->head.type, IPC_FILE);
    ck_assert_int_eq(m->file, 9);
    ck_assert_int_eq(strncmp(m->name, "000009-x.warc.gz", m->name_len), 0);
    int got = ipc_take_fd(&worker);
    ck_assert_int_ge(fcntl(got, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(must_next(&worker)->type, IPC_DROP);
    ck_assert_int_eq(must_next(&worker)->type, IPC_FILE);
    close(ipc_take_fd(&worker));
    ck_assert_int_eq(ipc_take_fd(&worker), -1);
    close(got);
    close(fd);
    close_pair();
}
END_TEST

/* Fills the socket, so that nothing of what is added then can be written before it is read. */
static unsigned fill_socket(void)
{
    unsigned count = 0;
    do
        ipc_add_number(&supervisor, IPC_DROP, count++);
    while (!ipc_flush(&supervisor));
    return count;
}

START_TEST(many_descriptors_wait_for_a_slow_reader_and_each_comes_with_its_file)
{
    enum { FILES = 200 };
    open_pair();
    unsigned drops = fill_socket();
    for (unsigned i = 0; i < FILES; i++) {
        int fd = memfd_create("file", MFD_CLOEXEC);
        ck_assert_int_eq(write(fd, &i, sizeof i), sizeof i);
        ck_assert_int_eq(ipc_add_file(&supervisor, i, 1, "name", fd), 0);
        ipc_add_number(&supervisor, IPC_DROP, i);
        close(fd);
    }
    for (unsigned i = 0; i < drops; i++, ipc_flush(&supervisor))
        ck_assert_uint_eq(((const struct ipc_number *)must_next(&worker))->id, i);
    for (unsigned i = 0, held; i < FILES; i++) {
        const struct ipc_file *m = (const void *)must_next(&worker);
        ck_assert_int_eq(m->head.type, IPC_FILE);
        ck_assert_uint_eq(m->job, i);
        int fd = ipc_take_fd(&worker);
        ck_assert_int_eq(pread(fd, &held, sizeof held, 0), sizeof held);
        ck_assert_uint_eq(held, i);
        close(fd);
        ck_assert_uint_eq(((const struct ipc_number *)must_next(&worker))->id, i);
        ipc_flush(&supervisor);
    }
    close_pair();
}
END_TEST

START_TEST(descriptors_not_sent_are_closed)
{
    open_pair();
    int before = dup(0);
    close(before);
    fill_socket();
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(ipc_add_file(&supervisor, 1, 1, "name", 0), 0);
    int fds[2] = {supervisor.fd, worker.fd};
    close_pair();
    ck_assert_int_lt(fds[0], before);
    ck_assert_int_lt(fds[1], before);
    int after = fcntl(0, F_DUPFD, before);
    ck_assert_int_eq(after, before);
    close(after);
}
END_TEST

START_TEST(messages_cut_anywhere_arrive_the_same)
{
    open_pair();
    struct ipc out = {.fd = -1};
    for (int i = 0; i < 5; i++) {
        struct ipc_end *m = ipc_add(&out, IPC_DONE, 11);
        m->lease = (uint64_t)i;
        m->tail_len = 11;
        memcpy(m->data, "\"status\":20", 11);
    }
    int got = 0;
    for (size_t i = 0; i < buf_len(&out.out); i++) {
        ck_assert_int_eq(write(worker.fd, buf_data(&out.out) + i, 1), 1);
        ck_assert_int_eq(ipc_fill(&supervisor), 0);
        const struct ipc_head *m;
        while (ipc_next(&supervisor, &m) == 1)
            ck_assert_uint_eq(((const struct ipc_end *)m)->lease, (uint64_t)got++);
    }
    ck_assert_int_eq(got, 5);
    ipc_done(&out);
    close_pair();
}
END_TEST

static void must_refuse(const void *bytes, size_t n)
{
    open_pair();
    ck_assert_int_eq(write(worker.fd, bytes, n), (int)n);
    ck_assert_int_eq(ipc_fill(&supervisor), 0);
    const struct ipc_head *m;
    ck_assert_int_eq(ipc_next(&supervisor, &m), -EPROTO);
    close_pair();
}

START_TEST(what_a_worker_may_not_say_is_refused)
{
    struct ipc_end end = {.head = {.size = sizeof end, .type = IPC_DONE}, .tail_len = 9};
    must_refuse(&end, sizeof end); /* lengths do not add up */
    struct ipc_number n = {.head = {.size = sizeof n, .type = IPC_REVOKE}};
    must_refuse(&n, sizeof n); /* only the supervisor says that */
    n.head = (struct ipc_head){.size = sizeof n, .type = IPC_TYPE_COUNT};
    must_refuse(&n, sizeof n);
    n.head = (struct ipc_head){.size = 8, .type = IPC_BEAT};
    must_refuse(&n, sizeof n); /* shorter than its struct */
    n.head = (struct ipc_head){.size = IPC_MESSAGE_MAX + 8, .type = IPC_BEAT};
    must_refuse(&n, sizeof n);
}
END_TEST

START_TEST(a_descriptor_from_a_worker_is_refused)
{
    open_pair();
    worker.worker_speaks = false;
    ck_assert_int_eq(ipc_add_file(&worker, 1, 1, "x", worker.fd), 0);
    ck_assert_int_eq(ipc_flush(&worker), 0);
    ck_assert_int_eq(ipc_fill(&supervisor), -EPROTO);
    close_pair();
}
END_TEST

UNIT_TESTS("ipc", long_texts_arrive_whole_in_several_messages,
           a_descriptor_arrives_with_its_file_message_among_others,
           many_descriptors_wait_for_a_slow_reader_and_each_comes_with_its_file,
           descriptors_not_sent_are_closed, messages_cut_anywhere_arrive_the_same,
           what_a_worker_may_not_say_is_refused, a_descriptor_from_a_worker_is_refused)
