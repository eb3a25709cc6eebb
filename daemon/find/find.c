/* SPDX-License-Identifier: MIT */
/* A row has its URL in a member of its own, so rows are found as text, without reading JSON. Where
 * there is no row, the journal's ACCEPTs are walked through: it knows a URL that waits. */
#include "daemon/find/find.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/jsonw.h"
#include "daemon/frontier/fs.h"
#include "daemon/frontier/journal.h"

#define NICE 10

static int open_in(const char *dir, const char *name)
{
    struct buf path = {0};
    buf_addf(&path, "%s/%s", dir, name);
    int fd = open(buf_str(&path), O_RDONLY | O_CLOEXEC);
    buf_done(&path);
    return fd;
}

/* The line around the last `,"url":"URL"` of the text; NULL if there is none. */
static json_t *last_row(const char *text, size_t n, const char *url)
{
    struct buf key = {0};
    const char *hit = NULL, *end;
    jsonw_key_string(&key, "url", url);
    size_t skip = *buf_data(&key) == ',' ? 0 : 1;
    for (const char *at = text;
         (at = memmem(at, (size_t)(text + n - at), buf_data(&key), buf_len(&key))); at++)
        hit = at;
    buf_done(&key);
    if (!hit)
        return NULL;
    const char *begin = memrchr(text, '\n', (size_t)(hit + skip - text));
    begin = begin ? begin + 1 : text;
    end = memchr(hit, '\n', (size_t)(text + n - hit));
    return json_loadb(begin, (size_t)((end ? end : text + n) - begin), 0, NULL);
}

static json_t *find_row(const char *dir, const char *url, uint64_t committed_bytes)
{
    int fd = open_in(dir, "results.jsonl");
    struct stat st;
    json_t *row = NULL;
    if (fd < 0)
        return NULL;
    size_t n =
        fstat(fd, &st) || (uint64_t)st.st_size < committed_bytes ? 0 : (size_t)committed_bytes;
    char *text = n ? mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (text != MAP_FAILED) {
        madvise(text, n, MADV_SEQUENTIAL);
        row = last_row(text, n, url);
        munmap(text, n);
    }
    close(fd);
    return row;
}

/* The last seq of the URL among the batch's items, or what it was. */
static uint64_t find_item(const struct batch_view *batch, const char *url, size_t len, uint64_t seq)
{
    struct cut items = batch->items, body;
    uint8_t tag;
    while (cut_item(&items, &tag, &body)) {
        if (tag != ITEM_ACCEPT && tag != ITEM_ACCEPT_NEW)
            continue;
        uint64_t n = cut_varint(&body);
        if (!body.bad && (size_t)(body.end - body.p) == len && !memcmp(body.p, url, len))
            seq = n;
    }
    return seq;
}

static uint64_t find_seq(const char *dir, const char *url)
{
    char why[JOURNAL_WHY_BYTES];
    struct journal_reader r;
    struct batch_view batch;
    uint64_t seq = 0;
    int fd = open_in(dir, "frontier.log");
    if (fd < 0)
        return 0;
    int err = journal_reader_init(&r, fd, why);
    while (!err && journal_reader_next(&r, &batch) > 0)
        seq = find_item(&batch, url, strlen(url), seq);
    journal_reader_done(&r);
    close(fd);
    return seq;
}

static json_t *find_in(const char *dir, const char *url, uint64_t committed_bytes)
{
    json_t *row = find_row(dir, url, committed_bytes);
    if (row)
        return json_pack("{ss so}", "dir", dir, "row", row);
    uint64_t seq = find_seq(dir, url);
    return seq ? json_pack("{ss sI}", "dir", dir, "seq", (json_int_t)seq) : NULL;
}

int find_main(int count, char *const *words)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (nice(NICE) < 0)
        errno = 0;
    json_t *found = json_array();
    for (int i = 1; i + 1 < count; i += 2) {
        json_t *one = find_in(words[i], words[0], strtoull(words[i + 1], NULL, 10));
        if (one)
            json_array_append_new(found, one);
    }
    json_t *result = json_pack("{so}", "found", found);
    int r = json_dumpf(result, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(result);
    return r < 0 || putchar('\n') == EOF || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
