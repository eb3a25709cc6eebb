/* SPDX-License-Identifier: MIT */
/* Options that name a key of the configuration (--state-dir, --socket, --log-level) are --set in
 * other words; the table of options checks them all. */
#include "daemon/supervisor/args.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/suggest.h"
#include "common/xalloc.h"

const char args_usage[] =
    "crawld [-c FILE] [-t|--check-config] [-T|--dump-config] [--state-dir DIR]\n"
    "       [--socket PATH] [--set KEY=VALUE]... [--log-level L] [--version]\n"
    "\n"
    "  -c, --config FILE     configuration instead of " ARGS_CONFIG_FILE "\n"
    "  -t, --check-config    check the configuration and end\n"
    "  -T, --dump-config     print the configuration in effect and end\n"
    "      --state-dir DIR   --set state_dir=DIR\n"
    "      --socket PATH     --set socket=PATH\n"
    "      --log-level L     --set log_level=L\n"
    "      --set KEY=VALUE   set a key of the configuration; items of lists by commas\n"
    "      --version         print the version and end\n"
    "  -h, --help            print this and end\n";

enum { SET = 256, STATE_DIR, SOCKET, LEVEL, VERSION };

static const struct option longs[] = {
    {"config", required_argument, NULL, 'c'},
    {"check-config", no_argument, NULL, 't'},
    {"dump-config", no_argument, NULL, 'T'},
    {"state-dir", required_argument, NULL, STATE_DIR},
    {"socket", required_argument, NULL, SOCKET},
    {"set", required_argument, NULL, SET},
    {"log-level", required_argument, NULL, LEVEL},
    {"version", no_argument, NULL, VERSION},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static void add_set(struct args *a, const char *key, size_t key_len, const char *value)
{
    a->sets = xrealloc(a->sets, (a->sets_count + 1) * sizeof *a->sets);
    a->sets[a->sets_count++] = (struct args_set){xmemdup0(key, key_len), value};
}

static int refuse_option(const char *given, bool missing, struct buf *ret_error)
{
    if (missing) {
        buf_addf(ret_error, "%s needs a value", given);
        return -EINVAL;
    }
    struct suggest near;
    char *name = xstrdup(given + strspn(given, "-"));
    name[strcspn(name, "=")] = '\0';
    suggest_init(&near, name);
    for (const struct option *o = longs; o->name; o++)
        suggest_offer(&near, o->name, o->name);
    buf_addf(ret_error, "no such option %s", given);
    if (!strncmp(given, "--", 2) && suggest_answer(&near))
        buf_addf(ret_error, ", did you mean --%s?", suggest_answer(&near));
    free(name);
    return -EINVAL;
}

static int take(struct args *a, int option, struct buf *ret_error)
{
    const char *equals = option == SET ? strchr(optarg, '=') : NULL;
    switch (option) {
    case 'c':
        a->config = optarg;
        return 0;
    case 't':
        a->check = true;
        return 0;
    case 'T':
        a->dump = true;
        return 0;
    case 'h':
        a->help = true;
        return 0;
    case VERSION:
        a->version = true;
        return 0;
    case STATE_DIR:
        add_set(a, "state_dir", strlen("state_dir"), optarg);
        return 0;
    case SOCKET:
        add_set(a, "socket", strlen("socket"), optarg);
        return 0;
    case LEVEL:
        add_set(a, "log_level", strlen("log_level"), optarg);
        return 0;
    default:
        break;
    }
    if (!equals || equals == optarg) {
        buf_addf(ret_error, "--set %s: say KEY=VALUE", optarg);
        return -EINVAL;
    }
    add_set(a, optarg, (size_t)(equals - optarg), equals + 1);
    return 0;
}

int args_parse(int argc, char **argv, struct args *ret_args, struct buf *ret_error)
{
    struct args a = {0};
    int option, r = 0;
    optind = 0;
    while (!r && (option = getopt_long(argc, argv, ":c:tTh", longs, NULL)) != -1)
        r = option == '?' || option == ':'
                ? refuse_option(argv[optind - 1], option == ':', ret_error)
                : take(&a, option, ret_error);
    if (!r && optind < argc) {
        buf_addf(ret_error, "no arguments are taken: %s", argv[optind]);
        r = -EINVAL;
    }
    if (r < 0) {
        args_done(&a);
        return r;
    }
    *ret_args = a;
    return 0;
}

void args_done(struct args *a)
{
    for (size_t i = 0; i < a->sets_count; i++)
        free(a->sets[i].key);
    free(a->sets);
    *a = (struct args){0};
}
