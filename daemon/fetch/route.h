/* SPDX-License-Identifier: MIT */
/* The journey of one fetch, top to bottom.
 *
 * A row's step tries to make progress and returns the next row (FETCH_NEXT), an explicit detour
 * (a row's name) or FETCH_PARK: it waits for I/O, a name, the disk. A step may be called again with
 * nothing new. Steps never see lateness or cancellation: a late fetch goes straight to JUDGE, a
 * cancelled one to REPORT. REPORT alone releases. `limit` names a field of struct job_limits;
 * `late` is the reason when it is over.
 *
 *      state    step     what it does                             limit          if late */
#ifndef FETCH_ROUTE_H
#define FETCH_ROUTE_H

/* clang-format off */
#define FETCH_ROUTE(ROW)                                                                               \
    ROW(RESOLVE, resolve, "host name to addresses",               dns_ns,        DNS_TIMEOUT)          \
    ROW(CONNECT, connect, "a connection: kept, or a new one",     connect_ns,    CONNECT_TIMEOUT)      \
    ROW(SHAKE,   shake,   "TLS handshake of a new connection",    tls_ns,        TLS_TIMEOUT)          \
    ROW(SEND,    send,    "the request goes out",                 first_byte_ns, SEND_TIMEOUT)         \
    ROW(HEAD,    head,    "status line and fields come in",       first_byte_ns, FIRST_BYTE_TIMEOUT)   \
    ROW(BODY,    body,    "the body comes in",                    idle_ns,       IDLE_TIMEOUT)         \
    ROW(JUDGE,   judge,   "redirect, attempt or result?",         none_ns,       NONE)                 \
    ROW(DECODE,  decode,  "its text, where a rule needs it",      none_ns,       NONE)                 \
    ROW(KEEP,    keep,    "kept, by the rules of the job?",       none_ns,       NONE)                 \
    ROW(STORE,   store,   "its record goes to the WARC",          none_ns,       NONE)                 \
    ROW(REPORT,  report,  "the supervisor is told, all is freed", none_ns,       NONE)
/* clang-format on */

enum fetch_state {
#define ROW(state, ...) FETCH_##state,
    FETCH_ROUTE(ROW)
#undef ROW
        FETCH_STATE_COUNT,

    FETCH_NEXT, /* verdicts that name no row */
    FETCH_PARK,
    FETCH_GONE, /* REPORT's: the fetch is freed */
};

#endif
