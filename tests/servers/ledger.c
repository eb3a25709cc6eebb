/* SPDX-License-Identifier: MIT */
#include "tests/servers/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "common/buf.h"

static struct {
    bool open;
    int fd;
    struct buf lines;
} ledger;

int ledger_open(const char *path)
{
    if (!path)
        return 0;
    ledger.fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (ledger.fd < 0)
        return -errno;
    ledger.open = true;
    return 0;
}

bool ledger_is_open(void)
{
    return ledger.open;
}

static void add_field(const char *s)
{
    static const char hex[] = "0123456789ABCDEF";
    buf_addc(&ledger.lines, ' ');
    if (!*s)
        buf_addc(&ledger.lines, '-');
    for (const unsigned char *c = (const unsigned char *)s; *c; c++) {
        if (*c > 32 && *c < 127 && *c != '%') {
            buf_addc(&ledger.lines, (char)*c);
        } else {
            char code[3] = {'%', hex[*c >> 4], hex[*c & 15]};
            buf_add(&ledger.lines, code, 3);
        }
    }
}

static void add_start(char kind, const struct ledger_peer *who, int64_t from_ns, int64_t to_ns)
{
    buf_addf(&ledger.lines, "%c %" PRId64 " %" PRId64 " %ld.%" PRIu64, kind, from_ns, to_ns,
             (long)getpid(), who->number);
    add_field(who->peer);
    add_field(who->local);
}

void ledger_request(const struct ledger_peer *who, int64_t arrived_ns, int64_t answered_ns,
                    const char *host, const char *method, const char *target, int status)
{
    if (!ledger.open)
        return;
    add_start('R', who, arrived_ns, answered_ns);
    add_field(host);
    add_field(method);
    add_field(target);
    buf_addf(&ledger.lines, " %d\n", status);
}

void ledger_connection(const struct ledger_peer *who, int64_t opened_ns, int64_t closed_ns)
{
    if (!ledger.open)
        return;
    add_start('C', who, opened_ns, closed_ns);
    buf_addc(&ledger.lines, '\n');
}

void ledger_flush(void)
{
    while (buf_len(&ledger.lines)) {
        ssize_t n = write(ledger.fd, buf_data(&ledger.lines), buf_len(&ledger.lines));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        buf_consume(&ledger.lines, (size_t)n);
    }
    buf_clear(&ledger.lines);
}

void ledger_close(void)
{
    ledger_flush();
    if (ledger.open)
        close(ledger.fd);
    ledger.open = false;
    buf_done(&ledger.lines);
}
