/* SPDX-License-Identifier: MIT */
/* What https fetches have more than others: they take turns before they connect and while they
 * shake hands.
 *
 *      CONNECT: secure_may_connect() ── no ──▶ parked: behind the first of its origin,
 *         │ yes: it has a slot                 or in `waiting` for a slot; its clock stands still
 *      SHAKE:   secure_is_turn() ───── no ──▶ parked in `ready`; its clock stands still
 *         │ yes: some milliseconds of handshake
 *      secure_shaken() ▸ secure_heard() at each byte of answer ▸ secure_free()
 *
 * There are as many slots as handshakes finish within a second, measured while running, and as
 * memory for their connections. As long as no session of an origin is known, one fetch goes ahead
 * and the others of that origin wait: so it costs one full handshake, whatever the pace. */
#ifndef FETCH_SECURE_H
#define FETCH_SECURE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "common/slab.h"
#include "daemon/net/tls.h"

#define SECURE_TURN_NS    (5 * INT64_C(1000000)) /* of handshakes in one turn of the loop */
#define SECURE_SLOTS_MIN  32
#define SECURE_SLOTS_MAX  8192
#define SECURE_SLOTS_INIT 256
#define SECURE_BUCKETS    1024

struct fetch;
struct machine;

/* An origin whose sessions are not known yet: some go ahead, the others follow. */
struct vanguard {
    struct list bucket; /* by origin */
    struct list followers;
    uint64_t origin;
    unsigned count, most; /* that go ahead; that may */
};

struct secure {
    struct list link;          /* of ready, waiting or followers */
    struct fetch *fetch;       /* whose it is */
    struct vanguard *vanguard; /* while it goes ahead; NULL */
    struct tls_info tls;       /* version NULL: it has shaken no hands */
    int64_t stopped_ns;        /* its clock stands still since; 0: it goes */
    uint32_t shaken_us;        /* as resolved_us of the fetch */
    bool slot;
    bool queued; /* counted in waiting_count */
};

/* Embedded in the machine. */
struct secures {
    struct tls *tls; /* owned */
    struct slab slab;
    struct list waiting; /* for a slot, first come first served */
    struct list ready;   /* for some CPU */
    struct list vanguards[SECURE_BUCKETS];
    struct secure *turn; /* whose turn it is in machine_turn() */
    int64_t turn_end_ns;
    unsigned slots, busy;      /* that there are; that are taken */
    unsigned waiting_count;    /* followers, too */
    bool short_of_slots;       /* since `since_ns` */
    int64_t since_ns, used_ns; /* when measuring began; CPU for handshakes since */
    unsigned finished_count;   /* slots given back since */
};

/* 0 or -errno. */
int secures_init(struct secures *s, const char *ca_file);
void secures_done(struct secures *s);

/* Lets on who waits for a slot, a turn, or more to read; bounded in time. To be called once per
 * turn of the loop. True: some are left that need no event. */
bool secures_turn(struct machine *m);

/* How many slots there shall be. To be called once a second. */
void secures_measure(struct machine *m);

struct secure *secure_new(struct fetch *f);

/* NULL is accepted. Gives back whatever it has. */
void secure_free(struct secure *s);

/* Has it a slot? Else it waits and is driven when it got one. */
bool secure_may_connect(struct secure *s);

/* Is it its turn for some CPU, up to secures.turn_end_ns? */
bool secure_is_turn(const struct secure *s);

/* It needs a turn; till then its connection is not watched. */
void secure_want_turn(struct secure *s);

/* The handshake is over. */
void secure_shaken(struct secure *s);

/* Something was read, or seen to be not there: looks whether the origin's session is known now, and
 * comes back when more can be read without an event. answered: there were bytes of an answer. */
void secure_heard(struct secure *s, bool answered);

/* Its fetch stops reading for a while. */
void secure_rest(struct secure *s);

/* Its fetch is about to let go of the connection. */
void secure_let_conn(struct secure *s);

#endif
