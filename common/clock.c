/* SPDX-License-Identifier: MIT */
#include "common/clock.h"

#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

static void digits(char *p, unsigned n, int count)
{
    while (count-- > 0) {
        p[count] = (char)('0' + n % 10);
        n /= 10;
    }
}

void clock_iso(int64_t wall_ns, char ret_text[CLOCK_ISO_BYTES])
{
    time_t s = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    gmtime_r(&s, &tm);
    memcpy(ret_text, "0000-00-00T00:00:00.000Z", CLOCK_ISO_BYTES);
    digits(ret_text, (unsigned)tm.tm_year + 1900, 4);
    digits(ret_text + 5, (unsigned)tm.tm_mon + 1, 2);
    digits(ret_text + 8, (unsigned)tm.tm_mday, 2);
    digits(ret_text + 11, (unsigned)tm.tm_hour, 2);
    digits(ret_text + 14, (unsigned)tm.tm_min, 2);
    digits(ret_text + 17, (unsigned)tm.tm_sec, 2);
    digits(ret_text + 20, (unsigned)(wall_ns % NS_PER_S / NS_PER_MS), 3);
}
