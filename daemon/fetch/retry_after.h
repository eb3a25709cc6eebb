/* SPDX-License-Identifier: MIT */
/* The Retry-After field (RFC 9110, section 10.2.3). */
#ifndef FETCH_RETRY_AFTER_H
#define FETCH_RETRY_AFTER_H

#include <stdint.h>

#define RETRY_AFTER_MAX_S 86400

/* Seconds from now, rounded up, RETRY_AFTER_MAX_S at most; 0 if it names no time to come. value:
 * digits, or a date in any of the three forms of section 5.6.7. */
uint32_t retry_after_s(const char *value, int64_t wall_ns);

#endif
