/* SPDX-License-Identifier: MIT */
/* A whole machine between a socket pair, on whose other end the test plays supervisor, and a server
 * of threads on loopback that does what the path says. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/ipc.h"
#include "daemon/fetch/machine.h"
#include "tests/unit/unit.h"

/* ---- the server ---- */

#define BIG_BYTES 300000

static const struct {
    const char *path, *answer;
    bool close; /* after the answer */
} pages[] = {
    {"/ok",
     "HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=\"UTF-8\"\r\nContent-Length: "
     "5\r\n\r\nhello",
     false},
    {"/once", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true},
    {"/close", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", true},
    {"/cut", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", true},
    {"/empty", "", true},
    {"/nonsense", "SSH-2.0-OpenSSH_9.2\r\n", true},
    {"/moved", "HTTP/1.1 302 Found\r\nLocation: ../ok?a#frag\r\nContent-Length: 0\r\n\r\n", false},
    {"/moved-badly", "HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
     false},
    {"/busy", "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 4\r\n\r\nbusy", false},
    {"/silent", NULL, false},
};

static void serve_big(int fd)
{
    static char block[4096];
    char head[64];
    int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG_BYTES);
    ck_assert(send(fd, head, (size_t)n, MSG_NOSIGNAL) > 0);
    for (int left = BIG_BYTES; left > 0; left -= (int)sizeof block)
        if (send(fd, block, (size_t)(left < 4096 ? left : 4096), MSG_NOSIGNAL) < 0)
            return;
}

/* False: close. */
static bool serve_one(int fd, const char *request)
{
    if (!strncmp(request, "GET /big", 8)) {
        serve_big(fd);
        return true;
    }
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        size_t n = strlen(pages[i].path);
        if (strncmp(request + 4, pages[i].path, n) || !strchr(" ?", request[4 + n]))
            continue;
        if (pages[i].answer)
            send(fd, pages[i].answer, strlen(pages[i].answer), MSG_NOSIGNAL);
        return !pages[i].close;
    }
    return false;
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char request[4096];
    size_t n = 0;
    ssize_t got;
    while ((got = recv(fd, request + n, sizeof request - 1 - n, 0)) > 0) {
        n += (size_t)got;
        request[n] = '\0';
        if (!strstr(request, "\r\n\r\n"))
            continue;
        if (!serve_one(fd, request))
            break;
        n = 0;
    }
    close(fd);
    return NULL;
}

static void *accept_all(void *arg)
{
    int listener = (int)(intptr_t)arg, fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd);
        pthread_detach(thread);
    }
    return NULL;
}

/* ---- the supervisor ---- */

static struct {
    struct ev_loop *loop;
    struct machine *m;
    struct stats_block stats;
    struct ipc worker, supervisor;
    pthread_t server;
    int listener, port;
    uint64_t lease;
    uint64_t said[IPC_TYPE_COUNT];
    enum ipc_type end_type; /* of the last lease that ended */
    struct ipc_end end;
    char *next;
    json_t *row;
} t;

static void server_start(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof sa;
    t.listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(t.listener, (struct sockaddr *)&sa, sizeof sa), 0);
    listen(t.listener, 64);
    getsockname(t.listener, (struct sockaddr *)&sa, &len);
    t.port = ntohs(sa.sin_port);
    pthread_create(&t.server, NULL, accept_all, (void *)(intptr_t)t.listener);
}

static void add_job(const char *spec)
{
    ck_assert_int_eq(machine_job(t.m, 1, spec, strlen(spec)), 0);
}

static void begin(const char *spec)
{
    int pair[2];
    struct machine_conf conf = {.user_agent = "test",
                                .contact = "",
                                .open_max = 100,
                                .memory_max = 1 << 30,
                                .dns_servers = "127.0.0.1:9"};
    ares_library_init(ARES_LIB_INIT_ALL);
    server_start();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    ipc_init(&t.worker, pair[0], false);
    ipc_init(&t.supervisor, pair[1], true);
    t.loop = ev_loop_new(0);
    t.m = malloc(sizeof *t.m);
    ck_assert_int_eq(machine_init(t.m, t.loop, &t.worker, &t.stats, &conf), 0);
    policy_allow(&t.m->policy, "127.0.0.0/8");
    add_job(spec);
}

static void end(void)
{
    machine_done(t.m);
    free(t.m);
    for (int i = 0; i < STATS_STATES_MAX; i++)
        ck_assert_uint_eq(t.stats.in_state[i], 0);
    ck_assert_uint_eq(t.stats.value[STAT_LEASES], 0);
    ck_assert_uint_eq(t.stats.blame[0], 0);
    ipc_done(&t.worker);
    ipc_done(&t.supervisor);
    ev_loop_destroy(t.loop);
    shutdown(t.listener, SHUT_RDWR);
    pthread_join(t.server, NULL);
    close(t.listener);
    json_decref(t.row);
    free(t.next);
    ares_library_cleanup();
}

static void take_end(const struct ipc_end *e)
{
    struct buf b = {0};
    t.end_type = (enum ipc_type)e->head.type;
    t.end = *e;
    buf_addc(&b, '{');
    buf_add(&b, e->data, e->tail_len);
    buf_addc(&b, '}');
    json_decref(t.row);
    t.row = json_loadb(buf_data(&b), buf_len(&b), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(t.row != NULL, "%s", buf_str(&b));
    buf_done(&b);
    free(t.next);
    t.next = strndup(e->data + e->tail_len, e->next_len);
}

static void hear(void)
{
    const struct ipc_head *h;
    machine_turn(t.m);
    ipc_flush(&t.worker);
    ipc_fill(&t.supervisor);
    while (ipc_next(&t.supervisor, &h) > 0) {
        t.said[h->type]++;
        if (h->type >= IPC_DONE && h->type <= IPC_WFAIL)
            take_end((const struct ipc_end *)h);
    }
}

static void run_until(enum ipc_type type, uint64_t count)
{
    for (hear(); t.said[type] < count; hear())
        ev_run(t.loop, EVRUN_ONCE);
}

static uint64_t ends(void)
{
    return t.said[IPC_DONE] + t.said[IPC_AGAIN] + t.said[IPC_RETRY] + t.said[IPC_NOCONN] +
           t.said[IPC_WFAIL];
}

static struct ipc_lease *lease_of(const char *url)
{
    struct ipc_lease *l = calloc(1, sizeof *l + strlen(url) + 1);
    l->lease = ++t.lease;
    l->job = 1;
    l->host = 7;
    l->attempt = 1;
    l->last = 1;
    l->url_len = (uint16_t)strlen(url);
    memcpy(l->url, url, l->url_len);
    return l;
}

static struct ipc_lease *lease(const char *path)
{
    char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", t.port, path);
    return lease_of(url);
}

static void give(struct ipc_lease *take_lease)
{
    ck_assert_int_eq(machine_lease(t.m, take_lease), 0);
    free(take_lease);
}

/* Gives it and waits for its end. */
static void fetch(struct ipc_lease *take_lease)
{
    uint64_t before = ends();
    give(take_lease);
    for (hear(); ends() == before; hear())
        ev_run(t.loop, EVRUN_ONCE);
}

static void expect(enum ipc_type type, enum outcome outcome, enum reason reason)
{
    ck_assert_str_eq(ipc_name(t.end_type), ipc_name(type));
    ck_assert_str_eq(reason_name(t.end.reason), reason_name(reason));
    ck_assert_str_eq(outcome_name(t.end.outcome), outcome_name(outcome));
}

static const char *row_text(const char *key)
{
    const char *s = json_string_value(json_object_get(t.row, key));
    return s ? s : "";
}

static int row_number(const char *key)
{
    return (int)json_integer_value(json_object_get(t.row, key));
}

#define NONE "{\"pace\":{\"preset\":\"own\"},\"store\":{\"format\":\"none\"}"
#define WARC "{\"pace\":{\"preset\":\"own\"},\"store\":{\"compress\":\"none\"}"

/* ---- rows ---- */

START_TEST(a_page_gives_a_whole_row)
{
    begin(NONE "}");
    fetch(lease("/ok"));
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    ck_assert_int_eq(row_number("status"), 200);
    ck_assert_str_eq(row_text("mime"), "text/html");
    ck_assert_str_eq(row_text("charset"), "utf-8");
    ck_assert_str_eq(row_text("ip"), "127.0.0.1");
    ck_assert_str_eq(row_text("sha1"), "VL2MMHO4YXUKFWV63YHTWSBM3GXKSQ2N");
    ck_assert_int_eq(row_number("body_bytes"), 5);
    ck_assert_int_eq(row_number("attempts"), 1);
    ck_assert_int_gt(row_number("wire_bytes"), 50);
    ck_assert_uint_eq(strlen(row_text("time")), 24);
    ck_assert(json_is_integer(json_object_get(json_object_get(t.row, "ms"), "total")));
    ck_assert_int_eq(t.end.status, 200);
    end();
}
END_TEST

static const struct {
    const char *path;
    enum reason reason;
} failures[] = {
    {"/cut", REASON_BODY_INCOMPLETE},      {"/empty", REASON_EMPTY_REPLY},
    {"/nonsense", REASON_BAD_RESPONSE},    {"/silent", REASON_FIRST_BYTE_TIMEOUT},
    {"/moved-badly", REASON_BAD_REDIRECT},
};

START_TEST(a_failure_has_its_reason)
{
    begin(NONE ",\"timeouts\":{\"first_byte_ms\":100}}");
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        fetch(lease(failures[i].path));
        expect(IPC_DONE, OUTCOME_FAILED, failures[i].reason);
        ck_assert_str_eq(row_text("reason"), reason_name(failures[i].reason));
    }
    end();
}
END_TEST

START_TEST(a_failure_that_may_pass_is_given_back_unless_it_is_the_last)
{
    begin(NONE "}");
    for (int last = 0; last < 2; last++) {
        struct ipc_lease *l = lease("/cut");
        l->last = (uint8_t)last;
        fetch(l);
        expect(last ? IPC_DONE : IPC_RETRY, OUTCOME_FAILED, REASON_BODY_INCOMPLETE);
        l = lease("/busy");
        l->last = (uint8_t)last;
        fetch(l);
        expect(last ? IPC_DONE : IPC_RETRY, OUTCOME_STORED, REASON_NONE);
        ck_assert_int_eq(t.end.status, 503);
        ck_assert_uint_eq(t.end.retry_after_s, 120);
    }
    end();
}
END_TEST

START_TEST(the_total_limit_ends_what_no_other_limit_does)
{
    begin(NONE ",\"timeouts\":{\"first_byte_ms\":0,\"total_ms\":100}}");
    fetch(lease("/silent"));
    expect(IPC_DONE, OUTCOME_FAILED, REASON_TOTAL_TIMEOUT);
    end();
}
END_TEST

START_TEST(a_redirect_goes_back_with_its_target)
{
    char target[64];
    begin(NONE "}");
    fetch(lease("/moved"));
    expect(IPC_AGAIN, OUTCOME_STORED, REASON_NONE);
    snprintf(target, sizeof target, "http://127.0.0.1:%d/ok?a", t.port);
    ck_assert_str_eq(t.next, target);
    end();
}
END_TEST

START_TEST(a_body_beyond_the_limit_is_cut)
{
    begin(NONE ",\"max_body_bytes\":3}");
    fetch(lease("/ok"));
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    ck_assert_str_eq(row_text("truncated"), "length");
    ck_assert_int_eq(row_number("body_bytes"), 3);
    ck_assert_int_eq(t.end.kept, 0);
    end();
}
END_TEST

START_TEST(a_body_of_just_the_limit_is_whole)
{
    begin(NONE ",\"max_body_bytes\":5}");
    fetch(lease("/ok"));
    ck_assert_str_eq(row_text("truncated"), "");
    ck_assert_int_eq(t.end.kept, 1);
    end();
}
END_TEST

START_TEST(what_the_keep_rules_refuse_is_dropped)
{
    begin(NONE ",\"keep\":{\"body_lacks\":[\"ell\"]}}");
    fetch(lease("/ok"));
    expect(IPC_DONE, OUTCOME_DROPPED, REASON_KEEP_BODY_LACKS);
    end();
}
END_TEST

START_TEST(what_may_not_be_contacted_is_excluded)
{
    begin(NONE "}");
    fetch(lease_of("http://10.0.0.1/"));
    expect(IPC_DONE, OUTCOME_EXCLUDED, REASON_CONTACT);
    t.m->policy.contact = true;
    fetch(lease_of("http://10.0.0.1/"));
    expect(IPC_DONE, OUTCOME_EXCLUDED, REASON_ADDRESS_DENIED);
    fetch(lease_of("http://[::ffff:a00:1]/"));
    expect(IPC_DONE, OUTCOME_EXCLUDED, REASON_ADDRESS_DENIED);
    fetch(lease_of("https://127.0.0.1/"));
    expect(IPC_DONE, OUTCOME_EXCLUDED, REASON_SCHEME);
    ck_assert_str_eq(row_text("detail"), "not built");
    ck_assert_uint_eq(t.stats.value[STAT_CONNECTS], 0);
    end();
}
END_TEST

START_TEST(a_lease_that_makes_no_sense_is_refused)
{
    begin(NONE "}");
    struct ipc_lease *l = lease("/ok");
    l->job = 2;
    ck_assert_int_eq(machine_lease(t.m, l), -EPROTO);
    free(l);
    fetch(lease_of("http://127.0.0.1/a b"));
    expect(IPC_DONE, OUTCOME_EXCLUDED, REASON_BAD_URL);
    fetch(lease_of("nonsense"));
    expect(IPC_DONE, OUTCOME_EXCLUDED, REASON_BAD_URL);
    end();
}
END_TEST

/* ---- connections ---- */

START_TEST(a_kept_connection_is_used_again)
{
    begin(NONE "}");
    for (int i = 0; i < 5; i++) {
        fetch(lease("/ok"));
        ck_assert_int_eq(t.end.kept, 1);
    }
    ck_assert_uint_eq(t.stats.value[STAT_CONNECTS], 1);
    ck_assert_uint_eq(t.stats.value[STAT_REUSED], 4);
    end();
}
END_TEST

START_TEST(a_connection_the_server_closed_is_replaced)
{
    begin(NONE "}");
    for (int i = 0; i < 20; i++) {
        fetch(lease("/once"));
        expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    }
    end();
}
END_TEST

START_TEST(a_grant_for_a_kept_connection_never_opens_one)
{
    begin(NONE "}");
    struct ipc_lease *l = lease("/ok");
    l->grant = GRANT_KEPT;
    fetch(l);
    ck_assert_int_eq(t.end_type, IPC_NOCONN);
    fetch(lease("/ok"));
    l = lease("/ok");
    l->grant = GRANT_KEPT;
    fetch(l);
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    ck_assert_uint_eq(t.stats.value[STAT_CONNECTS], 1);
    end();
}
END_TEST

static struct ipc_lease *limited(const char *path, enum grant grant)
{
    struct ipc_lease *l = lease(path);
    l->grant = (uint8_t)grant;
    l->limited = l->tell_sent = 1;
    return l;
}

START_TEST(connections_of_a_limited_host_are_accounted_for)
{
    begin(NONE "}");
    fetch(limited("/ok", GRANT_OPEN));
    ck_assert_int_eq(t.end.kept, 1);
    ck_assert_uint_eq(t.said[IPC_CLOSED], 0);
    fetch(limited("/close", GRANT_KEPT));
    ck_assert_int_eq(t.end.kept, 0);
    run_until(IPC_CLOSED, 1);
    ck_assert_uint_eq(t.said[IPC_IDLE_GONE], 0);
    fetch(limited("/once", GRANT_OPEN));
    run_until(IPC_CLOSED, 2);
    ck_assert_uint_eq(t.said[IPC_IDLE_GONE], t.end.kept);
    ck_assert_uint_eq(t.said[IPC_SENT], 3);
    end();
}
END_TEST

START_TEST(a_granted_connection_that_never_came_to_be_is_told_as_closed)
{
    begin(NONE "}");
    struct ipc_lease *l = lease_of("http://127.0.0.1:1/");
    l->grant = GRANT_OPEN;
    l->limited = 1;
    fetch(l);
    expect(IPC_DONE, OUTCOME_FAILED, REASON_CONNECT_REFUSED);
    ck_assert_uint_eq(t.said[IPC_CLOSED], 1);
    end();
}
END_TEST

START_TEST(a_request_is_told_as_sent_before_any_answer)
{
    begin(NONE ",\"timeouts\":{\"first_byte_ms\":500}}");
    give(limited("/silent", GRANT_OPEN));
    run_until(IPC_SENT, 1);
    ck_assert_uint_eq(ends(), 0);
    run_until(IPC_DONE, 1);
    ck_assert_uint_eq(t.said[IPC_SENT], 1);
    end();
}
END_TEST

START_TEST(more_fetches_than_descriptors_wait_and_end)
{
    begin(NONE "}");
    t.m->pool.open_max = 3;
    for (int i = 0; i < 20; i++)
        give(lease("/ok"));
    run_until(IPC_DONE, 20);
    ck_assert_uint_eq(t.stats.value[STAT_CONNECTS] <= 20, 1);
    end();
}
END_TEST

/* ---- records ---- */

static void give_file(int number, const char *path, int flags)
{
    struct ipc_file *f = calloc(1, sizeof *f + 8);
    f->job = 1;
    f->file = (uint32_t)number;
    f->name_len = 6;
    memcpy(f->name, "x.warc", 6);
    machine_file(t.m, f, open(path, flags, 0600));
    free(f);
}

START_TEST(a_stored_row_points_at_its_record)
{
    char path[] = "/tmp/test_machine_XXXXXX", *text = calloc(1, 10000);
    close(mkstemp(path));
    begin(WARC "}");
    give(lease("/ok"));
    run_until(IPC_DONE, 0);
    give_file(1, path, O_WRONLY | O_APPEND);
    run_until(IPC_DONE, 1);
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    ck_assert_uint_eq(t.end.file, 1);
    const json_t *warc = json_object_get(t.row, "warc");
    ck_assert_str_eq(json_string_value(json_object_get(warc, "file")), "x.warc");
    int fd = open(path, O_RDONLY);
    long offset = (long)json_integer_value(json_object_get(warc, "offset"));
    ck_assert_int_gt(pread(fd, text, 9999, offset), 100);
    ck_assert_int_eq(strncmp(text, "WARC/1.", 7), 0);
    ck_assert_ptr_nonnull(strstr(text, "\r\n\r\nhello"));
    ck_assert_ptr_nonnull(strstr(text, "GET /ok HTTP/1.1"));
    close(fd);
    unlink(path);
    free(text);
    end();
}
END_TEST

START_TEST(a_failed_write_is_told_and_gives_the_lease_back)
{
    begin(WARC "}");
    give_file(3, "/dev/full", O_WRONLY);
    fetch(lease("/ok"));
    ck_assert_int_eq(t.end_type, IPC_WFAIL);
    ck_assert_uint_eq(t.end.file, 3);
    end();
}
END_TEST

START_TEST(a_revoked_job_ends_in_silence_and_can_go_on)
{
    begin(WARC "}");
    give(lease("/silent"));
    give(lease("/ok"));
    for (int i = 0; i < 10; i++)
        ev_run(t.loop, EVRUN_NOWAIT);
    machine_revoke(t.m, 1);
    run_until(IPC_REVOKED, 1);
    ck_assert_uint_eq(ends(), 0);
    ck_assert_uint_eq(t.stats.value[STAT_LEASES], 0);
    give_file(2, "/dev/null", O_WRONLY);
    fetch(lease("/ok"));
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    end();
}
END_TEST

START_TEST(bodies_beyond_the_memory_wait_and_all_end)
{
    begin(WARC "}");
    t.m->conf.memory_max = 200000;
    give_file(1, "/dev/null", O_WRONLY);
    for (int i = 0; i < 10; i++)
        give(lease("/big"));
    run_until(IPC_DONE, 10);
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    ck_assert_int_eq(row_number("body_bytes"), BIG_BYTES);
    ck_assert_uint_eq(t.m->memory_bytes, 0);
    end();
}
END_TEST

START_TEST(a_job_that_is_gone_is_freed_with_its_last_lease)
{
    begin(NONE ",\"timeouts\":{\"first_byte_ms\":100}}");
    give(lease("/silent"));
    machine_job_gone(t.m, 1);
    run_until(IPC_DONE, 1);
    ck_assert_ptr_null(jobs_find(&t.m->jobs, 1));
    end();
}
END_TEST

UNIT_TESTS("machine", a_page_gives_a_whole_row, a_failure_has_its_reason,
           a_failure_that_may_pass_is_given_back_unless_it_is_the_last,
           the_total_limit_ends_what_no_other_limit_does, a_redirect_goes_back_with_its_target,
           a_body_beyond_the_limit_is_cut, a_body_of_just_the_limit_is_whole,
           what_the_keep_rules_refuse_is_dropped, what_may_not_be_contacted_is_excluded,
           a_lease_that_makes_no_sense_is_refused, a_kept_connection_is_used_again,
           a_connection_the_server_closed_is_replaced,
           a_grant_for_a_kept_connection_never_opens_one,
           connections_of_a_limited_host_are_accounted_for,
           a_granted_connection_that_never_came_to_be_is_told_as_closed,
           a_request_is_told_as_sent_before_any_answer, more_fetches_than_descriptors_wait_and_end,
           a_stored_row_points_at_its_record, a_failed_write_is_told_and_gives_the_lease_back,
           a_revoked_job_ends_in_silence_and_can_go_on, bodies_beyond_the_memory_wait_and_all_end,
           a_job_that_is_gone_is_freed_with_its_last_lease)
