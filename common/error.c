/* SPDX-License-Identifier: MIT */
#include "common/error.h"

#include <string.h>

static const struct {
    const char *name;
    int exit_code;
} errors[ERROR_COUNT] = {
#define ERROR_CODE(symbol, name, exit_code, help) {name, exit_code},
#include "common/errors.def"
#undef ERROR_CODE
};

const char *error_name(enum error_code code)
{
    return errors[code].name;
}

int error_exit_code(enum error_code code)
{
    return errors[code].exit_code;
}

int error_parse(const char *name)
{
    for (int code = 0; code < ERROR_COUNT; code++)
        if (!strcmp(name, errors[code].name))
            return code;
    return -1;
}
