/* SPDX-License-Identifier: MIT */
#include "ctl/args.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/suggest.h"
#include "ctl/exits.h"
#include "ctl/say.h"
#include "ctl/text.h"

int flag_set(const struct flag *flag, const char *value, void *target)
{
    *(bool *)target = true;
    return 0;
}

int flag_text(const struct flag *flag, const char *value, void *target)
{
    *(const char **)target = value;
    return 0;
}

int flag_refuse(const struct flag *flag, const char *value, const char *wanted)
{
    say_error("--%s %s: want %s", flag->name, value, wanted);
    return EXIT_USAGE;
}

int flag_span(const struct flag *flag, const char *value, void *target)
{
    return text_duration_ns(value, target)
               ? flag_refuse(flag, value, "a duration such as 500ms, 2s, 5m, 1h")
               : 0;
}

int flag_count(const struct flag *flag, const char *value, void *target)
{
    return text_number(value, 0, INT64_MAX, target) ? flag_refuse(flag, value, "a number") : 0;
}

static const struct flag *find(const struct flag *const *tables, const char *name, size_t len,
                               char letter)
{
    for (; *tables; tables++)
        for (const struct flag *f = *tables; f->name; f++)
            if (letter ? f->letter == letter
                       : strlen(f->name) == len && !memcmp(f->name, name, len))
                return f;
    return NULL;
}

static int unknown(const struct flag *const *tables, const char *arg, size_t name_len)
{
    say_error("unknown option %s", arg);
    char *name = strndup(arg + 2, arg[1] == '-' ? name_len : 0);
    struct suggest near;
    suggest_init(&near, name ? name : "");
    for (; *tables && arg[1] == '-'; tables++)
        for (const struct flag *f = *tables; f->name; f++)
            suggest_offer(&near, f->name, f->name);
    if (arg[1] == '-' && suggest_answer(&near))
        say_hint("did you mean --%s?", suggest_answer(&near));
    else
        say_hint("crawlctl help lists the commands, crawlctl help COMMAND its options");
    free(name);
    return EXIT_USAGE;
}

/* One option at argv[*at]; moves *at behind what it used. */
static int take_option(const struct flag *const *tables, int argc, char **argv, int *at)
{
    const char *arg = argv[(*at)++], *value = NULL;
    const struct flag *f;
    if (arg[1] == '-') {
        size_t len = strcspn(arg + 2, "=");
        f = find(tables, arg + 2, len, 0);
        if (!f)
            return unknown(tables, arg, len);
        value = arg[2 + len] ? arg + 3 + len : NULL;
    } else {
        f = find(tables, NULL, 0, arg[1]);
        if (!f)
            return unknown(tables, arg, 0);
        value = arg[2] ? arg + 2 : NULL;
    }
    if (f->bare && value) {
        say_error("%s: --%s takes no value", arg, f->name);
        return EXIT_USAGE;
    }
    if (!f->bare && !value) {
        if (*at >= argc) {
            say_error("%s needs a value", arg);
            return EXIT_USAGE;
        }
        value = argv[(*at)++];
    }
    return f->take(f, value, f->target);
}

int args_parse(const struct flag *const *tables, bool only_leading, int *argc, char **argv)
{
    int at = 0, kept = 0;
    while (at < *argc) {
        const char *arg = argv[at];
        if (!strcmp(arg, "--")) {
            at++;
            break;
        }
        if (*arg != '-' || !arg[1]) {
            if (only_leading)
                break;
            argv[kept++] = argv[at++];
            continue;
        }
        int r = take_option(tables, *argc, argv, &at);
        if (r)
            return r;
    }
    while (at < *argc)
        argv[kept++] = argv[at++];
    *argc = kept;
    return 0;
}
