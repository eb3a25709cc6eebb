/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/wlog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/supervisor/supervisor.h"

#define LINES_PER_SECOND 1000
#define LINE_MAX_BYTES   3800 /* a longer line is logged in pieces */
#define READ_BYTES       16384
#define READS_MAX        64 /* of one turn: all that the largest pipe holds */

static void put_line(struct worker *w, const char *text, size_t n)
{
    if (!n)
        return;
    if (!w->log_room) {
        w->log_suppressed_count++;
        return;
    }
    w->log_room--;
    char who[24];
    snprintf(who, sizeof who, "worker-%d", w->slot);
    log_child_line(who, text, n);
}

static void put_lines(struct worker *w)
{
    struct buf *b = &w->log_text;
    for (;;) {
        const char *end = buf_len(b) ? memchr(buf_data(b), '\n', buf_len(b)) : NULL;
        size_t n = end ? (size_t)(end - buf_data(b)) : buf_len(b);
        if (!end && n < LINE_MAX_BYTES)
            return;
        bool cut = n > LINE_MAX_BYTES || !end;
        if (cut)
            n = LINE_MAX_BYTES;
        put_line(w, buf_data(b), n);
        buf_consume(b, n + !cut);
    }
}

int wlog_read(struct worker *w)
{
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t n = read(w->log.fd, buf_reserve(&w->log_text, READ_BYTES), READ_BYTES);
        if (n == 0)
            return 1;
        if (n < 0)
            return 0;
        buf_grew(&w->log_text, (size_t)n);
        put_lines(w);
    }
    return 0;
}

void wlog_end(struct worker *w)
{
    if (w->log.fd <= 0)
        return;
    wlog_read(w);
    put_line(w, buf_data(&w->log_text), buf_len(&w->log_text));
    wlog_tick(w);
    buf_done(&w->log_text);
    ev_io_stop(w->s->loop, &w->log);
    close(w->log.fd);
    w->log.fd = 0;
}

void wlog_tick(struct worker *w)
{
    if (w->log_suppressed_count)
        log_warning("lines suppressed worker=%d count=%llu", w->slot,
                    (unsigned long long)w->log_suppressed_count);
    w->log_suppressed_count = 0;
    w->log_room = LINES_PER_SECOND;
}
