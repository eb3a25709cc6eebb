/* SPDX-License-Identifier: MIT */
/* The command line of crawld. */
#ifndef SUPERVISOR_ARGS_H
#define SUPERVISOR_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

#define ARGS_CONFIG_FILE "/etc/crawld/crawld.conf"

/* A key set on the command line; goes over the file. */
struct args_set {
    char *key;         /* owned */
    const char *value; /* borrowed from argv */
};

struct args {
    const char *config;    /* borrowed from argv; NULL: ARGS_CONFIG_FILE if there is one */
    struct args_set *sets; /* owned */
    size_t sets_count;
    bool check, dump, version, help;
};

/* 0, or -EINVAL (exit 2) with text for a person added to ret_error and nothing to free. */
int args_parse(int argc, char **argv, struct args *ret_args, struct buf *ret_error);
void args_done(struct args *a);

/* What --help prints. */
extern const char args_usage[];

#endif
