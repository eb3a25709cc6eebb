/* SPDX-License-Identifier: MIT */
/* A store on a real loop with real files. Every capture is allocated, and freed by its done. */
#include <check.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/sha1.h"
#include "common/xalloc.h"
#include "daemon/store/store.h"
#include "daemon/store/warcread.h"
#include "tests/unit/unit.h"

#define SEEN_MAX 4096

static struct {
    struct ev_loop *loop;
    struct store *store;
    volatile uint64_t blame;
    char dir[32];
    int expected, count;
    struct {
        uint64_t lease, offset, end, length;
        uint32_t file;
        int err;
        char name[32];
    } seen[SEEN_MAX]; /* captures, in the order of their done */
    uint32_t left[64], left_after[64];
    int left_count;
    int revoked_after; /* captures done before; -1 */
} t;

static void on_left(void *owner, uint32_t job, uint32_t file)
{
    ck_assert_ptr_eq(owner, &t);
    t.left_after[t.left_count] = (uint32_t)t.count;
    t.left[t.left_count++] = file;
}

static void on_revoked(void *owner, uint32_t job)
{
    t.revoked_after = t.count;
    if (t.count == t.expected)
        ev_break(t.loop, EVBREAK_ALL);
}

static void on_done(struct capture *c)
{
    ck_assert_int_lt(t.count, SEEN_MAX);
    t.seen[t.count].lease = c->lease;
    t.seen[t.count].offset = c->offset;
    t.seen[t.count].end = c->end;
    t.seen[t.count].length = c->length;
    t.seen[t.count].file = c->file;
    t.seen[t.count].err = c->err;
    if (c->file_name)
        strcpy(t.seen[t.count].name, c->file_name);
    t.count++;
    buf_done(&c->request);
    buf_done(&c->response);
    free(c);
    if (t.count == t.expected)
        ev_break(t.loop, EVBREAK_ALL);
}

static void start(void)
{
    static const struct store_ops ops = {.left = on_left};
    strcpy(t.dir, "/tmp/test_store.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t.dir));
    t.loop = ev_loop_new(EVFLAG_AUTO);
    t.store = store_new(t.loop, &ops, &t, &t.blame);
    t.revoked_after = -1;
}

static void stop(void)
{
    store_free(t.store);
    ev_loop_destroy(t.loop);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", t.dir);
    ck_assert_int_eq(system(command), 0);
}

static void job(uint32_t id, bool gzip)
{
    store_job(t.store, &(struct store_job){.job = id, .gzip = gzip, .software = "crawld/test"});
}

static const char *path(uint32_t file)
{
    static char text[64];
    snprintf(text, sizeof text, "%s/%u", t.dir, file);
    return text;
}

static void file(uint32_t job_id, uint32_t file_id)
{
    char name[16];
    snprintf(name, sizeof name, "%u.warc", file_id);
    int fd = open(path(file_id), O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    store_file(t.store, job_id, file_id, name, fd);
}

static void put_sized(uint32_t job_id, uint64_t lease, size_t body)
{
    struct capture *c = xcalloc(1, sizeof *c);
    c->job = job_id;
    c->lease = lease;
    c->url = "http://example.com/";
    c->url_len = 19;
    c->ip = "192.0.2.1";
    c->wall_ns = INT64_C(1763636717123000000);
    c->done = on_done;
    buf_adds(&c->request, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    buf_addf(&c->response, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);
    for (size_t i = 0; i < body; i++)
        buf_addc(&c->response, (char)(lease + i * i));
    sha1_of(buf_data(&c->response) + buf_len(&c->response) - body, body, c->payload_sha1);
    c->has_payload = true;
    store_put(t.store, c);
}

static void put(uint32_t job_id, uint64_t lease)
{
    put_sized(job_id, lease, 100);
}

/* Runs the loop until so many captures are done. */
static void run_until(int expected)
{
    t.expected = expected;
    if (t.count < expected)
        ev_run(t.loop, 0);
    ck_assert_int_eq(t.count, expected);
}

/* One turn of the loop, so that the thread gets what was put; without waiting for it. */
static void turn(void)
{
    ev_run(t.loop, EVRUN_NOWAIT);
}

static void read_whole(uint32_t file_id, struct buf *ret_bytes)
{
    int fd = open(path(file_id), O_RDONLY | O_CLOEXEC);
    ssize_t n;
    while ((n = read(fd, buf_reserve(ret_bytes, 65536), 65536)) > 0)
        buf_grew(ret_bytes, (size_t)n);
    close(fd);
}

/* Every good capture points at a response record followed by its request record; returns how many
 * are in that file. */
static int check_plain(uint32_t file_id)
{
    struct buf b = {0};
    int found = 0;
    uint64_t end = 0;
    read_whole(file_id, &b);
    for (int i = 0; i < t.count; i++) {
        if (t.seen[i].err || t.seen[i].file != file_id)
            continue;
        const char *p = buf_data(&b) + t.seen[i].offset;
        ck_assert_uint_le(t.seen[i].end, buf_len(&b));
        ck_assert_uint_ge(t.seen[i].offset, end);
        end = t.seen[i].end;
        ck_assert_int_eq(strncmp(p, "WARC/1.1\r\nWARC-Type: response\r\n", 31), 0);
        ck_assert_int_eq(strncmp(p + t.seen[i].length, "WARC/1.1\r\nWARC-Type: request\r\n", 30),
                         0);
        ck_assert_int_eq(strncmp(buf_data(&b) + end - 4, "\r\n\r\n", 4), 0);
        found++;
    }
    ck_assert_uint_eq(end, buf_len(&b));
    buf_done(&b);
    return found;
}

START_TEST(captures_are_written_and_done_in_the_order_they_were_put)
{
    start();
    job(1, false);
    file(1, 7);
    for (uint64_t i = 0; i < 2000; i++) {
        put_sized(1, i, i % 700);
        if (i % 37 == 0)
            turn();
    }
    run_until(2000);
    for (int i = 0; i < 2000; i++) {
        ck_assert_uint_eq(t.seen[i].lease, (uint64_t)i);
        ck_assert_int_eq(t.seen[i].err, 0);
        ck_assert_str_eq(t.seen[i].name, "7.warc");
    }
    ck_assert_int_eq(check_plain(7), 2000);
    ck_assert_uint_eq(store_queued_bytes(t.store), 0);
    ck_assert_uint_eq(t.blame, 0);
    stop();
}
END_TEST

START_TEST(jobs_that_take_turns_keep_to_their_files)
{
    start();
    for (uint32_t j = 1; j <= 5; j++) {
        job(j, false);
        file(j, j);
    }
    for (uint64_t i = 0; i < 1000; i++)
        put(1 + (uint32_t)(i * i % 5), i);
    run_until(1000);
    int found = 0;
    for (uint32_t j = 1; j <= 2; j++)
        found += check_plain(j);
    ck_assert_int_eq(found + check_plain(5), 1000);
    stop();
}
END_TEST

START_TEST(an_unused_file_stays_empty_and_is_left_for_the_next)
{
    start();
    job(1, false);
    file(1, 1);
    file(1, 2);
    put(1, 1);
    run_until(1);
    struct buf b = {0};
    read_whole(1, &b);
    ck_assert_uint_eq(buf_len(&b), 0);
    ck_assert_int_eq(t.left_count, 1);
    ck_assert_uint_eq(t.left[0], 1);
    ck_assert_uint_eq(t.seen[0].file, 2);
    buf_done(&b);
    stop();
}
END_TEST

START_TEST(the_old_file_is_left_after_all_its_captures_are_done)
{
    start();
    job(1, false);
    file(1, 1);
    for (uint64_t i = 0; i < 300; i++) {
        put(1, i);
        if (i % 100 == 99)
            file(1, 2 + (uint32_t)i / 100);
    }
    put(1, 300);
    run_until(301);
    ck_assert_int_eq(t.left_count, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(t.left[i], (uint32_t)i + 1);
        ck_assert_uint_eq(t.left_after[i], 100 * ((uint32_t)i + 1));
        ck_assert_int_eq(check_plain((uint32_t)i + 1), 100);
    }
    stop();
}
END_TEST

START_TEST(captures_wait_for_a_file)
{
    start();
    job(1, false);
    put(1, 1);
    put(1, 2);
    put(1, 3);
    turn();
    usleep(20000);
    turn();
    ck_assert_int_eq(t.count, 0);
    ck_assert_uint_gt(store_queued_bytes(t.store), 200);
    file(1, 9);
    run_until(3);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(t.seen[i].lease, (uint64_t)i + 1);
    ck_assert_int_eq(check_plain(9), 3);
    stop();
}
END_TEST

START_TEST(a_full_disk_fails_what_does_not_fit_and_ends_the_file)
{
    start();
    signal(SIGXFSZ, SIG_IGN);
    job(1, false);
    file(1, 1);
    const struct rlimit limit = {50000, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (uint64_t i = 0; i < 200; i++)
        put(1, i);
    run_until(200);
    int good = 0;
    while (good < 200 && !t.seen[good].err)
        good++;
    ck_assert_int_gt(good, 10);
    ck_assert_int_lt(good, 100);
    for (int i = good; i < 200; i++) {
        ck_assert(t.seen[i].err == -ENOSPC || t.seen[i].err == -EFBIG);
        ck_assert_uint_eq(t.seen[i].file, 1);
    }
    put(1, 200);
    turn();
    file(1, 2);
    run_until(201);
    ck_assert_int_eq(t.seen[200].err, 0);
    ck_assert_uint_eq(t.seen[200].file, 2);
    ck_assert_int_eq(check_plain(2), 1);
    ck_assert_int_eq(t.left_count, 0);
    stop();
}
END_TEST

/* All records of the file are whole and the responses lie where the captures say. */
static void check_records(uint32_t file_id)
{
    struct warcread *w;
    struct warc_record r;
    int fd = open(path(file_id), O_RDONLY | O_CLOEXEC), next, responses = 0;
    ck_assert_int_eq(warcread_new(fd, &w), 0);
    while ((next = warcread_next(w, &r)) == 1) {
        ck_assert(r.digest_ok);
        if (strcmp(r.type, "response"))
            continue;
        ck_assert_uint_eq(r.offset, t.seen[responses].offset);
        ck_assert_uint_eq(r.stored_bytes, t.seen[responses].length);
        responses++;
    }
    ck_assert_int_eq(next, 0);
    ck_assert_int_eq(responses, t.count);
    warcread_free(w);
    close(fd);
}

/* Of `step` 0 compressible, else not. */
static void put_large(uint64_t lease, size_t bytes, unsigned step)
{
    struct capture *c = xcalloc(1, sizeof *c);
    c->job = 1;
    c->lease = lease;
    c->url = "http://example.com/";
    c->url_len = 19;
    c->done = on_done;
    buf_adds(&c->request, "GET / HTTP/1.1\r\n\r\n");
    buf_adds(&c->response, "HTTP/1.1 200 OK\r\n\r\n");
    size_t head = buf_len(&c->response);
    char *to = buf_reserve(&c->response, bytes);
    for (size_t i = 0, x = 1; i < bytes; i++)
        to[i] = (char)((x = x * 6364136223846793005u + step) >> 56 & (step ? 255 : 0));
    buf_grew(&c->response, bytes);
    sha1_of(buf_data(&c->response) + head, bytes, c->payload_sha1);
    c->has_payload = true;
    store_put(t.store, c);
}

START_TEST(records_of_any_size_are_whole)
{
    static const size_t sizes[] = {100, 3 << 20, 100, 1 << 20, (1 << 20) + 1, 5000000, 200000};
    for (int gzip = 0; gzip < 2; gzip++) {
        start();
        job(1, gzip);
        file(1, 1);
        t.count = 0;
        for (uint64_t i = 0; i < 28; i++)
            put_large(i, sizes[i / 2 % 7], i % 2 ? 1442695041 : 0);
        run_until(28);
        for (int i = 0; i < 28; i++)
            ck_assert_int_eq(t.seen[i].err, 0);
        check_records(1);
        stop();
    }
}
END_TEST

START_TEST(a_large_record_that_does_not_fit_is_told_and_ends_the_file)
{
    start();
    signal(SIGXFSZ, SIG_IGN);
    job(1, true);
    file(1, 1);
    const struct rlimit limit = {3000000, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    put_large(0, 100, 0);
    put_large(1, 2000000, 1);
    put_large(2, 2000000, 1);
    put_large(3, 100, 0);
    turn();
    run_until(3);
    ck_assert_int_eq(t.seen[0].err, 0);
    ck_assert_int_eq(t.seen[1].err, 0);
    ck_assert_int_ne(t.seen[2].err, 0);
    ck_assert_uint_eq(t.seen[2].file, 1);
    file(1, 2);
    run_until(4);
    ck_assert_uint_eq(t.seen[3].lease, 3);
    ck_assert_int_eq(t.seen[3].err, 0);
    ck_assert_uint_eq(t.seen[3].file, 2);
    ck_assert_int_eq(t.left_count, 0);
    stop();
}
END_TEST

static void full_file(uint32_t file_id)
{
    store_file(t.store, 1, file_id, "full", open("/dev/full", O_WRONLY | O_APPEND | O_CLOEXEC));
}

START_TEST(a_failed_file_is_not_left_and_later_captures_wait_for_the_next)
{
    start();
    job(1, true);
    full_file(5);
    put(1, 1);
    run_until(1);
    ck_assert_int_eq(t.seen[0].err, -ENOSPC);
    ck_assert_uint_eq(t.seen[0].file, 5);
    put(1, 2);
    turn();
    file(1, 6);
    run_until(2);
    full_file(7);
    put(1, 3);
    run_until(3);
    file(1, 8);
    put(1, 4);
    run_until(4);
    ck_assert_uint_eq(t.seen[1].file, 6);
    ck_assert_int_eq(t.seen[2].err, -ENOSPC);
    ck_assert_uint_eq(t.seen[3].file, 8);
    ck_assert_int_eq(t.left_count, 1);
    ck_assert_uint_eq(t.left[0], 6);
    stop();
}
END_TEST

START_TEST(revoke_voids_what_was_put_before_and_nothing_after)
{
    start();
    job(1, true);
    job(2, false);
    file(1, 1);
    file(2, 2);
    for (uint64_t i = 0; i < 500; i++) {
        put_sized(1, i, 20000);
        if (i % 50 == 0) {
            put(2, 10000 + i);
            turn();
        }
    }
    int before = t.count;
    store_revoke(t.store, 1, on_revoked);
    put(1, 500);
    file(1, 3);
    run_until(511);
    ck_assert_int_ge(t.revoked_after, 500);
    ck_assert_int_eq(t.left_count, 0);
    for (int i = before; i < 511; i++)
        if (t.seen[i].lease < 500)
            ck_assert_int_eq(t.seen[i].err, -ECANCELED);
        else
            ck_assert_int_eq(t.seen[i].err, 0);
    ck_assert_uint_eq(t.seen[510].lease, 500);
    ck_assert_uint_eq(t.seen[510].file, 3);
    ck_assert_int_eq(check_plain(2), 10);
    stop();
}
END_TEST

START_TEST(revoke_is_answered_for_unknown_and_idle_jobs)
{
    start();
    job(1, false);
    put(1, 1);
    turn();
    store_revoke(t.store, 99, on_revoked);
    store_revoke(t.store, 1, on_revoked);
    t.expected = 1;
    ev_run(t.loop, 0);
    ck_assert_int_eq(t.seen[0].err, -ECANCELED);
    while (t.revoked_after < 1)
        ev_run(t.loop, EVRUN_ONCE);
    stop();
}
END_TEST

START_TEST(a_gone_job_leaves_its_file_and_cancels_who_waits)
{
    start();
    job(1, false);
    file(1, 1);
    put(1, 1);
    store_job_gone(t.store, 1);
    job(2, false);
    put(2, 2);
    store_job_gone(t.store, 2);
    put(2, 3);
    run_until(3);
    ck_assert_int_eq(t.seen[0].err, 0);
    ck_assert_int_eq(t.left_count, 1);
    ck_assert_int_eq(t.seen[1].err, -ECANCELED);
    ck_assert_int_eq(t.seen[2].err, -ECANCELED);
    stop();
}
END_TEST

static void on_done_of_array(struct capture *c)
{
    t.count++;
}

START_TEST(can_be_freed_while_busy)
{
    start();
    static struct capture many[200];
    job(1, true);
    job(2, true);
    file(1, 1);
    for (int i = 0; i < 200; i++) {
        many[i] = (struct capture){.job = 1 + (uint32_t)i % 2, .url = "http://a/", .url_len = 9};
        many[i].done = on_done_of_array;
        store_put(t.store, &many[i]);
        if (i == 100)
            turn();
    }
    store_revoke(t.store, 2, on_revoked);
    store_job_gone(t.store, 1);
    stop();
    ck_assert_int_lt(t.count, 200);
}
END_TEST

UNIT_TESTS("store", captures_are_written_and_done_in_the_order_they_were_put,
           jobs_that_take_turns_keep_to_their_files,
           an_unused_file_stays_empty_and_is_left_for_the_next,
           the_old_file_is_left_after_all_its_captures_are_done, captures_wait_for_a_file,
           a_full_disk_fails_what_does_not_fit_and_ends_the_file, records_of_any_size_are_whole,
           a_large_record_that_does_not_fit_is_told_and_ends_the_file,
           a_failed_file_is_not_left_and_later_captures_wait_for_the_next,
           revoke_voids_what_was_put_before_and_nothing_after,
           revoke_is_answered_for_unknown_and_idle_jobs,
           a_gone_job_leaves_its_file_and_cancels_who_waits, can_be_freed_while_busy)
