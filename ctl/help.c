/* SPDX-License-Identifier: MIT */
#include "ctl/help.h"

#include <stdio.h>
#include <unistd.h>

#include "ctl/text.h"

#define OPTION_COLUMNS 30

void help_text(const char *head, const char *text)
{
    struct buf b = {0};
    text_wrap(&b, text, (int)text_columns(head), text_terminal_columns(STDOUT_FILENO));
    printf("%s%s\n", head, buf_str(&b));
    buf_done(&b);
}

void help_option(const char *option, const char *text)
{
    struct buf head = {0};
    buf_addf(&head, "  %-*s ", OPTION_COLUMNS, option);
    help_text(buf_str(&head), text);
    buf_done(&head);
}
