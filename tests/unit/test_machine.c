/* SPDX-License-Identifier: MIT */
#include "common/clock.h"
#include "tests/unit/machine_rig.h"
#include "common/clock.h"
#include "tests/unit/unit.h"

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
    }
    end();
}
END_TEST

START_TEST(busy_servers_are_told_of_and_the_lease_goes_back)
{
    begin(NONE ",\"timeouts\":{\"idle_ms\":200}}");
    for (int last = 0; last < 2; last++) {
        struct ipc_lease *l = lease("/busy");
        l->last = (uint8_t)last;
        fetch(l);
        expect(IPC_BACK, OUTCOME_STORED, REASON_NONE);
        ck_assert_int_eq(t.end.status, 503);
        ck_assert_int_eq(t.busy.status, 503);
        ck_assert_uint_eq(t.busy.retry_after_s, 120);
        ck_assert_uint_eq(t.busy.lease, t.lease);
        ck_assert_uint_eq(t.busy.host, 7);
        machine_heard(t.m, 7);
    }
    give(lease("/busy-slowly"));
    run_until(IPC_BUSY, 3);
    ck_assert_uint_eq(t.said[IPC_BACK], 2);
    ck_assert_uint_eq(t.busy.retry_after_s, 0);
    run_until(IPC_BACK, 3);
    end();
}
END_TEST

START_TEST(nothing_more_is_sent_to_a_busy_server_until_that_is_known)
{
    begin(NONE "}");
    fetch(lease("/busy"));
    for (int i = 0; i < 3; i++) {
        fetch(lease("/ok"));
        expect(IPC_NOCONN, OUTCOME_STORED, REASON_NONE);
    }
    struct ipc_lease *other = lease("/ok");
    other->host = 8;
    fetch(other);
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    machine_heard(t.m, 8);
    ck_assert(machine_stopped(t.m, 7));
    machine_heard(t.m, 7);
    fetch(lease("/ok"));
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    end();
}
END_TEST

START_TEST(each_busy_answer_must_be_known)
{
    begin(NONE ",\"timeouts\":{\"idle_ms\":300}}");
    give(lease("/busy-slowly"));
    give(lease("/busy-slowly"));
    run_until(IPC_BUSY, 2);
    machine_heard(t.m, 7);
    fetch(lease("/ok"));
    expect(IPC_NOCONN, OUTCOME_STORED, REASON_NONE);
    machine_heard(t.m, 7);
    fetch(lease("/ok"));
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    run_until(IPC_BACK, 2);
    end();
}
END_TEST

START_TEST(what_was_not_sent_when_the_server_was_busy_goes_back)
{
    begin(NONE "}");
    for (int i = 0; i < 5; i++)
        give(lease_of("http://nowhere.test/"));
    ck_assert_uint_eq(t.stats.in_state[FETCH_RESOLVE], 5);
    fetch(lease("/busy"));
    ck_assert_uint_eq(t.said[IPC_NOCONN], 5);
    ck_assert_uint_eq(t.stats.in_state[FETCH_RESOLVE], 0);
    end();
}
END_TEST

START_TEST(a_stop_takes_back_what_was_not_sent_and_nothing_else)
{
    begin(NONE ",\"timeouts\":{\"first_byte_ms\":300}}");
    give(lease("/silent"));
    while (!t.stats.in_state[FETCH_HEAD])
        ev_run(t.loop, EVRUN_ONCE);
    struct ipc_lease *other = lease_of("http://nowhere.test/");
    other->host = 8;
    give(other);
    give(lease_of("http://nowhere.test/"));
    machine_stop(t.m, 7);
    hear();
    ck_assert_uint_eq(t.said[IPC_NOCONN], 1);
    ck_assert_uint_eq(t.stats.in_state[FETCH_HEAD], 1);
    ck_assert_uint_eq(t.stats.in_state[FETCH_RESOLVE], 1);
    run_until(IPC_DONE, 1);
    expect(IPC_DONE, OUTCOME_FAILED, REASON_FIRST_BYTE_TIMEOUT);
    end();
}
END_TEST

START_TEST(a_stale_connection_is_no_way_around_a_stop)
{
    begin(NONE "}");
    fetch(lease("/ok"));
    ck_assert_int_eq(t.end.kept, 1);
    give(lease("/empty"));
    while (!t.stats.in_state[FETCH_HEAD])
        ev_run(t.loop, EVRUN_ONCE);
    machine_stop(t.m, 7);
    run_until(IPC_NOCONN, 1);
    ck_assert_uint_eq(t.said[IPC_DONE], 1);
    end();
}
END_TEST

START_TEST(the_rows_have_their_gauges)
{
    begin(NONE ",\"timeouts\":{\"first_byte_ms\":500}}");
    ck_assert_str_eq(t.stats.state_name[FETCH_HEAD], "head");
    ck_assert_str_eq(t.stats.state_name[FETCH_STATE_COUNT], "");
    for (int i = 0; i < 3; i++)
        give(lease("/silent"));
    while (t.stats.in_state[FETCH_HEAD] < 3)
        ev_run(t.loop, EVRUN_ONCE);
    ck_assert_uint_eq(t.stats.value[STAT_LEASES], 3);
    run_until(IPC_DONE, 3);
    ck_assert_uint_eq(t.stats.in_state[FETCH_HEAD], 0);
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

START_TEST(an_answer_below_the_minimum_rate_is_too_slow_in_head_and_body)
{
    static const char *const paths[] = {"/drip", "/drip-heads"};
    begin(NONE ",\"timeouts\":{\"idle_ms\":0,\"min_rate\":2000,\"min_rate_ms\":200}}");
    for (int i = 0; i < 2; i++) {
        fetch(lease(paths[i]));
        expect(IPC_DONE, OUTCOME_FAILED, REASON_TOO_SLOW);
        ck_assert_int_gt(row_number("wire_bytes"), 0);
    }
    end();
}
END_TEST

START_TEST(an_answer_at_the_minimum_rate_goes_on_to_its_next_limit)
{
    begin(NONE ",\"timeouts\":{\"min_rate\":5,\"min_rate_ms\":200,\"idle_ms\":0,"
               "\"total_ms\":1000}}");
    fetch(lease("/drip"));
    expect(IPC_DONE, OUTCOME_FAILED, REASON_TOTAL_TIMEOUT);
    end();
}
END_TEST

START_TEST(a_pause_that_idle_ms_allows_is_not_slow)
{
    begin(NONE ",\"timeouts\":{\"min_rate\":1000000,\"min_rate_ms\":1,\"idle_ms\":500,"
               "\"total_ms\":0}}");
    fetch(lease("/drip"));
    expect(IPC_DONE, OUTCOME_FAILED, REASON_TOO_SLOW);
    const json_t *ms = json_object_get(t.row, "ms");
    ck_assert_int_ge(json_integer_value(json_object_get(ms, "body")), 500);
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

START_TEST(framing_beyond_all_measure_is_cut)
{
    begin(NONE ",\"max_body_bytes\":100000}");
    fetch(lease("/crumbs"));
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    ck_assert_str_eq(row_text("truncated"), "length");
    ck_assert_int_lt(row_number("wire_bytes"), 500000);
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
    fetch(lease_of("https://10.0.0.1/"));
    expect(IPC_DONE, OUTCOME_EXCLUDED, REASON_ADDRESS_DENIED);
    fetch(lease_of("wss://127.0.0.1/"));
    expect(IPC_DONE, OUTCOME_EXCLUDED, REASON_SCHEME);
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

static int64_t days_later(void)
{
    return clock_mono_ns() + 100 * 3600 * NS_PER_S;
}

/* Where it leads was checked when it was opened, and cannot change. */
START_TEST(a_kept_connection_needs_no_name)
{
    char url[64];
    begin(NONE "}");
    snprintf(url, sizeof url, "http://localhost:%d/ok", t.port);
    fetch(lease_of(url));
    ck_assert_uint_eq(t.stats.value[STAT_DNS_CACHED] + t.m->dns.unused_count, 1);
    t.m->dns.resolver.clock_ns = days_later;
    fetch(lease_of(url));
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    ck_assert_str_eq(row_text("ip"), "127.0.0.1");
    ck_assert_uint_eq(t.stats.value[STAT_REUSED], 1);
    ck_assert_uint_eq(t.stats.value[STAT_DNS_CACHED] + t.stats.value[STAT_DNS_QUERIES], 0);
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

START_TEST(fetches_wait_for_a_slot_before_they_connect_with_tls_and_are_not_late)
{
    char url[64];
    begin(NONE ",\"timeouts\":{\"tls_ms\":150,\"total_ms\":400}}");
    t.m->secures.slots = 1;
    snprintf(url, sizeof url, "https://127.0.0.1:%d/silent", t.port);
    for (int i = 0; i < 5; i++)
        give(lease_of(url));
    for (hear(); t.said[IPC_DONE] < 5; hear()) {
        if (t.said[IPC_DONE])
            expect(IPC_DONE, OUTCOME_FAILED, REASON_TLS_TIMEOUT);
        ev_run(t.loop, EVRUN_ONCE);
        ck_assert_uint_le(t.stats.in_state[FETCH_SHAKE], 1);
        ck_assert_uint_le(t.m->pool.open_count, 1);
    }
    expect(IPC_DONE, OUTCOME_FAILED, REASON_TLS_TIMEOUT);
    ck_assert_uint_eq(t.stats.value[STAT_TLS_FAILED], 5);
    ck_assert_uint_eq(t.m->secures.busy, 0);
    ck_assert_uint_eq(t.m->secures.waiting_count, 0);
    end();
}
END_TEST

START_TEST(a_fetch_that_waits_for_a_slot_can_be_revoked)
{
    char url[64];
    begin(NONE "}");
    t.m->secures.slots = 1;
    snprintf(url, sizeof url, "https://127.0.0.1:%d/silent", t.port);
    for (int i = 0; i < 6; i++)
        give(lease_of(url));
    while (!t.stats.in_state[FETCH_SHAKE])
        ev_run(t.loop, EVRUN_ONCE);
    ck_assert_uint_eq(t.m->secures.waiting_count, 5);
    machine_revoke(t.m, 1);
    run_until(IPC_REVOKED, 1);
    ck_assert_uint_eq(t.m->secures.waiting_count, 0);
    ck_assert_uint_eq(t.m->secures.busy, 0);
    end();
}
END_TEST

/* ---- records ---- */

static void give_file_of(uint32_t job, int number, const char *path, int flags)
{
    struct ipc_file *f = calloc(1, sizeof *f + 8);
    f->job = job;
    f->file = (uint32_t)number;
    f->name_len = 6;
    memcpy(f->name, "x.warc", 6);
    machine_file(t.m, f, open(path, flags, 0600));
    free(f);
}

static void give_file(int number, const char *path, int flags)
{
    give_file_of(1, number, path, flags);
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
    t.m->conf.memory_max = 3000000;
    give_file(1, "/dev/null", O_WRONLY);
    for (int i = 0; i < 20; i++)
        give(lease("/big"));
    for (uint64_t i = 1; i <= 20; i++) {
        run_until(IPC_DONE, i);
        expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
        ck_assert_int_eq(row_number("body_bytes"), BIG_BYTES);
        ck_assert_str_eq(row_text("truncated"), "");
        ck_assert_uint_le(t.m->memory_bytes, 3000000 + sizeof t.m->in);
    }
    ck_assert_uint_eq(t.m->memory_bytes, 0);
    ck_assert_uint_eq(t.m->beyond_bytes, 0);
    end();
}
END_TEST

START_TEST(a_body_larger_than_all_memory_is_cut)
{
    begin(WARC "}");
    t.m->conf.memory_max = 200000;
    give_file(1, "/dev/null", O_WRONLY);
    for (int i = 0; i < 3; i++)
        give(lease("/big"));
    run_until(IPC_DONE, 3);
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    ck_assert_str_eq(row_text("truncated"), "length");
    ck_assert_str_eq(row_text("detail"), "larger than the memory for it");
    ck_assert_int_gt(row_number("body_bytes"), FETCH_FREE_BYTES);
    ck_assert_uint_eq(t.m->memory_bytes, 0);
    end();
}
END_TEST

START_TEST(small_answers_pass_large_ones_that_wait_with_their_clocks_stopped)
{
    begin(WARC ",\"timeouts\":{\"idle_ms\":1000}}");
    t.m->conf.memory_max = 700000;
    give_file(1, "/dev/null", O_WRONLY);
    for (int i = 0; i < 3; i++)
        give(lease("/big-and-stuck"));
    while (t.m->poor.next == t.m->poor.prev)
        ev_run(t.loop, EVRUN_ONCE);
    for (int i = 0; i < 20; i++) {
        fetch(lease("/ok"));
        expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    }
    run_until(IPC_DONE, 23);
    expect(IPC_DONE, OUTCOME_FAILED, REASON_IDLE_TIMEOUT);
    ck_assert_int_gt(row_number("body_bytes"), FETCH_FREE_BYTES);
    const json_t *ms = json_object_get(t.row, "ms");
    ck_assert_int_ge(json_integer_value(json_object_get(ms, "total")), 1900);
    ck_assert_uint_eq(t.m->memory_bytes, 0);
    end();
}
END_TEST

START_TEST(no_lease_is_wanted_while_the_store_is_full)
{
    begin(WARC "}");
    t.m->conf.memory_max = 1200000;
    for (int i = 0; i < 3; i++)
        give(lease("/big"));
    run_until(IPC_SLOTS, 1);
    ck_assert_uint_eq(t.slots, 0);
    give_file(1, "/dev/null", O_WRONLY);
    run_until(IPC_DONE, 3);
    run_until(IPC_SLOTS, 2);
    ck_assert_uint_eq(t.slots, 100);
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

UNIT_TESTS("machine", a_page_gives_a_whole_row, busy_servers_are_told_of_and_the_lease_goes_back,
           nothing_more_is_sent_to_a_busy_server_until_that_is_known,
           each_busy_answer_must_be_known, what_was_not_sent_when_the_server_was_busy_goes_back,
           a_stop_takes_back_what_was_not_sent_and_nothing_else,
           a_stale_connection_is_no_way_around_a_stop, the_rows_have_their_gauges,
           a_failure_has_its_reason, a_failure_that_may_pass_is_given_back_unless_it_is_the_last,
           the_total_limit_ends_what_no_other_limit_does,
           an_answer_below_the_minimum_rate_is_too_slow_in_head_and_body,
           an_answer_at_the_minimum_rate_goes_on_to_its_next_limit,
           a_pause_that_idle_ms_allows_is_not_slow, a_redirect_goes_back_with_its_target,
           a_body_beyond_the_limit_is_cut, framing_beyond_all_measure_is_cut,
           a_body_of_just_the_limit_is_whole, what_the_keep_rules_refuse_is_dropped,
           what_may_not_be_contacted_is_excluded, a_lease_that_makes_no_sense_is_refused,
           a_kept_connection_is_used_again, a_kept_connection_needs_no_name,
           a_connection_the_server_closed_is_replaced,
           a_grant_for_a_kept_connection_never_opens_one,
           connections_of_a_limited_host_are_accounted_for,
           a_granted_connection_that_never_came_to_be_is_told_as_closed,
           fetches_wait_for_a_slot_before_they_connect_with_tls_and_are_not_late,
           a_fetch_that_waits_for_a_slot_can_be_revoked,
           a_request_is_told_as_sent_before_any_answer, more_fetches_than_descriptors_wait_and_end,
           a_stored_row_points_at_its_record, a_failed_write_is_told_and_gives_the_lease_back,
           a_revoked_job_ends_in_silence_and_can_go_on, bodies_beyond_the_memory_wait_and_all_end,
           a_body_larger_than_all_memory_is_cut,
           small_answers_pass_large_ones_that_wait_with_their_clocks_stopped,
           no_lease_is_wanted_while_the_store_is_full,
           a_job_that_is_gone_is_freed_with_its_last_lease)
