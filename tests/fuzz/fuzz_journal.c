/* SPDX-License-Identifier: MIT */
/* The items of a batch, as if its checksum were right: whatever they say, state_apply() takes it or
 * refuses it with a reason. */
#include <stdint.h>
#include <stdlib.h>

#include "daemon/frontier/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct journal_head head = {.first_number = 1};
    char why[JOURNAL_WHY_BYTES] = "";
    if (!n)
        return 0;
    struct state *s = state_new(&head, true);
    struct batch_view b = {
        .off = JOURNAL_HEAD_BYTES, .count = data[0], .items = {.p = data + 1, .end = data + n}};
    if (state_apply(s, &b, why) && !why[0])
        abort();
    uint64_t open[16];
    if (s->window.count)
        window_list(&s->window, 0, open, 16);
    state_free(s);
    return 0;
}
