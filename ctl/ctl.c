/* SPDX-License-Identifier: MIT */
/* main() in three steps: the global options before the command, the command's row, its function.
 * Commands hand their own options to ctl_args(), which takes the global ones there too. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/exits.h"
#include "ctl/input.h"
#include "ctl/say.h"
#include "ctl/signals.h"

static const char *const format_names[] = {"table", "wide", "json", "jsonl", "csv"};

static int take_format(const struct flag *flag, const char *value, void *target)
{
    struct ctl *ctl = target;
    ctl->format_given = true;
    for (size_t i = 0; i < sizeof format_names / sizeof *format_names; i++)
        if (!strcmp(value ?: "json", format_names[i])) {
            ctl->format = (enum format)i;
            return 0;
        }
    return flag_refuse(flag, value, "table, wide, json, jsonl or csv");
}

static int take_color(const struct flag *flag, const char *value, void *target)
{
    struct ctl *ctl = target;
    if (!strcmp(value, "auto"))
        ctl->color = -1;
    else if (!strcmp(value, "always"))
        ctl->color = 1;
    else if (!strcmp(value, "never"))
        ctl->color = 0;
    else
        return flag_refuse(flag, value, "auto, always or never");
    say_init(ctl->color, ctl->quiet);
    return 0;
}

static int take_quiet(const struct flag *flag, const char *value, void *target)
{
    struct ctl *ctl = target;
    ctl->quiet = true;
    say_init(ctl->color, ctl->quiet);
    return 0;
}

static void init(struct ctl *ctl)
{
    const char *socket = getenv("CRAWLCTL_SOCKET");
    *ctl = (struct ctl){
        .socket = socket && *socket ? socket : CTL_SOCKET,
        .color = -1,
        .reply_timeout_ns = CTL_REPLY_TIMEOUT_NS,
    };
    const struct flag flags[CTL_FLAG_COUNT] = {
        {"socket", 's', false, flag_text, &ctl->socket},
        {"output", 'o', false, take_format, ctl},
        {"json", 0, true, take_format, ctl},
        {"quiet", 'q', true, take_quiet, ctl},
        {"reply-timeout", 0, false, flag_span, &ctl->reply_timeout_ns},
        {"color", 0, false, take_color, ctl},
        {"help", 'h', true, flag_set, &ctl->help},
    };
    memcpy(ctl->flags, flags, sizeof flags);
}

int ctl_args(struct ctl *ctl, const struct flag *own, int least, int most, int *argc, char **argv)
{
    const struct flag *tables[] = {own ? own : ctl->flags, own ? ctl->flags : NULL, NULL};
    int r = args_parse(tables, false, argc, argv);
    if (r)
        return r;
    if (ctl->help) {
        command_help(ctl->command);
        fflush(stdout);
        exit(EXIT_OK);
    }
    for (int i = 0; i < *argc; i++)
        if (!input_is_text(argv[i], strlen(argv[i]))) {
            say_error("not UTF-8: %s", argv[i]);
            return EXIT_USAGE;
        }
    if (*argc >= least && (most < 0 || *argc <= most))
        return 0;
    say_error("%s: %s", ctl->command->name,
              *argc < least ? "something is missing" : "too many words");
    say_hint("crawlctl %s%s%s", ctl->command->name, *ctl->command->arguments ? " " : "",
             ctl->command->arguments);
    return EXIT_USAGE;
}

int ctl_connect(struct ctl *ctl)
{
    return ctl->client ? 0 : client_open(ctl->socket, ctl->reply_timeout_ns, &ctl->client);
}

int ctl_call(struct ctl *ctl, const char *op, json_t *take_args, json_t **ret_result)
{
    int r = ctl_connect(ctl);
    if (r) {
        json_decref(take_args);
        return r;
    }
    return client_call(ctl->client, op, take_args, ret_result);
}

static int unknown_command(const char *name)
{
    const char *near = command_near(name);
    say_error("unknown command %s", name);
    say_hint(near ? "did you mean %s?" : "crawlctl help lists the commands%s", near ?: "");
    return EXIT_USAGE;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    const struct flag *tables[] = {ctl->flags, NULL};
    if (argc && (!strcmp(argv[0], "--version") || !strcmp(argv[0], "-V"))) {
        printf("crawlctl %s\n", CRAWLD_VERSION);
        return 0;
    }
    int r = args_parse(tables, true, &argc, argv);
    if (r)
        return r;
    if (!argc) {
        command_help(NULL);
        return ctl->help ? EXIT_OK : EXIT_USAGE;
    }
    ctl->command = command_find(argv[0]);
    if (!ctl->command)
        return unknown_command(argv[0]);
    if (ctl->help) {
        command_help(ctl->command);
        return 0;
    }
    if (!ctl->command->run) {
        say_error("unsupported: the command %s is not built yet", argv[0]);
        say_hint("crawlctl help lists what is");
        return EXIT_FAILED;
    }
    return ctl->command->run(ctl, argc - 1, argv + 1);
}

int ctl_main(int argc, char **argv)
{
    struct ctl ctl;
    init(&ctl);
    say_init(ctl.color, ctl.quiet);
    signals_init();
    int r = run(&ctl, argc - 1, argv + 1);
    client_close(ctl.client);
    say_line(NULL);
    errno = 0;
    if ((fflush(stdout) || ferror(stdout)) && !r) {
        say_error("cannot write to stdout: %s", strerror(errno ?: EIO));
        r = EXIT_FAILED;
    }
    return r;
}
