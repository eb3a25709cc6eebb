/* SPDX-License-Identifier: MIT */
#include <check.h>

#include "tests/unit/ledger_rig.h"
#include "tests/unit/unit.h"

START_TEST(urls_are_queued_when_durable_and_again_after_a_restart)
{
    struct rig *b = rig_new();
    ck_assert_uint_eq(accept_url(b, "http://a/"), 1);
    ck_assert_uint_eq(accept_url(b, "http://b/"), 2);
    ck_assert_uint_eq(accept_url(b, "http://a/"), 0);
    ck_assert_uint_eq(b->queued_count, 0);
    commit(b);
    ck_assert_str_eq(buf_str(&b->queued), "1 http://a/\n2 http://b/\n");
    end_url(b, 1, 0, 0);
    commit(b);
    ck_assert_uint_eq(b->ended_count, 1);
    again(b);
    ck_assert_int_eq(b->open_err, 0);
    RUN_UNTIL(b, b->queued_count);
    ck_assert_str_eq(buf_str(&b->queued), "2 http://b/\n");
    ck_assert_uint_eq(counts(b).accepted, 2);
    ck_assert_uint_eq(counts(b).duplicates, 1);
    ck_assert_uint_eq(counts(b).ended[OUTCOME_STORED], 1);
    ck_assert_int_eq(size_of(b, "results.jsonl"), 10);
    ck_assert_uint_eq(accept_url(b, "http://b/"), 0);
    ck_assert_uint_eq(accept_url(b, "http://c/"), 3);
    rig_free(b);
}
END_TEST

START_TEST(a_wait_is_answered_also_when_nothing_was_new)
{
    struct rig *b = rig_new();
    commit(b);
    accept_url(b, "http://a/");
    commit(b);
    ck_assert_uint_eq(accept_url(b, "http://a/"), 0);
    commit(b);
    rig_free(b);
}
END_TEST

START_TEST(a_row_is_taken_once)
{
    struct rig *b = rig_new();
    accept_url(b, "http://a/");
    commit(b);
    end_url(b, 1, 0, 0);
    ck_assert_int_eq(ledger_row(b->ledger, 1, OUTCOME_FAILED, "x\n", 2, 0, 0), -EINVAL);
    ck_assert_int_eq(ledger_row(b->ledger, 2, OUTCOME_FAILED, "x\n", 2, 0, 0), -EINVAL);
    ck_assert_int_eq(ledger_row(b->ledger, 0, OUTCOME_FAILED, "x\n", 2, 0, 0), -EINVAL);
    commit(b);
    ck_assert_int_eq(ledger_row(b->ledger, 1, OUTCOME_FAILED, "x\n", 2, 0, 0), -EINVAL);
    rig_free(b);
}
END_TEST

START_TEST(a_url_accepted_with_its_row_is_never_queued)
{
    struct rig *b = rig_new();
    uint64_t seq = ledger_accept(b->ledger, "no url", 6, true, true);
    end_url(b, seq, 0, 0);
    commit(b);
    ck_assert_uint_eq(b->queued_count, 0);
    again(b);
    commit(b);
    ck_assert_uint_eq(b->queued_count, 0);
    ck_assert_uint_eq(counts(b).ended[OUTCOME_STORED], 1);
    rig_free(b);
}
END_TEST

START_TEST(a_finished_file_is_cut_to_its_last_row_and_gets_its_name)
{
    struct rig *b = rig_new();
    new_file(b);
    ck_assert_int_eq(strncmp(b->name, "000001-ledger-", 14), 0);
    char open_name[256], name[256];
    snprintf(name, sizeof name, "warc/%s", b->name);
    snprintf(open_name, sizeof open_name, "warc/%s.open", b->name);
    accept_url(b, "http://a/");
    write_file(b, 150);
    end_url(b, 1, b->file, 100);
    ledger_file_finish(b->ledger, b->file);
    ck_assert_int_eq(size_of(b, open_name), 150);
    while (size_of(b, name) < 0)
        ev_run(b->loop, EVRUN_ONCE);
    ck_assert_int_eq(size_of(b, name), 100);
    ck_assert_int_eq(size_of(b, open_name), -1);
    close(b->fd);
    ck_assert_int_eq(ledger_hop(b->ledger, 1, 200), -EINVAL);
    new_file(b);
    ck_assert_uint_eq(b->file, 2);
    close(b->fd);
    rig_free(b);
}
END_TEST

START_TEST(recovery_cuts_files_and_deletes_those_no_commit_names)
{
    struct rig *b = rig_new();
    new_file(b);
    accept_url(b, "http://a/");
    write_file(b, 150);
    end_url(b, 1, b->file, 100);
    char name[256];
    snprintf(name, sizeof name, "warc/%s", b->name);
    commit(b);
    close(b->fd);
    new_file(b);
    char second[256];
    snprintf(second, sizeof second, "warc/%s.open", b->name);
    write_file(b, 10);
    close(b->fd);
    ck_assert_int_eq(size_of(b, second), 10);
    again(b);
    ck_assert_int_eq(b->open_err, 0);
    ck_assert_int_eq(size_of(b, name), 100);
    ck_assert_int_eq(size_of(b, second), -1);
    rig_free(b);
}
END_TEST

START_TEST(text_is_read_back_in_the_order_asked)
{
    struct rig *b = rig_new();
    char url[64];
    for (int i = 1; i <= 3000; i++) {
        snprintf(url, sizeof url, "http://host-%d/", i);
        accept_url(b, url);
        if (i % 500 == 0)
            commit(b);
    }
    commit(b);
    uint64_t seqs[] = {2999, 1, 64, 65, 63, 1, 3001};
    ledger_read(b->ledger, seqs, 7);
    RUN_UNTIL(b, b->read_done);
    ck_assert_str_eq(buf_str(&b->texts),
                     "2999 http://host-2999/\n1 http://host-1/\n64 http://host-64/\n"
                     "65 http://host-65/\n63 http://host-63/\n1 http://host-1/\n3001 \n");
    again(b);
    RUN_UNTIL(b, b->queued_count == 3000);
    rig_free(b);
}
END_TEST

START_TEST(a_torn_tail_is_cut_and_damage_is_refused)
{
    struct rig *b = rig_new();
    accept_url(b, "http://a/");
    commit(b);
    off_t first = size_of(b, "frontier.log");
    accept_url(b, "http://b/");
    commit(b);
    off_t second = size_of(b, "frontier.log");
    stop(b);
    spoil(b, "frontier.log", "cut", second - 1);
    start(b, false);
    ck_assert_int_eq(b->open_err, 0);
    ck_assert_uint_eq(b->torn, (uint64_t)(second - 1 - first));
    ck_assert_int_eq(size_of(b, "frontier.log"), first);
    ck_assert_uint_eq(counts(b).accepted, 1);
    accept_url(b, "http://b/");
    commit(b);
    stop(b);
    spoil(b, "frontier.log", "?", first - 3);
    start(b, false);
    ck_assert_int_eq(b->open_err, -EUCLEAN);
    ck_assert_ptr_nonnull(strstr(b->why, "offset 256"));
    ck_assert_ptr_nonnull(strstr(b->why, " --repair`"));
    ck_assert_int_eq(size_of(b, "frontier.log"), second);
    rig_free(b);
}
END_TEST

START_TEST(results_shorter_than_committed_are_damage)
{
    struct rig *b = rig_new();
    accept_url(b, "http://a/");
    end_url(b, 1, 0, 0);
    commit(b);
    stop(b);
    char path[128];
    snprintf(path, sizeof path, "%s/results.jsonl", b->dir);
    ck_assert_int_eq(truncate(path, 3), 0);
    start(b, false);
    ck_assert_int_eq(b->open_err, -EUCLEAN);
    ck_assert_ptr_nonnull(strstr(b->why, "results.jsonl is shorter"));
    rig_free(b);
}
END_TEST

START_TEST(another_version_of_the_state_is_told_apart_from_damage)
{
    struct rig *b = rig_new();
    stop(b);
    spoil(b, "frontier.log", "\x63", 8);
    start(b, false);
    ck_assert_int_eq(b->open_err, -EPROTONOSUPPORT);
    ck_assert_ptr_nonnull(strstr(b->why, "version 99"));
    rig_free(b);
}
END_TEST

START_TEST(a_generator_is_remembered_by_its_cursor)
{
    struct rig *b = rig_new();
    accept_url(b, "http://a/");
    uint64_t base = ledger_generated(b->ledger, 1000000);
    ck_assert_uint_eq(base, 2);
    ck_assert_uint_eq(accept_url(b, "http://b/"), 1000002);
    for (uint64_t next = 1; next <= 200000; next++) {
        ledger_cursor(b->ledger, next);
        if (next % 1000 && next < 199990)
            end_url(b, base + next - 1, 0, 0);
    }
    commit(b);
    for (int pass = 0; pass < 2; pass++) {
        uint64_t open[300];
        size_t n = ledger_generated_open(b->ledger, open, 300, 0);
        ck_assert_uint_eq(n, 200 + 10);
        ck_assert_uint_eq(open[0], 999);
        ck_assert_uint_eq(open[1], 1999);
        ck_assert_uint_eq(open[n - 1], 199999);
        ck_assert_uint_eq(ledger_generated_open(b->ledger, open, 300, 1000), n - 1);
        ck_assert_uint_eq(ledger_cursor_now(b->ledger), 200000);
        ck_assert_uint_eq(counts(b).accepted, 200002);
        again(b);
    }
    end_url(b, base + 999, 0, 0);
    ck_assert_int_eq(ledger_row(b->ledger, base + 999, OUTCOME_FAILED, "x\n", 2, 0, 0), -EINVAL);
    commit(b);
    again(b);
    uint64_t open[300];
    ck_assert_uint_eq(ledger_generated_open(b->ledger, open, 300, 0), 209);
    rig_free(b);
}
END_TEST

START_TEST(flags_stay)
{
    struct rig *b = rig_new();
    ledger_flag(b->ledger, LEDGER_LAST);
    commit(b);
    again(b);
    ck_assert(ledger_has(b->ledger, LEDGER_LAST));
    ck_assert(!ledger_has(b->ledger, LEDGER_CANCEL));
    rig_free(b);
}
END_TEST

START_TEST(a_worker_that_says_more_than_it_wrote_fails_the_commit)
{
    struct rig *b = rig_new();
    new_file(b);
    accept_url(b, "http://a/");
    write_file(b, 10);
    end_url(b, 1, b->file, 11);
    RUN_UNTIL(b, b->failed);
    close(b->fd);
    ledger_recover(b->ledger);
    b->opened = false;
    RUN_UNTIL(b, b->opened);
    ck_assert_int_eq(b->open_err, 0);
    ck_assert_uint_eq(counts(b).accepted, 0);
    ck_assert_uint_eq(accept_url(b, "http://a/"), 1);
    commit(b);
    rig_free(b);
}
END_TEST

UNIT_TESTS("ledger", urls_are_queued_when_durable_and_again_after_a_restart,
           a_wait_is_answered_also_when_nothing_was_new, a_row_is_taken_once,
           a_url_accepted_with_its_row_is_never_queued,
           a_finished_file_is_cut_to_its_last_row_and_gets_its_name,
           recovery_cuts_files_and_deletes_those_no_commit_names,
           text_is_read_back_in_the_order_asked, a_torn_tail_is_cut_and_damage_is_refused,
           results_shorter_than_committed_are_damage,
           another_version_of_the_state_is_told_apart_from_damage,
           a_generator_is_remembered_by_its_cursor, flags_stay,
           a_worker_that_says_more_than_it_wrote_fails_the_commit)
