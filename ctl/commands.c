/* SPDX-License-Identifier: MIT */
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

#include "common/suggest.h"
#include "ctl/exits.h"
#include "ctl/help.h"
#include "ctl/jobflags.h"
#include "ctl/say.h"

#define RUN_YES(name) cmd_##name
#define RUN_NO(name)  NULL

static const struct command commands[] = {
#define COMMAND(name, arguments, op, level, built, help)                                           \
    {#name, arguments, op, #level, help, RUN_##built(name)},
#include "common/commands.def"
#undef COMMAND
};

#define CTL_USAGE                                                                                  \
    "[-s SOCKET] [-o table|wide|json|jsonl|csv] [--json] [-q] [--reply-timeout DUR] "              \
    "[--color auto|always|never] COMMAND ..."

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

const char *command_near(const char *name)
{
    struct suggest near;
    suggest_init(&near, name);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        suggest_offer(&near, commands[i].name, commands[i].name);
    return suggest_answer(&near);
}

static void help_list(void)
{
    struct buf unbuilt = {0};
    help_text("crawlctl ", CTL_USAGE);
    putchar('\n');
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char head[16];
        snprintf(head, sizeof head, "  %-9s ", commands[i].name);
        if (commands[i].run)
            help_text(head, commands[i].help);
        else
            buf_addf(&unbuilt, "%s%s", buf_len(&unbuilt) ? " " : "", commands[i].name);
    }
    putchar('\n');
    help_text("not built yet: ", buf_str(&unbuilt));
    buf_done(&unbuilt);
    puts("\nThe socket is -s, else $CRAWLCTL_SOCKET, else " CTL_SOCKET ".");
    help_text("Exit codes: ",
              "0 ok, 1 failed, 2 usage, 3 no daemon, 4 not found, 5 denied, "
              "6 wrong state, 7 protocol mismatch, 124 timed out, 130 interrupted.");
}

struct option_row {
    const char *command, *option, *help;
};

static const struct option_row option_rows[] = {
#define OPTION(command, option, help) {command, option, help},
#include "ctl/options.def"
#undef OPTION
};

static void option_help(const char *command)
{
    bool first = true;
    for (size_t i = 0; i < sizeof option_rows / sizeof *option_rows; i++) {
        const struct option_row *row = &option_rows[i];
        if (strcmp(row->command, command))
            continue;
        fputs(first ? "\n" : "", stdout);
        help_option(row->option, row->help);
        first = false;
    }
}

void command_help(const struct command *command)
{
    if (!command) {
        help_list();
        return;
    }
    char head[32];
    snprintf(head, sizeof head, "crawlctl %s ", command->name);
    if (*command->arguments)
        help_text(head, command->arguments);
    else
        printf("crawlctl %s\n", command->name);
    printf("\n%s%s\n", command->help, command->run ? "" : " (not built yet)");
    if (command->run)
        option_help(command->name);
    if (strstr(command->arguments, "JOB FLAGS") && command->run)
        jobflags_help();
}

int cmd_help(struct ctl *ctl, int argc, char **argv)
{
    int r = ctl_args(ctl, NULL, 0, 1, &argc, argv);
    if (r)
        return r;
    const struct command *command = argc ? command_find(argv[0]) : NULL;
    if (argc && !command) {
        say_error("no command %s", argv[0]);
        const char *near = command_near(argv[0]);
        say_hint(near ? "did you mean %s?" : "crawlctl help lists them%s", near ?: "");
        return EXIT_USAGE;
    }
    command_help(command);
    return 0;
}
