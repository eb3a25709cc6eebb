/* SPDX-License-Identifier: MIT */
/* One run of crawlctl: what was asked for, and the connection it uses. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "ctl/args.h"
#include "ctl/client.h"

#define CTL_SOCKET           "/run/crawld/control.sock"
#define CTL_REPLY_TIMEOUT_NS (60 * NS_PER_S)
#define CTL_FLAG_COUNT       8 /* global options and the row that ends them */

enum format { FORMAT_TABLE, FORMAT_WIDE, FORMAT_JSON, FORMAT_JSONL, FORMAT_CSV };

struct command;

struct ctl {
    const struct command *command;
    const char *socket; /* borrowed from argv or the environment */
    enum format format;
    bool format_given;
    bool quiet, help;
    int color;                /* 1 always, 0 never, -1 auto */
    int64_t reply_timeout_ns; /* 0 = no limit */
    struct client *client;    /* owned; NULL until ctl_connect() */
    struct flag flags[CTL_FLAG_COUNT];
};

/* Everything main() does; returns the exit code. */
int ctl_main(int argc, char **argv);

/* Options of the command (may be NULL) and the global ones; the words that stay must number
 * least..most, most < 0: any number. 0, or an exit code. */
int ctl_args(struct ctl *ctl, const struct flag *own, int least, int most, int *argc, char **argv);

int ctl_connect(struct ctl *ctl);

/* ctl_connect() if not yet connected, then client_call(). */
int ctl_call(struct ctl *ctl, const char *op, json_t *take_args, json_t **ret_result);

#endif
