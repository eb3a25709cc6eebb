/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "common/buf.h"
#include "tests/unit/unit.h"

START_TEST(keeps_bytes_in_order_when_consumed_from_the_front)
{
    struct buf b = {0};
    unsigned char next_in = 0, next_out = 0;
    for (int i = 0; i < 1000; i++) {
        for (int k = 0; k < i % 17; k++)
            buf_addc(&b, (char)next_in++);
        for (int k = 0; k < i % 13 && buf_len(&b); k++) {
            ck_assert_int_eq((unsigned char)*buf_data(&b), next_out++);
            buf_consume(&b, 1);
        }
    }
    while (buf_len(&b)) {
        ck_assert_int_eq((unsigned char)*buf_data(&b), next_out++);
        buf_consume(&b, 1);
    }
    ck_assert_int_eq(next_in, next_out);
    buf_done(&b);
}
END_TEST

START_TEST(formats_numbers_of_any_size)
{
    struct buf b = {0};
    buf_addu(&b, 0);
    buf_addc(&b, ' ');
    buf_addu(&b, UINT64_MAX);
    buf_addf(&b, " %0300d", 7);
    ck_assert_int_eq(strncmp(buf_str(&b), "0 18446744073709551615 000", 26), 0);
    ck_assert_uint_eq(buf_len(&b), 23 + 300);
    buf_done(&b);
}
END_TEST

START_TEST(taken_memory_is_terminated_and_leaves_an_empty_buffer)
{
    struct buf b = {0};
    buf_adds(&b, "xxhello");
    buf_consume(&b, 2);
    size_t n;
    char *s = buf_take(&b, &n);
    ck_assert_str_eq(s, "hello");
    ck_assert_uint_eq(n, 5);
    ck_assert_uint_eq(buf_len(&b), 0);
    free(s);
}
END_TEST

UNIT_TESTS("buf", keeps_bytes_in_order_when_consumed_from_the_front, formats_numbers_of_any_size,
           taken_memory_is_terminated_and_leaves_an_empty_buffer)
