/* SPDX-License-Identifier: MIT */
#include "daemon/frontier/blocklog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/frontier/fs.h"
#include "tests/unit/unit.h"

#define S    NS_PER_S
#define MONO (500 * S)
#define WALL (INT64_C(1800000000) * S)

static char dir[64];

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/test-blocklog-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
    char command[100];
    fs_use(NULL);
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static struct host_block busy(int64_t for_ns)
{
    return (struct host_block){.cause = BLOCK_ANSWER,
                               .status = 429,
                               .asked = true,
                               .answers = 3,
                               .since_ns = MONO - 20 * S,
                               .begin_ns = MONO - S,
                               .until_ns = MONO + for_ns};
}

static void put(struct buf *b, const char *name, const struct host_block *block)
{
    blocklog_put(b, name, strlen(name), block, MONO, WALL);
}

static struct blocklog_entries parsed(const struct buf *b, int64_t wall_ns)
{
    struct blocklog_entries e = {0};
    blocklog_parse(&e, buf_data(b), buf_len(b));
    blocklog_settle(&e, wall_ns);
    return e;
}

START_TEST(what_was_written_is_read)
{
    struct buf b = {0};
    struct host_block one = busy(90 * S),
                      two = {.cause = BLOCK_FAILURE,
                             .reason = REASON_CONNECT_REFUSED,
                             .failures = 2,
                             .said = true,
                             .since_ns = MONO - 9 * S,
                             .begin_ns = MONO - 9 * S,
                             .until_ns = MONO + 900 * S},
                      three = {.operator_ns = MONO, .operator_until_ns = BLOCK_FOREVER};
    buf_adds(&b, BLOCKLOG_HEAD);
    put(&b, "c.example", &three);
    put(&b, "b.example", &two);
    put(&b, "[2001:db8::1]", &one);
    struct blocklog_entries e = parsed(&b, WALL);
    ck_assert_uint_eq(e.count, 3);
    ck_assert_uint_eq(e.bad_lines, 0);
    struct host_block got = blocklog_block(&e.v[0], MONO, WALL);
    ck_assert_int_eq(memcmp(blocklog_name(&e, 0), "b.example", 9), 0);
    ck_assert_int_eq(got.cause, BLOCK_FAILURE);
    ck_assert_int_eq(got.reason, REASON_CONNECT_REFUSED);
    ck_assert_int_eq(got.failures, 2);
    ck_assert_int_eq(got.until_ns, two.until_ns);
    ck_assert_int_eq(got.since_ns, two.since_ns);
    got = blocklog_block(&e.v[1], MONO, WALL);
    ck_assert_int_eq(got.operator_until_ns, BLOCK_FOREVER);
    ck_assert_int_eq(got.operator_ns, MONO);
    got = blocklog_block(&e.v[2], MONO, WALL);
    ck_assert(got.asked && got.status == 429 && got.answers == 3);
    ck_assert_int_eq(got.until_ns, one.until_ns);
    blocklog_entries_done(&e);
    buf_done(&b);
}
END_TEST

START_TEST(the_last_line_of_a_host_counts)
{
    struct buf b = {0};
    buf_adds(&b, BLOCKLOG_HEAD);
    for (int i = 1; i < 9; i++) {
        struct host_block block = busy(i * 10 * S);
        put(&b, "a", &block);
        put(&b, "ab", &block);
    }
    struct host_block lifted = busy(0);
    put(&b, "ab", &lifted);
    struct blocklog_entries e = parsed(&b, WALL);
    ck_assert_uint_eq(e.count, 2);
    ck_assert_int_eq(blocklog_block(&e.v[0], MONO, WALL).until_ns, MONO + 80 * S);
    ck_assert_int_eq(blocklog_block(&e.v[1], MONO, WALL).until_ns, MONO);
    blocklog_entries_done(&e);
    e = parsed(&b, WALL + BLOCK_QUIET_NS);
    ck_assert_uint_eq(e.count, 1);
    blocklog_entries_done(&e);
    e = parsed(&b, WALL + 80 * S + BLOCK_QUIET_NS);
    ck_assert_uint_eq(e.count, 0);
    blocklog_entries_done(&e);
    buf_done(&b);
}
END_TEST

START_TEST(a_wall_clock_that_jumps_makes_no_block_longer)
{
    struct buf b = {0};
    struct host_block block = busy(60 * S);
    block.operator_ns = MONO - S;
    block.operator_until_ns = MONO + 200 * S;
    buf_adds(&b, BLOCKLOG_HEAD);
    put(&b, "a", &block);
    struct blocklog_entries e = parsed(&b, WALL);
    static const struct {
        int64_t wall_ns, left_s, operator_left_s;
    } jumps[] = {{WALL + 20 * S, 40, 180},
                 {WALL, 60, 200},
                 {WALL - 86400 * S, 60, 200},
                 {0, 60, 200},
                 {WALL + 100 * S, -40, 100}};
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        struct host_block got = blocklog_block(&e.v[0], 7 * S, jumps[i].wall_ns);
        ck_assert_int_eq(got.until_ns, (7 + jumps[i].left_s) * S);
        ck_assert_int_eq(got.until_ns - got.since_ns, 80 * S);
        ck_assert_int_eq(got.operator_until_ns, (7 + jumps[i].operator_left_s) * S);
        ck_assert_int_le(got.operator_ns, 7 * S);
    }
    blocklog_entries_done(&e);
    buf_done(&b);
}
END_TEST

/* Every cut of the file gives the lines that are whole. */
START_TEST(a_torn_tail_is_cut_at_every_byte)
{
    struct buf b = {0};
    buf_adds(&b, BLOCKLOG_HEAD);
    size_t ends[4] = {buf_len(&b)};
    for (int i = 0; i < 3; i++) {
        char name[2] = {(char)('a' + i)};
        struct host_block block = busy(60 * S);
        put(&b, name, &block);
        ends[i + 1] = buf_len(&b);
    }
    for (size_t n = 0; n <= buf_len(&b); n++) {
        struct blocklog_entries e = {0};
        blocklog_parse(&e, buf_data(&b), n);
        size_t whole = 0;
        while (whole < 3 && ends[whole + 1] <= n)
            whole++;
        ck_assert_uint_eq(e.count, whole);
        ck_assert_uint_eq(e.bad_lines, 0);
        ck_assert_int_eq(e.foreign, n > 0 && n < ends[0]);
        ck_assert_int_eq(e.torn, n > ends[0] && n != ends[whole]);
        blocklog_entries_done(&e);
    }
    buf_done(&b);
}
END_TEST

START_TEST(any_changed_byte_of_a_line_makes_it_bad)
{
    struct buf b = {0};
    struct host_block block = busy(60 * S);
    put(&b, "host.example", &block);
    size_t n = buf_len(&b) - 1;
    for (size_t i = 0; i < n; i++)
        for (int bit = 0; bit < 8; bit++) {
            struct blocklog_entries e = {0};
            buf_data(&b)[i] = (char)(buf_data(&b)[i] ^ 1 << bit);
            ck_assert(!blocklog_take(&e, buf_data(&b), n));
            buf_data(&b)[i] = (char)(buf_data(&b)[i] ^ 1 << bit);
            blocklog_entries_done(&e);
        }
    struct blocklog_entries e = {0};
    ck_assert(blocklog_take(&e, buf_data(&b), n));
    blocklog_entries_done(&e);
    buf_done(&b);
}
END_TEST

/* ---- the file ---- */

static void path_of(char path[100], const char *name)
{
    snprintf(path, 100, "%s/%s", dir, name);
}

static size_t reopened(struct blocklog *l)
{
    struct blocklog_entries e = {0};
    blocklog_done(l);
    blocklog_init(l, dir);
    ck_assert_int_eq(blocklog_open(l, WALL, &e), 0);
    size_t count = e.count;
    blocklog_entries_done(&e);
    return count;
}

static int add(struct blocklog *l, const char *name)
{
    struct buf b = {0};
    struct host_block block = busy(600 * S);
    put(&b, name, &block);
    int err = blocklog_add(l, buf_data(&b), buf_len(&b), WALL);
    buf_done(&b);
    return err;
}

START_TEST(no_file_until_there_is_something_to_say)
{
    struct blocklog l;
    struct blocklog_entries e = {0};
    char path[100];
    path_of(path, "hosts.log");
    blocklog_init(&l, dir);
    ck_assert_int_eq(blocklog_open(&l, WALL, &e), 0);
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_int_eq(add(&l, "a"), 0);
    ck_assert_int_eq(add(&l, "b"), 0);
    ck_assert_uint_eq(reopened(&l), 2);
    ck_assert_uint_eq(reopened(&l), 2);
    blocklog_done(&l);
}
END_TEST

static int synced_at_once(int fd)
{
    return 0;
}

START_TEST(it_is_written_new_before_it_is_much_longer_than_what_it_says)
{
    struct blocklog l;
    struct stat st;
    char path[100];
    struct fs fast = *fs;
    fast.fdatasync = fast.fsync = synced_at_once;
    fs_use(&fast);
    path_of(path, "hosts.log");
    blocklog_init(&l, dir);
    for (int i = 0; i < 30000; i++)
        ck_assert_int_eq(add(&l, i % 2 ? "a.example" : "b.example"), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_lt(st.st_size, 1200000);
    ck_assert_uint_eq(reopened(&l), 2);
    blocklog_done(&l);
}
END_TEST

START_TEST(damage_is_kept_aside_and_the_rest_is_used)
{
    struct blocklog l;
    char path[100], aside[100];
    path_of(path, "hosts.log");
    path_of(aside, "hosts.log.damaged");
    blocklog_init(&l, dir);
    for (const char *name = "abc"; *name; name++)
        ck_assert_int_eq(add(&l, (char[]){*name, 0}), 0);
    FILE *f = fopen(path, "r+");
    fseek(f, (long)sizeof BLOCKLOG_HEAD + 150, SEEK_SET);
    fputc('x', f);
    fclose(f);
    ck_assert_uint_eq(reopened(&l), 2);
    ck_assert_int_eq(access(aside, F_OK), 0);
    unlink(aside);
    ck_assert_uint_eq(reopened(&l), 2);
    ck_assert_int_eq(access(aside, F_OK), -1);
    f = fopen(path, "r+");
    fputs("crawld-hosts 2\n", f);
    fclose(f);
    ck_assert_uint_eq(reopened(&l), 0);
    ck_assert_int_eq(access(aside, F_OK), 0);
    blocklog_done(&l);
}
END_TEST

/* ---- a disk that fails at the n-th call ---- */

static struct fs failing;
static int fails_at, calls, fails_with;

static bool fails(void)
{
    return ++calls >= fails_at;
}

static ssize_t pwrite_or_not(int fd, const void *p, size_t n, uint64_t off)
{
    bool no = fails();
    ssize_t r = pwrite(fd, p, no ? n / 2 : n, (off_t)off);
    return no ? -fails_with : r;
}

static int fdatasync_or_not(int fd)
{
    return fails() ? -fails_with : fdatasync(fd);
}

static int fsync_or_not(int fd)
{
    return fails() ? -fails_with : fsync(fd);
}

static int rename_or_not(const char *from, const char *to)
{
    return fails() ? -fails_with : rename(from, to);
}

START_TEST(a_full_disk_loses_nothing_once_it_is_not_full_any_more)
{
    for (int n = 1; n < 12; n++) {
        struct blocklog l;
        struct buf b = {0};
        struct host_block block = busy(600 * S);
        char path[100];
        path_of(path, "hosts.log");
        unlink(path);
        failing = *fs;
        failing.pwrite = pwrite_or_not;
        failing.fdatasync = fdatasync_or_not;
        failing.fsync = fsync_or_not;
        failing.rename = rename_or_not;
        fails_at = n;
        calls = 0;
        fails_with = n % 2 ? ENOSPC : EIO;
        fs_use(&failing);
        blocklog_init(&l, dir);
        unsigned good = 0;
        for (int i = 0; i < 5; i++) {
            char name[2] = {(char)('a' + i)};
            put(&b, name, &block);
            int err = blocklog_add(&l, buf_data(&b), buf_len(&b), WALL);
            ck_assert(!err || err == -fails_with);
            good += !err;
            if (!err)
                buf_clear(&b);
        }
        ck_assert_uint_le(good, (unsigned)n);
        fs_use(NULL);
        put(&b, "f", &block);
        ck_assert_int_eq(blocklog_add(&l, buf_data(&b), buf_len(&b), WALL), 0);
        ck_assert_uint_eq(reopened(&l), 6);
        blocklog_done(&l);
        buf_done(&b);
    }
}
END_TEST

static unsigned problems;

static void problem(void *arg, const char *text)
{
    problems++;
}

START_TEST(verify_tells_damage_from_a_tail)
{
    struct blocklog l;
    uint64_t lines;
    char path[100];
    path_of(path, "hosts.log");
    ck_assert_int_eq(blocklog_verify(path, problem, NULL, &lines), 0);
    blocklog_init(&l, dir);
    add(&l, "a");
    add(&l, "b");
    ck_assert_int_eq(blocklog_verify(path, problem, NULL, &lines), 0);
    ck_assert_uint_eq(lines, 2);
    ck_assert_int_eq(truncate(path, (off_t)l.bytes - 5), 0);
    ck_assert_int_eq(blocklog_verify(path, problem, NULL, &lines), 0);
    ck_assert_uint_eq(problems, 0);
    FILE *f = fopen(path, "a");
    fputs("\n", f);
    fclose(f);
    ck_assert_int_eq(blocklog_verify(path, problem, NULL, &lines), 0);
    ck_assert_uint_eq(problems, 1);
    blocklog_done(&l);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_was_written_is_read,
        the_last_line_of_a_host_counts,
        a_wall_clock_that_jumps_makes_no_block_longer,
        a_torn_tail_is_cut_at_every_byte,
        any_changed_byte_of_a_line_makes_it_bad,
        no_file_until_there_is_something_to_say,
        it_is_written_new_before_it_is_much_longer_than_what_it_says,
        damage_is_kept_aside_and_the_rest_is_used,
        a_full_disk_loses_nothing_once_it_is_not_full_any_more,
        verify_tells_damage_from_a_tail,
    };
    Suite *s = suite_create("blocklog");
    TCase *c = tcase_create("blocklog");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(c, tests[i]);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
