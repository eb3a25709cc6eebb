/* SPDX-License-Identifier: MIT */
/* The reader of common/commands.def. */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "ctl/ctl.h"

struct command {
    const char *name, *arguments, *op, *level, *help;
    int (*run)(struct ctl *ctl, int argc, char **argv); /* NULL: not built */
};

/* argv: the words and options behind the command. Each returns the exit code. */
#define COMMAND_PROTOTYPE_YES(name) int cmd_##name(struct ctl *ctl, int argc, char **argv);
#define COMMAND_PROTOTYPE_NO(name)
#define COMMAND(name, arguments, op, level, built, help) COMMAND_PROTOTYPE_##built(name)
#include "common/commands.def"
#undef COMMAND

const struct command *command_find(const char *name);

/* The nearest name to a misspelt one, NULL if none. */
const char *command_near(const char *name);

/* Help on stdout: of one command, or the list if NULL. */
void command_help(const struct command *command);

#endif
