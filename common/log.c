/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

static struct {
    enum log_level most;
    bool priorities; /* "<N>" before each line: for journald, or for the supervisor */
} root = {.most = LOG_NOTICE};

static const char *const names[] = {
    [LOG_CRIT] = "crit",     [LOG_ERR] = "err",   [LOG_WARNING] = "warning",
    [LOG_NOTICE] = "notice", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

void log_init(enum log_level most)
{
    root.most = most;
    root.priorities = getenv("JOURNAL_STREAM") != NULL;
}

void log_set_level(enum log_level most)
{
    root.most = most;
}

void log_to_supervisor(void)
{
    root.priorities = true;
}

int log_level_parse(const char *name, enum log_level *ret_level)
{
    for (enum log_level l = LOG_CRIT; l <= LOG_DEBUG; l++)
        if (!strcmp(name, names[l])) {
            *ret_level = l;
            return 0;
        }
    return -1;
}

const char *log_level_name(enum log_level level)
{
    return names[level];
}

/* Appends text with control bytes as \xNN; what does not fit is left out. */
static size_t escape(char *out, size_t cap, const char *text, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n && len + 4 < cap; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            len += (size_t)snprintf(out + len, cap - len, "\\x%02x", c);
        else
            out[len++] = (char)c;
    }
    return len;
}

static size_t prefix(char *out, size_t cap, enum log_level level, const char *who)
{
    int n;
    if (root.priorities) {
        n = snprintf(out, cap, "<%d>", level);
    } else {
        char iso[CLOCK_ISO_BYTES];
        clock_iso(clock_wall_ns(), iso);
        n = snprintf(out, cap, "%s %s ", iso, names[level]);
    }
    if (who)
        n += snprintf(out + n, cap - (size_t)n, "%s: ", who);
    return (size_t)n;
}

static void write_line(enum log_level level, const char *who, const char *text, size_t n)
{
    if (level > root.most)
        return;
    char line[LOG_LINE_BYTES];
    size_t len = prefix(line, sizeof line, level, who);
    len += escape(line + len, sizeof line - len - 1, text, n);
    line[len++] = '\n';
    while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
        ;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    if (level > root.most)
        return;
    int saved = errno;
    char text[LOG_LINE_BYTES];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n > 0)
        write_line(level, NULL, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    errno = saved;
}

void log_child_line(const char *who, const char *text, size_t n)
{
    enum log_level level = LOG_NOTICE;
    if (n >= 3 && text[0] == '<' && text[1] >= '0' && text[1] <= '7' && text[2] == '>') {
        level = text[1] < '2' ? LOG_CRIT : (enum log_level)(text[1] - '0');
        text += 3;
        n -= 3;
    }
    write_line(level, who, text, n);
}
