/* SPDX-License-Identifier: MIT */
/* The file-system calls of the frontier, in one table, so that a test can put a disk of its own
 * below it: one that is full, fails, forgets what was not synced, or dies at the k-th call.
 * Every call returns 0, a count or a descriptor, else -errno. Only the disk thread calls them. */
#ifndef FRONTIER_FS_H
#define FRONTIER_FS_H

#include <stdint.h>
#include <sys/types.h>

struct fs {
    int (*open)(const char *path, int flags); /* O_CLOEXEC is added; files are made 0640 */
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *p, size_t n, uint64_t off);
    ssize_t (*pwrite)(int fd, const void *p, size_t n, uint64_t off);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*ftruncate)(int fd, uint64_t length);
    int (*reserve)(int fd, uint64_t off, uint64_t length); /* blocks behind the end of file */
    int64_t (*size)(int fd);
    int64_t (*path_size)(const char *path);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path);
    /* Each name in a directory; stops when each() returns other than 0 and returns that. */
    int (*list)(const char *dir, int (*each)(void *arg, const char *name), void *arg);
};

/* The table in use; the kernel's unless fs_use() was called. */
extern const struct fs *fs;

/* Another table, or NULL for the kernel's. Before any ledger is made. */
void fs_use(const struct fs *table);

/* All n bytes or an error; a short write is tried on where it stopped. */
int fs_write(int fd, const void *p, size_t n, uint64_t off);

/* All n bytes; -ENODATA if the file ends before. */
int fs_read(int fd, void *p, size_t n, uint64_t off);

/* Makes the names in a directory durable. */
int fs_sync_dir(const char *dir);

#endif
