/* SPDX-License-Identifier: MIT */
/* One fetch: a lease on its way through the route. */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/inflate.h"
#include "common/ipc.h"
#include "common/list.h"
#include "common/outcome.h"
#include "common/sha1.h"
#include "daemon/fetch/job.h"
#include "daemon/fetch/keep.h"
#include "daemon/fetch/route.h"
#include "daemon/fetch/secure.h"
#include "daemon/fetch/wheel.h"
#include "daemon/net/body.h"
#include "daemon/net/conn.h"
#include "daemon/net/dns.h"
#include "daemon/net/head.h"
#include "daemon/parse/mime.h"
#include "daemon/store/store.h"

/* A part of the fetch's URL. */
struct fetch_part {
    uint16_t off, len;
};

/* What exists only from the first byte of an answer on. */
struct answer {
    struct capture capture; /* response holds the head, and the body when it may be stored */
    struct head head;
    struct body body;
    struct sha1 sha1;      /* of the payload */
    struct keep_scan scan; /* the job's texts, looked for in DECODE */
    uint64_t payload_bytes;
    uint64_t decoded_bytes; /* without its content codings; 0: they were not taken off */
    int64_t rate_ns;        /* when rate_bytes must have come, since the answer began */
    uint64_t rate_bytes;    /* of wire_bytes */
    struct fetch *fetch;    /* whose it is */
    bool has_head;
    bool reusable;        /* the connection can carry another exchange */
    bool stores;          /* its bytes are kept for a record */
    bool holds;           /* they are kept for a record, or till they are decoded */
    bool decoding;        /* the machine's decoder is at it */
    bool stored;          /* the store is done with the capture */
    struct list room;     /* of the machine's `full` or `poor` */
    size_t charged_bytes; /* of memory_bytes, by fetch_charge() */
    int64_t poor_ns;      /* since when it is in `poor` */
    struct head_slice location;
    char *next;             /* owned; a redirect's target */
    uint32_t retry_after_s; /* 0: not said */
    struct mime mime;       /* its charset: from DECODE on the one that was found */
    struct codings codings;
    char ip[ADDR_TEXT_BYTES];
};

struct fetch {
    struct list link;          /* of its row */
    struct list of_host;       /* of the machine's hosts[] */
    struct wheel_member wheel; /* its one deadline */
    struct dns_wait name;      /* while addresses are needed */
    struct machine *machine;   /* borrowed */
    struct job *job;           /* borrowed; counts its leases */
    struct conn *conn;         /* ours while set */
    struct answer *answer;     /* owned; NULL before the first byte */
    struct secure *secure;     /* owned; NULL: http */
    struct buf *unsent;        /* owned; rest of the request; NULL none */
    char *url;                 /* owned, NUL-terminated; url_len bytes */
    const char *detail;        /* constant text behind the reason; NULL none */

    uint64_t lease, seq;
    uint64_t origin; /* fingerprint of scheme, host and port */
    uint64_t wire_bytes;
    int64_t wall_ns;                      /* when it began */
    int64_t begin_ns, total_ns, limit_ns; /* begun; when total, and the row's limit, are over */
    int64_t queued_ns;                    /* RESOLVE: waits for its question's turn since */
    int64_t look_ns;                      /* when to look for what no event tells; 0: never */
    uint32_t resolved_us, connected_us, sent_us, first_us, end_us; /* behind begin_ns; 0: not yet */
    uint32_t host;                                                 /* the supervisor's number */
    struct fetch_part host_part, host_port, target, username, password;
    uint16_t port, url_len;
    struct addr peer;            /* a literal host, or what was tried last */
    uint8_t state;               /* enum fetch_state */
    uint8_t grant, hop, attempt; /* as in struct ipc_lease */
    bool last, tell_sent, limited, foreign, as_get;
    bool literal;         /* the host is an address */
    bool fresh;           /* no kept connection any more */
    bool counted;         /* the connection granted is accounted for by the pool */
    bool kept;            /* its connection stays open */
    bool no_conn;         /* ends with NOCONN */
    bool again;           /* ends with RETRY */
    bool busy;            /* ends with BACK */
    bool stopped;         /* its host is: never sent again */
    bool cancelled;       /* nothing is told */
    bool at_store;        /* the capture is the store's */
    bool bound;           /* only bound_to may be connected to */
    uint8_t bound_to[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint8_t tried;        /* of name's addresses */
    uint8_t outcome;      /* enum outcome, from JUDGE on */
    uint8_t reason;       /* enum reason */
};

/* The URL's part; not terminated. */
static inline const char *fetch_text(const struct fetch *f, struct fetch_part part)
{
    return f->url + part.off;
}

/* The fetch ends with this reason: the row to go to. */
enum fetch_state fetch_fail(struct fetch *f, enum reason reason, const char *detail);

#define FETCH_FREE_BYTES (64 << 10) /* of an answer: the memory that comes with the lease */

/* Counts what the answer's buffer holds now. */
void fetch_charge(struct fetch *f);

/* It waited in `poor`, its clocks stopped; now it goes on. */
void fetch_go_on(struct fetch *f);

/* How many bytes this body may read now; 0: none, it has to wait. */
size_t fetch_credit(const struct fetch *f);

/* Has this body no credit, and is none to come? */
bool fetch_is_too_large(const struct fetch *f);

/* May the store take more? Asked again each turn. */
bool fetch_may_store(const struct fetch *f);

/* The connection is this fetch's: whatever it waits for wakes it. */
void fetch_take_conn(struct fetch *f, struct conn *c);

/* Takes a connection of its origin that is idle, if it may. False: there is none. */
bool fetch_take_kept(struct fetch *f);

/* The question for its name goes out. */
void fetch_name_asked(struct dns_wait *w);

/* The row that makes the record of a result: STORE, or REPORT if there is to be none. */
enum fetch_state fetch_record(const struct fetch *f);

/* Hands the connection back, to be used again or not. */
void fetch_let_conn(struct fetch *f, bool keep);

/* Goes on in another row. */
void fetch_detour(struct fetch *f, enum fetch_state to);

/* It waits for us: nothing makes it late till fetch_go_clock(), which is told since when. */
void fetch_stop_clock(struct fetch *f);
void fetch_go_clock(struct fetch *f, int64_t since_ns);

/* The deadline of wheel.h is over: the one place where lateness is seen. */
void fetch_late(struct wheel_member *member);

/* It is in another row: that one's limit begins. */
void fetch_row_began(struct fetch *f);

/* A limit from then on; INT64_MAX is none. */
int64_t deadline_add(int64_t at_ns, int64_t limit_ns);

/* Microseconds since it began; at least 1. */
uint32_t fetch_us(const struct fetch *f);

/* The answer's next span of the minimum rate begins. */
void fetch_rate_begin(struct fetch *f);

/* The row's limit begins anew: there was progress. */
void fetch_progress(struct fetch *f, int64_t limit_ns);

#define FETCH_LOOK_NS (16 * INT64_C(1000000)) /* between two looks */

/* The fetch is driven (CONNECT), or looks whether its request was acknowledged (HEAD), later. */
void fetch_look_later(struct fetch *f);

/* Nothing of it has left: the lease goes back. The fetch is gone. */
void fetch_unsent(struct fetch *f);

/* Nothing of the request is left to be sent. */
void fetch_drop_unsent(struct fetch *f);

/* Is the answer 429 or 503? */
bool fetch_is_busy(const struct fetch *f);

/* It is: says so, and sends nothing more to the host. */
void fetch_tell_busy(struct fetch *f);

/* The request was acknowledged or answered: says so once, if that was asked for. */
void fetch_tell_sent(struct fetch *f);

/* Gives up the address being tried. Is there another? */
bool fetch_next_address(struct fetch *f);

/* Appends the request as it is sent. 0 or -EINVAL. */
int fetch_request(const struct fetch *f, struct buf *out);

/* One per row, in step_NAME.c. */
#define ROW(state, step, ...) enum fetch_state fetch_##step(struct fetch *f);
FETCH_ROUTE(ROW)
#undef ROW

#endif
