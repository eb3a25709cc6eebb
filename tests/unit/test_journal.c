/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/frontier/state.h"
#include "tests/unit/unit.h"

static const struct journal_head head = {
    .first_number = 5, .solid_bytes = JOURNAL_HEAD_BYTES, .secret = {9, 8, 7}};

static int file_of(const struct buf *b)
{
    int fd = memfd_create("journal", MFD_CLOEXEC);
    ck_assert_int_eq(write(fd, buf_data(b), buf_len(b)), (ssize_t)buf_len(b));
    return fd;
}

/* A batch of `count` FLAG items. */
static void add_batch(struct buf *out, uint64_t number, uint32_t count)
{
    struct buf b = {0};
    batch_begin(&b);
    for (uint32_t i = 0; i < count; i++)
        item_put1(&b, ITEM_FLAG, i % 2 + 1);
    batch_seal(&b, &head, number, count);
    buf_add(out, buf_data(&b), buf_len(&b));
    buf_done(&b);
}

static struct buf three_batches(size_t ret_ends[3])
{
    struct buf b = {0};
    journal_head_put(&b, &head);
    for (uint64_t i = 0; i < 3; i++) {
        add_batch(&b, 5 + i, 3);
        ret_ends[i] = buf_len(&b);
    }
    return b;
}

/* How many whole batches are read; *ret_whole_behind says whether one follows a bad one. */
static int read_batches(const struct buf *b, int *ret_whole_behind)
{
    char why[JOURNAL_WHY_BYTES] = "";
    struct journal_reader r;
    struct batch_view v;
    uint64_t off;
    int fd = file_of(b), n = 0, err = journal_reader_init(&r, fd, why);
    while (!err && journal_reader_next(&r, &v) > 0)
        n++;
    *ret_whole_behind = err ? 0 : journal_reader_tail(&r, &off);
    journal_reader_done(&r);
    close(fd);
    return err ? err : n;
}

START_TEST(a_file_cut_anywhere_gives_the_whole_batches_before_the_cut)
{
    size_t ends[3];
    int behind;
    struct buf b = three_batches(ends);
    for (size_t n = buf_len(&b); n >= JOURNAL_HEAD_BYTES; n--) {
        buf_cut(&b, n);
        int want = (n >= ends[0]) + (n >= ends[1]) + (n >= ends[2]);
        ck_assert_int_eq(read_batches(&b, &behind), want);
        ck_assert_int_eq(behind, 0);
    }
    buf_cut(&b, JOURNAL_HEAD_BYTES - 1);
    ck_assert_int_eq(read_batches(&b, &behind), -EUCLEAN);
    buf_done(&b);
}
END_TEST

START_TEST(any_changed_byte_is_found_and_told_from_a_torn_tail)
{
    size_t ends[3];
    int behind;
    struct buf b = three_batches(ends);
    for (size_t i = 0; i < buf_len(&b); i++) {
        buf_data(&b)[i] ^= 0x10;
        int n = read_batches(&b, &behind);
        if (i < JOURNAL_HEAD_BYTES) {
            ck_assert_int_lt(n, 0);
        } else {
            ck_assert_int_eq(n, (i >= ends[0]) + (i >= ends[1]));
            ck_assert_int_eq(behind, n < 2);
        }
        buf_data(&b)[i] ^= 0x10;
    }
    buf_done(&b);
}
END_TEST

START_TEST(a_batch_out_of_order_ends_the_journal)
{
    int behind;
    struct buf b = {0};
    journal_head_put(&b, &head);
    add_batch(&b, 5, 1);
    add_batch(&b, 7, 1);
    ck_assert_int_eq(read_batches(&b, &behind), 1);
    ck_assert_int_eq(behind, 1);
    buf_done(&b);
}
END_TEST

START_TEST(items_survive_the_way_through_bytes)
{
    static const uint64_t numbers[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
    struct buf b = {0};
    for (size_t i = 0; i < 8; i++) {
        item_put2(&b, ITEM_GENERATED, numbers[i], numbers[7 - i]);
        item_put(&b, ITEM_ACCEPT, numbers[i], "text", 4);
    }
    struct cut c = {.p = (uint8_t *)buf_data(&b), .end = (uint8_t *)buf_data(&b) + buf_len(&b)};
    struct cut body;
    uint8_t tag;
    for (size_t i = 0; i < 8; i++) {
        ck_assert(cut_item(&c, &tag, &body));
        ck_assert_int_eq(tag, ITEM_GENERATED);
        ck_assert_uint_eq(cut_varint(&body), numbers[i]);
        ck_assert_uint_eq(cut_varint(&body), numbers[7 - i]);
        ck_assert(body.p == body.end && !body.bad);
        ck_assert(cut_item(&c, &tag, &body));
        ck_assert_uint_eq(cut_varint(&body), numbers[i]);
        ck_assert_int_eq(body.end - body.p, 4);
    }
    ck_assert(!cut_item(&c, &tag, &body) && !c.bad);
    buf_done(&b);
}
END_TEST

START_TEST(rows_of_a_commit_may_have_seqs_in_any_order)
{
    static const uint64_t seqs[] = {17, 3, UINT32_MAX, 1, 1u << 20};
    struct buf b = {0};
    uint64_t last = 0, seq;
    enum outcome o;
    for (int i = 0; i < 5; i++)
        commit_row_put(&b, &last, seqs[i], (enum outcome)(i % OUTCOME_COUNT));
    struct cut c = {.p = (uint8_t *)buf_data(&b), .end = (uint8_t *)buf_data(&b) + buf_len(&b)};
    last = 0;
    for (int i = 0; i < 5; i++) {
        ck_assert(commit_row_cut(&c, &last, &seq, &o));
        ck_assert_uint_eq(seq, seqs[i]);
        ck_assert_int_eq(o, i % OUTCOME_COUNT);
    }
    ck_assert(!commit_row_cut(&c, &last, &seq, &o));
    buf_done(&b);
}
END_TEST

/* Items with a right checksum but a wrong meaning, or none. */
static int apply(const void *items, size_t n, uint32_t count)
{
    char why[JOURNAL_WHY_BYTES] = "";
    struct state *s = state_new(&head, true);
    struct batch_view b = {
        .off = 256, .count = count, .items = {.p = items, .end = (const uint8_t *)items + n}};
    int err = state_apply(s, &b, why);
    ck_assert(!err || why[0]);
    state_free(s);
    return err;
}

START_TEST(contradictory_items_are_refused)
{
    static const struct {
        const char *bytes;
        size_t n;
        uint32_t count;
    } bad[] = {
        {"?\x00", 2, 1},                     /* unknown tag */
        {"F\x01\x00", 3, 1},                 /* file 0 */
        {"F\x02\x01", 3, 1},                 /* longer than the batch */
        {"F\x01\x01", 3, 2},                 /* fewer items than said */
        {"F\x02\x01\x01", 4, 1},             /* something behind the number */
        {"A\x02\x00x", 4, 1},                /* seq 0 */
        {"A\x02\x02xA\x02\x01y", 8, 2},      /* seqs fall */
        {"A\x02\x02x", 4, 1},                /* a seq is left out */
        {"S\x01\x00", 3, 1},                 /* no generator */
        {"C\x01\x01", 3, 1},                 /* no generator */
        {"W\x01\x00", 3, 1},                 /* no generator */
        {"E\x04\x00\x00\x01\x08", 6, 1},     /* a row of a URL never accepted */
        {"E\x05\x00\x01\x05\x07\x00", 7, 1}, /* the end of a file never made */
        {"E\x03\x00\x00\x7f", 5, 1},         /* fewer rows than said */
        {"L\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, 1}, /* no end of the number */
    };
    ck_assert_int_eq(apply("A\x02\x01xE\x04\x00\x00\x01\x08", 10, 2), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(apply(bad[i].bytes, bad[i].n, bad[i].count) == -EUCLEAN, "%zu", i);
}
END_TEST

START_TEST(random_bytes_never_harm)
{
    srand(11);
    char junk[300];
    for (int i = 0; i < 20000; i++) {
        size_t n = (size_t)rand() % sizeof junk;
        for (size_t k = 0; k < n; k++)
            junk[k] = (char)(rand() % 3 ? rand() % 8 : "FAaGSCLDENPW"[rand() % 12]);
        apply(junk, n, 1);
    }
}
END_TEST

UNIT_TESTS("journal", a_file_cut_anywhere_gives_the_whole_batches_before_the_cut,
           any_changed_byte_is_found_and_told_from_a_torn_tail,
           a_batch_out_of_order_ends_the_journal, items_survive_the_way_through_bytes,
           rows_of_a_commit_may_have_seqs_in_any_order, contradictory_items_are_refused,
           random_bytes_never_harm)
