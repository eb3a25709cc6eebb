/* SPDX-License-Identifier: MIT */
/* What the origin was asked, as text lines of fields separated by one blank:
 *
 *   R ARRIVED_NS ANSWERED_NS CONNECTION PEER LOCAL HOST METHOD TARGET STATUS   a request
 *   C OPENED_NS CLOSED_NS CONNECTION PEER LOCAL                                a connection
 *
 * Times are CLOCK_MONOTONIC; ANSWERED_NS is taken just before the last bytes are handed to the
 * kernel, so that nobody who waits for them is earlier; 0 where the peer left before. STATUS is 0
 * where none was sent. CONNECTION is PID.N. Blanks, control bytes, '%' and bytes above 126 are
 * written %XX, an empty field as "-". Lines of several processes never mix. */
#ifndef SERVERS_LEDGER_H
#define SERVERS_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger_peer {
    uint64_t number;          /* of the connection within this process */
    char peer[64], local[64]; /* "ADDR:PORT" */
};

/* path NULL: nothing is written. 0 or -errno. */
int ledger_open(const char *path);
bool ledger_is_open(void);

void ledger_request(const struct ledger_peer *who, int64_t arrived_ns, int64_t answered_ns,
                    const char *host, const char *method, const char *target, int status);
void ledger_connection(const struct ledger_peer *who, int64_t opened_ns, int64_t closed_ns);

/* Hands the lines so far to the kernel. */
void ledger_flush(void);
void ledger_close(void);

#endif
