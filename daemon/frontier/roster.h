/* SPDX-License-Identifier: MIT */
/* Which accepted URLs are open, and where in the journal their text lies: a bit for each URL and
 * an offset for each 64th. Addressed by ordinal, a URL's seq less the seqs a generator reserved.
 * 16 KiB for each 64 Ki ordinals of which one is open, nothing for the others. */
#ifndef FRONTIER_ROSTER_H
#define FRONTIER_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROSTER_CHUNK 65536u /* ordinals */
#define ROSTER_GROUP 64u

struct roster_chunk {
    uint32_t open_count;
    uint64_t open[ROSTER_CHUNK / 64];
    uint64_t offsets[ROSTER_CHUNK / ROSTER_GROUP]; /* first ACCEPT of the group; 0: not known */
};

/* Embedded; zeroed is empty. */
struct roster {
    struct roster_chunk **chunks; /* owned; NULL where nothing is open */
    size_t chunk_count;
    uint64_t open_count;
    uint64_t end; /* one more than the highest ordinal ever opened */
};

void roster_done(struct roster *r);

/* Ordinals are opened in rising order. False if it is not above all before it. */
bool roster_open(struct roster *r, uint64_t ordinal);

/* False if it was not open. */
bool roster_close(struct roster *r, uint64_t ordinal);
bool roster_is_open(const struct roster *r, uint64_t ordinal);

/* Says where the first ACCEPT of the ordinal's group lies, unless that is known. */
void roster_place(struct roster *r, uint64_t ordinal, uint64_t offset);

/* Where to begin to read for an ordinal; 0 if that is not known. */
uint64_t roster_offset(const struct roster *r, uint64_t ordinal);

/* The lowest open ordinal >= from; UINT64_MAX if there is none. */
uint64_t roster_next(const struct roster *r, uint64_t from);

/* Takes the offsets of `from`, forgets those it had before. */
void roster_take_offsets(struct roster *r, const struct roster *from);

uint64_t roster_bytes(const struct roster *r);

#endif
