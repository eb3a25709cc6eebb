/* SPDX-License-Identifier: MIT */
/* The bytes of a file that is plain or made of gzip members, with the members' borders. A plain
 * file is one member. Reads 64 KiB at a time; memory does not depend on the file. */
#ifndef STORE_SOURCE_H
#define STORE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlib.h>

#define SOURCE_BYTES 65536

struct source {
    int fd; /* borrowed; read from where it stands */
    bool gzip, in_member;
    uint64_t file_bytes; /* read so far */
    z_stream z;
    size_t at, len; /* unused bytes of `in` */
    uint8_t in[SOURCE_BYTES];
};

/* 0 or -errno. */
int source_begin(struct source *s, int fd);
void source_done(struct source *s);

/* Enters the next member: 1, 0 at the end of the file, -errno. */
int source_member(struct source *s);

/* Up to n bytes of the member: their count, 0 at its end, -EBADMSG if it is damaged or cut short,
 * -errno. */
ssize_t source_read(struct source *s, void *to, size_t n);

/* Offset in the file of the first byte not used. */
uint64_t source_offset(const struct source *s);

#endif
