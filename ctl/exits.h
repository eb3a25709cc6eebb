/* SPDX-License-Identifier: MIT */
/* What crawlctl exits with, besides the codes of common/errors.def. Functions of ctl/ return 0 or
 * one of these; whoever makes the code has said the complaint already. */
#ifndef CTL_EXITS_H
#define CTL_EXITS_H

enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1, /* the operation failed, or can no longer come true */
    EXIT_USAGE = 2,
    EXIT_UNREACHED = 3, /* no daemon there */
    EXIT_NOT_FOUND = 4,
    EXIT_DENIED = 5,
    EXIT_STATE = 6, /* wrong state or already there */
    EXIT_PROTOCOL = 7,
    EXIT_TIMEOUT = 124,
    EXIT_INTERRUPTED = 130,
};

#endif
