/* SPDX-License-Identifier: MIT */
/* crawld: command line, configuration, then the supervisor; `--worker N`,
 * `--verify DIR...` and `--find URL ...` are how it starts its helpers. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/find/find.h"
#include "daemon/supervisor/args.h"
#include "daemon/supervisor/config.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/verify/verify.h"
#include "daemon/worker/entry.h"

enum { EXIT_DONE = 0, EXIT_RUNTIME = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };

static void say(FILE *to, struct buf *text)
{
    fputs(buf_str(text), to);
    if (buf_len(text) && buf_data(text)[buf_len(text) - 1] != '\n')
        fputc('\n', to);
    buf_done(text);
}

/* What only tells and ends: an exit code, or -1 to go on. */
static int tell(const struct args *a, const struct options *o)
{
    struct buf text = {0};
    if (a->dump)
        config_dump(o, false, &text);
    else if (a->check)
        buf_adds(&text, "the configuration is good");
    else
        return -1;
    say(stdout, &text);
    return fflush(stdout) ? EXIT_RUNTIME : EXIT_DONE;
}

static int run(const struct args *a)
{
    struct options o;
    struct buf errors = {0};
    if (a->help || a->version) {
        fputs(a->help ? args_usage : "crawld " CRAWLD_VERSION "\n", stdout);
        return fflush(stdout) ? EXIT_RUNTIME : EXIT_DONE;
    }
    if (config_load(a, &o, &errors) < 0) {
        say(stderr, &errors);
        return EXIT_CONFIG;
    }
    int code = tell(a, &o);
    if (code < 0) {
        log_init(o.log_level);
        code = supervisor_main(&o);
    }
    options_done(&o);
    buf_done(&errors);
    return code;
}

/* So that no socket or file gets the number of a closed standard stream. */
static void open_standard_streams(void)
{
    int fd;
    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
        ;
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    struct args a;
    struct buf error = {0};
    open_standard_streams();
    if (argc == 3 && !strcmp(argv[1], "--worker"))
        return worker_main(atoi(argv[2]));
    if (argc >= 2 && !strcmp(argv[1], "--verify"))
        return verify_main(argc - 2, argv + 2);
    if (argc >= 3 && !strcmp(argv[1], "--find"))
        return find_main(argc - 2, argv + 2);
    if (args_parse(argc, argv, &a, &error) < 0) {
        buf_adds(&error, "\ncrawld --help lists the options");
        fputs("crawld: ", stderr);
        say(stderr, &error);
        return EXIT_USAGE;
    }
    int code = run(&a);
    args_done(&a);
    return code;
}
