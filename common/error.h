/* SPDX-License-Identifier: MIT */
/* Error codes of the control protocol: the readers of errors.def. */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

enum error_code {
#define ERROR_CODE(symbol, ...) ERROR_##symbol,
#include "common/errors.def"
#undef ERROR_CODE
    ERROR_COUNT
};

/* "bad_frame"; `code` must be in range. */
const char *error_name(enum error_code code);

/* What crawlctl exits with. */
int error_exit_code(enum error_code code);

/* -1 if there is none of that name. */
int error_parse(const char *name);

#endif
