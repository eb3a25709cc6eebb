/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <string.h>

#include "daemon/frontier/verify.h"
#include "tests/unit/ledger_rig.h"
#include "tests/unit/unit.h"

static void on_problem(void *arg, const char *text)
{
    buf_adds(arg, text);
    buf_addc(arg, '\n');
}

/* The report of a job's directory; its problems' text is in *ret_text. */
static struct verify_report look(struct rig *b, struct buf *ret_text)
{
    struct verify_report r;
    buf_clear(ret_text);
    ck_assert_int_eq(verify_job(b->dir, on_problem, ret_text, &r), 0);
    buf_str(ret_text);
    return r;
}

static void put_row(struct rig *b, uint64_t seq, off_t off, off_t length)
{
    char row[256];
    int n =
        snprintf(row, sizeof row,
                 "{\"seq\":%llu,\"outcome\":\"stored\",\"warc\":{\"file\":\"%s\",\"offset\":%lld,"
                 "\"length\":%lld}}\n",
                 (unsigned long long)seq, b->name, (long long)off, (long long)length);
    ck_assert_int_eq(ledger_row(b->ledger, seq, OUTCOME_STORED, row, (size_t)n, b->file,
                                (uint64_t)(off + length)),
                     0);
}

/* Three URLs: two with records of 20 bytes, one open; and five generated, two of them excluded. */
static struct rig *job_new(void)
{
    struct rig *b = rig_new();
    new_file(b);
    for (int i = 0; i < 3; i++)
        accept_url(b, (const char *[]){"http://a/", "http://b/", "http://c/"}[i]);
    uint64_t base = ledger_generated(b->ledger, 100);
    ledger_cursor(b->ledger, 5);
    commit(b);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(write(b->fd, "WARC/1.1 0123456789\n", 20), 20);
    put_row(b, 1, 0, 20);
    commit(b);
    put_row(b, 2, 20, 20);
    const char *row = "{\"seq\":4,\"outcome\":\"excluded\"}\n";
    ledger_row(b->ledger, base, OUTCOME_EXCLUDED, row, strlen(row), 0, 0);
    commit(b);
    close(b->fd);
    return b;
}

START_TEST(finds_nothing_wrong_with_a_whole_job_while_it_runs)
{
    struct rig *b = job_new();
    struct buf text = {0};
    struct verify_report r = look(b, &text);
    ck_assert_str_eq(buf_str(&text), "");
    ck_assert_uint_eq(r.problems, 0);
    ck_assert_uint_eq(r.accepted, 8);
    ck_assert_uint_eq(r.open, 5);
    ck_assert_uint_eq(r.ended[OUTCOME_STORED], 2);
    ck_assert_uint_eq(r.rows, 3);
    ck_assert_uint_eq(r.records, 2);
    ck_assert_uint_eq(r.warc_bytes, 40);
    again(b);
    r = look(b, &text);
    ck_assert_uint_eq(r.problems, 0);
    buf_done(&text);
    rig_free(b);
}
END_TEST

START_TEST(tells_what_contradicts_what)
{
    static const struct {
        const char *file, *what;
        off_t off;
        const char *told;
    } rows[] = {
        {"results.jsonl", "cut", 30, "results.jsonl is shorter (30 bytes)"},
        {"results.jsonl", "{\"seq\":3", 0, "of seq 3, which has not ended"},
        {"results.jsonl", "{\"seq\":2", 0, "a second row of seq 2"},
        {"results.jsonl", "{\"seq\":x", 0, "is no row"},
        {"frontier.log", "?", 300, "the batch at offset 256 is damaged"},
        {"warc/F", "?", 20, "no record begins at offset 20 (seq 2)"},
        {"warc/F", "cut", 30, "ends inside the record at offset 20 (seq 2)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig *b = job_new();
        struct buf text = {0};
        again(b);
        char name[256];
        snprintf(name, sizeof name, "%s%s", strcmp(rows[i].file, "warc/F") ? rows[i].file : "warc/",
                 strcmp(rows[i].file, "warc/F") ? "" : b->name);
        spoil(b, name, rows[i].what, rows[i].off);
        struct verify_report r = look(b, &text);
        ck_assert_uint_gt(r.problems, 0);
        ck_assert_msg(strstr(buf_str(&text), rows[i].told), "%zu: %s", i, buf_str(&text));
        buf_done(&text);
        rig_free(b);
    }
}
END_TEST

START_TEST(repair_cuts_a_damaged_job_back_to_what_is_whole)
{
    for (int what = 0; what < 3; what++) {
        struct rig *b = job_new();
        struct buf text = {0};
        again(b);
        stop(b);
        char name[256];
        snprintf(name, sizeof name, "warc/%s", b->name);
        if (what == 0)
            spoil(b, name, "cut", 30);
        else if (what == 1)
            spoil(b, "results.jsonl", "cut", size_of(b, "results.jsonl") - 1);
        else
            spoil(b, "frontier.log", "?", size_of(b, "frontier.log") - 3);
        uint64_t cut = 0;
        ck_assert_int_eq(verify_repair(b->dir, &cut), 0);
        ck_assert_uint_gt(cut, 0);
        ck_assert_int_eq(size_of(b, "frontier.log.cut"), (off_t)cut);
        start(b, false);
        ck_assert_msg(!b->open_err, "%d: %s", what, b->why);
        ck_assert_uint_eq(counts(b).ended[OUTCOME_STORED], 1);
        ck_assert_int_eq(size_of(b, name), 20);
        struct verify_report r = look(b, &text);
        ck_assert_str_eq(buf_str(&text), "");
        ck_assert_uint_eq(r.open, 7);
        stop(b);
        ck_assert_int_eq(verify_repair(b->dir, &cut), 0);
        ck_assert_uint_eq(cut, 0);
        start(b, false);
        buf_done(&text);
        rig_free(b);
    }
}
END_TEST

UNIT_TESTS("verify", finds_nothing_wrong_with_a_whole_job_while_it_runs,
           tells_what_contradicts_what, repair_cuts_a_damaged_job_back_to_what_is_whole)
