/* SPDX-License-Identifier: MIT */
/* Talk on stderr: complaints, hints, notes, and one line that is drawn over (progress). What comes
 * from the daemon or a file is shown with its control bytes escaped. */
#ifndef CTL_SAY_H
#define CTL_SAY_H

#include <stdbool.h>

/* color: 1 always, 0 never, -1 if stderr is a terminal and NO_COLOR is not set. quiet: no notes
 * and no progress. */
void say_init(int color, bool quiet);

/* "crawlctl: what" */
void say_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "hint: what to do"; an empty text says nothing. */
void say_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "crawlctl: what", unless quiet. */
void say_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Is stderr a terminal that shows a line drawn over? False when quiet. */
bool say_live(void);
int say_columns(void);

/* Draws the line over the last one; cut to the terminal's width. NULL wipes it. */
void say_line(const char *text);

#endif
