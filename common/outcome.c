/* SPDX-License-Identifier: MIT */
#include "common/outcome.h"

#include <string.h>

static const char *const outcome_names[OUTCOME_COUNT] = {"stored", "dropped", "failed", "excluded"};

enum { NEVER, TRY };
enum { URL, HOST };

static const struct {
    const char *name;
    enum outcome outcome;
    bool again, host;
    const char *help;
} reasons[REASON_COUNT] = {
#define REASON(symbol, name, outcome, again, whose, help)                                          \
    {name, OUTCOME_##outcome, again, whose, help},
#include "common/outcomes.def"
#undef REASON
};

const char *outcome_name(enum outcome o)
{
    return outcome_names[o];
}

int outcome_parse(const char *name)
{
    for (int o = 0; o < OUTCOME_COUNT; o++)
        if (!strcmp(name, outcome_names[o]))
            return o;
    return -1;
}

const char *reason_name(enum reason r)
{
    return reasons[r].name;
}

enum reason reason_parse(const char *name)
{
    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++)
        if (!strcmp(name, reasons[r].name))
            return (enum reason)r;
    return REASON_NONE;
}

const char *reason_help(enum reason r)
{
    return reasons[r].help;
}

enum outcome reason_outcome(enum reason r)
{
    return reasons[r].outcome;
}

bool reason_again(enum reason r)
{
    return reasons[r].again;
}

bool reason_blames_host(enum reason r)
{
    return reasons[r].host;
}
