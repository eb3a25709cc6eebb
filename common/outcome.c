/* SPDX-License-Identifier: MIT */
#include "common/outcome.h"

#include <string.h>

static const char *const outcome_names[OUTCOME_COUNT] = {"stored", "dropped", "failed", "excluded"};

enum { NEVER, TRY };

static const struct {
    const char *name;
    enum outcome outcome;
    bool again;
    const char *help;
} reasons[REASON_COUNT] = {
#define REASON(symbol, name, outcome, again, help) {name, OUTCOME_##outcome, again, help},
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
