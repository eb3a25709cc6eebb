/* SPDX-License-Identifier: MIT */
/* Durations and sizes as people write them: "500ms" "1s" "1.5s" "2m" "1h" "1d"; "2GiB" "10MB"
 * "512k" "4096". A duration needs its unit unless it is 0; a size without one is bytes. */
#ifndef COMMON_QUANTITY_H
#define COMMON_QUANTITY_H

#include <stdint.h>

#include "common/buf.h"

/* 0, or -EINVAL if it is none or does not fit. Never negative. */
int quantity_parse_ms(const char *text, int64_t *ret_ms);
int quantity_parse_bytes(const char *text, int64_t *ret_bytes);

/* In the largest unit that needs no fraction: "90s", "2GiB". */
void quantity_add_ms(struct buf *b, int64_t ms);
void quantity_add_bytes(struct buf *b, int64_t bytes);

#endif
