/* SPDX-License-Identifier: MIT */
/* Time. Inside: int64_t nanoseconds of CLOCK_MONOTONIC; the wall clock is only for output and
 * for what must outlive a restart. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

int64_t clock_mono_ns(void);
int64_t clock_wall_ns(void);

/* "2026-11-20T11:05:17.123Z": 24 characters and a NUL. */
#define CLOCK_ISO_BYTES 25
void clock_iso(int64_t wall_ns, char ret_text[CLOCK_ISO_BYTES]);

#endif
