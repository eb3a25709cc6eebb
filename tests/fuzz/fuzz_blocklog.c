/* SPDX-License-Identifier: MIT */
/* hosts.log: any bytes are read, and lines as if their checksum were right; what is taken is written and
 * read again as the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "daemon/frontier/blocklog.h"

#define WALL_NS (INT64_C(1800000000) * NS_PER_S)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void write_and_read(const struct blocklog_entries *e)
{
    const struct blocklog_entry *x = &e->v[0];
    struct buf line = {0};
    struct blocklog_entries again = {0};
    blocklog_block(x, NS_PER_S, WALL_NS);
    blocklog_put(&line, blocklog_name(e, 0), x->name_len, &x->block, x->written_ns, x->written_ns);
    if (!blocklog_take(&again, buf_data(&line), buf_len(&line) - 1) ||
        again.v[0].block.until_ns != x->block.until_ns ||
        again.v[0].block.operator_until_ns != x->block.operator_until_ns)
        abort();
    blocklog_entries_done(&again);
    buf_done(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct blocklog_entries e = {0};
    struct buf text = {0};
    blocklog_parse(&e, (const char *)data, n);
    blocklog_settle(&e, WALL_NS);
    blocklog_entries_done(&e);
    buf_add(&text, data, n);
    buf_addf(&text, " %016llx", (unsigned long long)XXH3_64bits(data, n));
    if (blocklog_take(&e, buf_data(&text), buf_len(&text)))
        write_and_read(&e);
    blocklog_entries_done(&e);
    buf_done(&text);
    return 0;
}
