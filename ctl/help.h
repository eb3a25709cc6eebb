/* SPDX-License-Identifier: MIT */
/* Lines of help on stdout, wrapped where that is a terminal. */
#ifndef CTL_HELP_H
#define CTL_HELP_H

/* The text behind `head`, further lines indented by as much. */
void help_text(const char *head, const char *text);

/* An option and what it does, in two columns. */
void help_option(const char *option, const char *text);

#endif
