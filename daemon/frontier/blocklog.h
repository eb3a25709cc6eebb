/* SPDX-License-Identifier: MIT */
/* state_dir/hosts.log: what must be known of hosts after a restart. Text, one line each:
 *
 *   file = "crawld-hosts 1\n" line*
 *   line = "block" name cause why written since begin until answers failures said
 *          operator_begin operator_until checksum
 *
 * One blank between fields. Times are milliseconds of the wall clock; operator_until is 0 (none) or
 * -1 (until unblocked), too. cause is `retry_after` or `answer` (429 or 503 that said how long, or
 * did not), `failures` or `none` (only the operator's); why a status, a reason or `-`. checksum =
 * XXH3 of the line before it, 16 hex digits. Of several lines of a host the last counts; a line
 * whose times are over says that the host is free.
 *
 * A last line without its newline is a torn tail, and is cut. Any other bad line is damage: what is
 * whole is used, and the file is kept aside as hosts.log.damaged. The file is written new when it
 * has grown to twice what it had to say.
 *
 * Called on the disk thread. */
#ifndef FRONTIER_BLOCKLOG_H
#define FRONTIER_BLOCKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "daemon/frontier/block.h"

#define BLOCKLOG_HEAD       "crawld-hosts 1\n"
#define BLOCKLOG_NAME       "hosts.log"
#define BLOCKLOG_LINE_BYTES 512

/* One host; the times of `block` are of the wall clock. */
struct blocklog_entry {
    struct host_block block;
    int64_t written_ns;
    uint32_t name_off, order; /* name: in entries->names; of its line */
    uint8_t name_len;
};

struct blocklog_entries {
    struct blocklog_entry *v; /* owned */
    size_t count, room;
    struct buf names;
    uint64_t lines, bad_lines, whole_bytes; /* whole_bytes: up to the last whole line */
    bool torn, foreign;                     /* foreign: the first line is not ours */
};

void blocklog_entries_done(struct blocklog_entries *e);

static inline const char *blocklog_name(const struct blocklog_entries *e, size_t i)
{
    return buf_data(&e->names) + e->v[i].name_off;
}

/* The line of a host. b: in monotonic time. */
void blocklog_put(struct buf *out, const char *name, size_t len, const struct host_block *b,
                  int64_t mono_ns, int64_t wall_ns);

/* Takes one line, without its newline, to the end of the entries. False: it is none. */
bool blocklog_take(struct blocklog_entries *e, const char *line, size_t n);

/* Takes a file's bytes, the last entry of each host, those that still matter at wall_ns. */
void blocklog_parse(struct blocklog_entries *e, const char *text, size_t n);
void blocklog_settle(struct blocklog_entries *e, int64_t wall_ns);

/* What the entry says in the time of this process: a block never lasts longer than it had to when
 * it was written, whatever the wall clock has done since. */
struct host_block blocklog_block(const struct blocklog_entry *e, int64_t mono_ns, int64_t wall_ns);

/* The file, open for writing. */
struct blocklog {
    char *dir, *path;            /* owned */
    int fd;                      /* -1: to be written new before anything is added */
    uint64_t bytes, least_bytes; /* of the file; when it was written new */
};

void blocklog_init(struct blocklog *l, const char *dir);
void blocklog_done(struct blocklog *l);

/* Reads what there is; cuts, repairs or compacts it if need be. 0 or -errno: then nothing is known.
 */
int blocklog_open(struct blocklog *l, int64_t wall_ns, struct blocklog_entries *ret);

/* Adds lines, synced. After an error the file is written new, with the lines of the next call,
 * which must be these and more. 0 or -errno. */
int blocklog_add(struct blocklog *l, const char *text, size_t n, int64_t wall_ns);

/* Looks at the file without changing it; it may be written meanwhile. Each problem is told in one
 * line. 0 (also if there is none) or -errno. */
int blocklog_verify(const char *path, void (*problem)(void *arg, const char *text), void *arg,
                    uint64_t *ret_lines);

#endif
