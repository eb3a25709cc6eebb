/* SPDX-License-Identifier: MIT */
#include "daemon/frontier/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int result(int r)
{
    return r < 0 ? -errno : r;
}

static int real_open(const char *path, int flags)
{
    return result(open(path, flags | O_CLOEXEC, 0640));
}

static int real_close(int fd)
{
    return result(close(fd));
}

static ssize_t real_pread(int fd, void *p, size_t n, uint64_t off)
{
    ssize_t r = pread(fd, p, n, (off_t)off);
    return r < 0 ? -errno : r;
}

static ssize_t real_pwrite(int fd, const void *p, size_t n, uint64_t off)
{
    ssize_t r = pwrite(fd, p, n, (off_t)off);
    return r < 0 ? -errno : r;
}

static int real_fdatasync(int fd)
{
    return result(fdatasync(fd));
}

static int real_fsync(int fd)
{
    return result(fsync(fd));
}

static int real_ftruncate(int fd, uint64_t length)
{
    return result(ftruncate(fd, (off_t)length));
}

static int real_reserve(int fd, uint64_t off, uint64_t length)
{
    return result(fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)length));
}

static int64_t real_size(int fd)
{
    struct stat st;
    return fstat(fd, &st) < 0 ? -errno : (int64_t)st.st_size;
}

static int64_t real_path_size(const char *path)
{
    struct stat st;
    return stat(path, &st) < 0 ? -errno : (int64_t)st.st_size;
}

static int real_rename(const char *from, const char *to)
{
    return result(rename(from, to));
}

static int real_unlink(const char *path)
{
    return result(unlink(path));
}

static int real_mkdir(const char *path)
{
    return result(mkdir(path, 0750));
}

static int real_list(const char *dir, int (*each)(void *arg, const char *name), void *arg)
{
    DIR *d = opendir(dir);
    if (!d)
        return -errno;
    int r = 0;
    for (struct dirent *e; !r;) {
        errno = 0;
        if (!(e = readdir(d))) {
            r = -errno;
            break;
        }
        if (e->d_name[0] != '.')
            r = each(arg, e->d_name);
    }
    closedir(d);
    return r;
}

static const struct fs real = {
    .open = real_open,
    .close = real_close,
    .pread = real_pread,
    .pwrite = real_pwrite,
    .fdatasync = real_fdatasync,
    .fsync = real_fsync,
    .ftruncate = real_ftruncate,
    .reserve = real_reserve,
    .size = real_size,
    .path_size = real_path_size,
    .rename = real_rename,
    .unlink = real_unlink,
    .mkdir = real_mkdir,
    .list = real_list,
};

const struct fs *fs = &real;

void fs_use(const struct fs *table)
{
    fs = table ? table : &real;
}

int fs_write(int fd, const void *p, size_t n, uint64_t off)
{
    const char *at = p;
    while (n) {
        ssize_t r = fs->pwrite(fd, at, n, off);
        if (r == -EINTR)
            continue;
        if (r <= 0)
            return r ? (int)r : -EIO;
        at += r;
        n -= (size_t)r;
        off += (uint64_t)r;
    }
    return 0;
}

int fs_read(int fd, void *p, size_t n, uint64_t off)
{
    char *at = p;
    while (n) {
        ssize_t r = fs->pread(fd, at, n, off);
        if (r == -EINTR)
            continue;
        if (r <= 0)
            return r ? (int)r : -ENODATA;
        at += r;
        n -= (size_t)r;
        off += (uint64_t)r;
    }
    return 0;
}

int fs_sync_dir(const char *dir)
{
    int fd = fs->open(dir, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd;
    int r = fs->fsync(fd);
    fs->close(fd);
    return r;
}
