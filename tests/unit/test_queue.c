/* SPDX-License-Identifier: MIT */
#include "daemon/frontier/queue.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "tests/unit/unit.h"

START_TEST(gives_back_in_the_order_of_pushes)
{
    struct queue q = {0};
    for (uint64_t count = 1; count <= 5000; count = count * 2 + 1) {
        for (uint64_t i = 0; i < count; i++)
            queue_push(&q, i + UINT64_MAX - 5000);
        for (uint64_t i = 0; i < count; i++) {
            ck_assert(!queue_empty(&q));
            ck_assert_uint_eq(queue_first(&q), i + UINT64_MAX - 5000);
            ck_assert_uint_eq(queue_pop(&q), i + UINT64_MAX - 5000);
        }
        ck_assert(queue_empty(&q));
    }
}
END_TEST

START_TEST(pushes_to_the_front_come_first)
{
    struct queue q = {0};
    for (uint64_t i = 0; i < 1500; i++) {
        queue_push(&q, 2000 + i);
        queue_push_front(&q, 1999 - i);
    }
    for (uint64_t i = 500; i < 3500; i++)
        ck_assert_uint_eq(queue_pop(&q), i);
    ck_assert(queue_empty(&q));
}
END_TEST

/* Against an array, in random order, at sizes around one entry and around whole chunks. */
START_TEST(agrees_with_an_array)
{
    enum { ROOM = 60000 };
    uint64_t *model = xmalloc(2 * ROOM * sizeof *model);
    srand48(7);
    for (int round = 0; round < 40; round++) {
        struct queue q = {0};
        size_t head = ROOM, end = ROOM;
        long most = round < 20 ? 4 : 2000;
        for (int i = 0; i < ROOM / 2; i++) {
            uint64_t entry = (uint64_t)mrand48();
            long what = lrand48() % 4;
            if (what == 0 && head > 0 && (long)(end - head) < most)
                queue_push_front(&q, model[--head] = entry);
            else if (what == 1 && end < 2 * ROOM && (long)(end - head) < most)
                queue_push(&q, model[end++] = entry);
            else if (head < end)
                ck_assert_uint_eq(queue_pop(&q), model[head++]);
            ck_assert_int_eq(queue_empty(&q), head == end);
            if (head < end)
                ck_assert_uint_eq(queue_first(&q), model[head]);
        }
        queue_done(&q);
        ck_assert(queue_empty(&q));
    }
    free(model);
}
END_TEST

UNIT_TESTS("queue", gives_back_in_the_order_of_pushes, pushes_to_the_front_come_first,
           agrees_with_an_array)
