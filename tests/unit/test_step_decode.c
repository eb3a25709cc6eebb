/* SPDX-License-Identifier: MIT */
#include "tests/unit/machine_rig.h"
#include "tests/unit/unit.h"

#define NONE "{\"pace\":{\"preset\":\"own\"},\"store\":{\"format\":\"none\"}"

#define LACKS(text) ",\"keep\":{\"body_lacks\":[\"" text "\"]}}"

START_TEST(rules_look_into_the_text_of_a_page)
{
    begin(NONE LACKS("\xe4\xb8\x8d\xe5\xad\x98\xe5\x9c\xa8"));
    fetch(lease("/gbk"));
    expect(IPC_DONE, OUTCOME_DROPPED, REASON_KEEP_BODY_LACKS);
    ck_assert_str_eq(row_text("charset"), "gbk");
    ck_assert_int_eq(row_number("body_bytes"), 6);
    ck_assert_int_eq(t.end.kept, 1);
    fetch(lease("/ok"));
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    ck_assert_uint_eq(t.m->memory_bytes, 0);
    end();
}
END_TEST

START_TEST(a_broken_coding_is_stored_where_no_text_is_needed)
{
    begin(NONE "}");
    fetch(lease("/broken"));
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    ck_assert_str_eq(row_text("charset"), "");
    end();
}
END_TEST

START_TEST(a_broken_coding_fails_where_the_text_is_needed)
{
    begin(NONE LACKS("x"));
    fetch(lease("/broken"));
    expect(IPC_DONE, OUTCOME_FAILED, REASON_BAD_ENCODING);
    ck_assert_str_ne(row_text("detail"), "");
    end();
}
END_TEST

START_TEST(a_page_of_a_status_nobody_wants_is_not_decoded)
{
    begin(NONE ",\"keep\":{\"body_lacks\":[\"x\"],\"status\":[404]}}");
    fetch(lease("/broken"));
    expect(IPC_DONE, OUTCOME_DROPPED, REASON_KEEP_STATUS);
    end();
}
END_TEST

/* 300,000 bytes are more than a turn decodes. */
static void give_till_decoding(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        give(lease("/big"));
    for (hear(); t.stats.in_state[FETCH_DECODE] < 2; hear())
        ev_run(t.loop, EVRUN_ONCE);
}

START_TEST(long_texts_take_turns)
{
    begin(NONE LACKS("x"));
    give_till_decoding(4);
    uint64_t before = ends();
    hear();
    ck_assert_uint_le(ends() - before, 1);
    run_until(IPC_DONE, 4);
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    ck_assert_int_eq(row_number("body_bytes"), BIG_BYTES);
    ck_assert_uint_eq(t.m->memory_bytes, 0);
    end();
}
END_TEST

START_TEST(a_fetch_revoked_while_it_is_decoded_leaves_the_decoder_to_the_next)
{
    begin(NONE LACKS("\xe4\xb8\x8d\xe5\xad\x98\xe5\x9c\xa8"));
    give_till_decoding(4);
    uint64_t before = ends();
    machine_revoke(t.m, 1);
    run_until(IPC_REVOKED, 1);
    ck_assert_uint_eq(ends(), before);
    ck_assert_uint_eq(t.stats.value[STAT_LEASES], 0);
    fetch(lease("/gbk"));
    expect(IPC_DONE, OUTCOME_DROPPED, REASON_KEEP_BODY_LACKS);
    fetch(lease("/big"));
    expect(IPC_DONE, OUTCOME_STORED, REASON_NONE);
    end();
}
END_TEST

UNIT_TESTS("step_decode", rules_look_into_the_text_of_a_page,
           a_broken_coding_is_stored_where_no_text_is_needed,
           a_broken_coding_fails_where_the_text_is_needed,
           a_page_of_a_status_nobody_wants_is_not_decoded, long_texts_take_turns,
           a_fetch_revoked_while_it_is_decoded_leaves_the_decoder_to_the_next)
