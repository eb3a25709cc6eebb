/* SPDX-License-Identifier: MIT */
/* While a progress line stands on the terminal (`drawn`), whatever else is said wipes it first, so
 * that lines never mix. */
#include "ctl/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/buf.h"
#include "ctl/text.h"

#define TEXT_BYTES 2048 /* of one complaint; the rest is cut */

static struct {
    bool color, quiet, terminal;
    bool drawn;
} root;

void say_init(int color, bool quiet)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    root.terminal = isatty(STDERR_FILENO) && !(term && !strcmp(term, "dumb"));
    root.color = color > 0 || (color < 0 && root.terminal && !(no_color && *no_color));
    root.quiet = quiet;
}

bool say_live(void)
{
    return root.terminal && !root.quiet;
}

int say_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col < 20)
        return 80;
    return size.ws_col;
}

void say_line(const char *text)
{
    if (text) {
        fprintf(stderr, "\r\033[K%.*s", (int)text_fit(text, say_columns() - 1), text);
        root.drawn = true;
    } else if (root.drawn) {
        fputs("\r\033[K", stderr);
        root.drawn = false;
    }
    fflush(stderr);
}

static void say(const char *mark, const char *head, const char *text)
{
    struct buf line = {0};
    buf_addf(&line, "%s%s%s", root.color ? mark : "", head, root.color ? "\033[0m" : "");
    text_escape(&line, text, strlen(text));
    buf_addc(&line, '\n');
    say_line(NULL);
    fwrite(buf_data(&line), 1, buf_len(&line), stderr);
    buf_done(&line);
}

/* A text of the caller's format; TEXT_BYTES of it. */
#define SAY(mark, head, fmt)                                                                       \
    do {                                                                                           \
        char text[TEXT_BYTES];                                                                     \
        va_list ap;                                                                                \
        va_start(ap, fmt);                                                                         \
        vsnprintf(text, sizeof text, fmt, ap);                                                     \
        va_end(ap);                                                                                \
        if (*text)                                                                                 \
            say(mark, head, text);                                                                 \
    } while (0)

void say_error(const char *fmt, ...)
{
    SAY("\033[1;31m", "crawlctl: ", fmt);
}

void say_hint(const char *fmt, ...)
{
    SAY("\033[1m", "hint: ", fmt);
}

void say_note(const char *fmt, ...)
{
    if (!root.quiet)
        SAY("\033[1m", "crawlctl: ", fmt);
}
