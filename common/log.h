/* SPDX-License-Identifier: MIT */
/* One line, one fact, key=value, to stderr: with "<N>" priorities under journald, with time and
 * level otherwise. Control bytes are escaped. A line is one write(2) of at most LOG_LINE_BYTES,
 * so that lines of several processes never mix. Levels are those of syslog(3). */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stddef.h>

enum log_level {
    LOG_CRIT = 2,
    LOG_ERR = 3,
    LOG_WARNING = 4,
    LOG_NOTICE = 5,
    LOG_INFO = 6,
    LOG_DEBUG = 7
};

#define LOG_LINE_BYTES 4096

/* Lines above `most` are not written; LOG_NOTICE until then. */
void log_init(enum log_level most);

/* What is logged from now on. */
void log_set_level(enum log_level most);

/* From now on lines are "<N>text", as log_child_line() of the supervisor reads them. */
void log_to_supervisor(void);

/* Passes on a line of a child, `who` put before it: text of n bytes without newline. */
void log_child_line(const char *who, const char *text, size_t n);

/* 0, or -1 if the name is none of crit err warning notice info debug. */
int log_level_parse(const char *name, enum log_level *ret_level);
const char *log_level_name(enum log_level level);

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_crit(...)    log_line(LOG_CRIT, __VA_ARGS__)
#define log_err(...)     log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)

#endif
