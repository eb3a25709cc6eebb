/* SPDX-License-Identifier: MIT */
#include "daemon/fetch/retry_after.h"

#include <string.h>
#include <time.h>

#include "common/clock.h"

static uint32_t bounded(int64_t s)
{
    return s <= 0 ? 0 : s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (uint32_t)s;
}

static uint32_t seconds(const char *p, size_t n)
{
    int64_t s = 0;
    for (size_t i = 0; i < n; i++)
        s = s > RETRY_AFTER_MAX_S ? s : s * 10 + (p[i] - '0');
    return bounded(s);
}

static uint32_t date(const char *value, int64_t wall_ns)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = {0};
        const char *end = strptime(value, forms[i], &tm);
        if (end && !end[strspn(end, " \t")])
            return bounded(timegm(&tm) - wall_ns / NS_PER_S);
    }
    return 0;
}

uint32_t retry_after_s(const char *value, int64_t wall_ns)
{
    size_t n = strspn(value, "0123456789");
    if (n && !value[n + strspn(value + n, " \t")])
        return seconds(value, n);
    return date(value, wall_ns);
}
