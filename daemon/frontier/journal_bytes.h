/* SPDX-License-Identifier: MIT */
/* What the journal's writer and reader share and nobody else needs. */
#ifndef FRONTIER_JOURNAL_BYTES_H
#define FRONTIER_JOURNAL_BYTES_H

#include "daemon/frontier/journal.h"

#define JOURNAL_MAGIC "crawlJNL"
#define BATCH_MAGIC   "\xB7jb\n" /* its first byte is no item's tag */
#define VARINT_MAX    10

uint64_t batch_checksum(const struct journal_head *h, const char *head, const char *items,
                        size_t n);

#endif
