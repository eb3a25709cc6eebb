/* SPDX-License-Identifier: MIT */
#include "common/stats.h"

enum { COUNTER = STAT_COUNTER, GAUGE = STAT_GAUGE, MOST = STAT_MOST };

static const struct {
    const char *name;
    enum stat_kind kind;
} stats[STAT_COUNT] = {
#define STAT(symbol, name_, kind_, unit, help) {.name = name_, .kind = (enum stat_kind)kind_},
#include "common/stats.def"
#undef STAT
};

const char *stat_name(enum stat_id id)
{
    return stats[id].name;
}

enum stat_kind stat_kind(enum stat_id id)
{
    return stats[id].kind;
}
