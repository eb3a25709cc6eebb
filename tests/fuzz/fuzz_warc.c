/* SPDX-License-Identifier: MIT */
/* One WARC file, plain or gzip: the records found must lie one behind the other, from its first
 * byte to its last or to the damage. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/store/warcread.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct warcread *w;
    struct warc_record r;
    uint64_t at = 0, damage;
    int fd = memfd_create("fuzz", MFD_CLOEXEC), got;
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    must(warcread_new(fd, &w) == 0);
    while ((got = warcread_next(w, &r)) > 0) {
        must(r.offset == at && r.stored_bytes > 0);
        at += r.stored_bytes;
    }
    must(got == 0 || got == -EBADMSG);
    if (got == -EBADMSG)
        must(warcread_why(w, &damage) && damage == at);
    else
        must(at == size);
    warcread_free(w);
    close(fd);
    return 0;
}
