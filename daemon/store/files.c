/* SPDX-License-Identifier: MIT */
/* All records of a batch lie in one buffer, in the order they were made. A file's captures know
 * their piece of it; pieces that touch are written as one:
 *
 *     out:   [ a1 | a2 | b1 | a3 ]      a: writev(a1+a2, a3)      b: writev(b1)
 *
 * A large record does not pass through the buffer: its response goes to the file at once.
 *
 * A write is never repeated: one that was short ends the file. What lies wholly before the cut is
 * written, the rest is not. */
#include "daemon/store/files.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "daemon/store/deflate.h"
#include "daemon/store/large.h"

/* Of what is too long for deflate.h. Level 1: 47 us for a page of 20 KiB, where level 6 takes 103
 * and saves a hundredth. */
#define GZIP_LEVEL 1

#define DENSE_MIN_BYTES 4096 /* smaller records are always compressed: half of one is headers */
#define SAMPLE_BYTES    1024

#define KEEP_BYTES (4 << 20) /* a buffer grown beyond this is given back */
#define PIECES     64        /* of one writev */

void batch_init(struct batch *b)
{
    *b = (struct batch){0};
    b->gzip = libdeflate_alloc_compressor(GZIP_LEVEL);
    b->gzip_stored = libdeflate_alloc_compressor(0);
    if (!b->gzip || !b->gzip_stored) {
        log_crit("out of memory for a compressor");
        abort();
    }
    b->gzip_small = deflate_new();
    warc_ids_init(&b->ids);
    list_init(&b->files);
}

void batch_done(struct batch *b)
{
    libdeflate_free_compressor(b->gzip);
    libdeflate_free_compressor(b->gzip_stored);
    deflate_free(b->gzip_small);
    buf_done(&b->out);
    buf_done(&b->record);
}

/* Whether the middle looks compressed already (a body with a content coding, an image): all byte
 * values about equally often. The sum of their squared counts in the sample is then near 5,100;
 * text has 30,000 and more, base64 17,000. */
static bool is_dense(const struct buf *bytes)
{
    if (buf_len(bytes) < DENSE_MIN_BYTES)
        return false;
    const uint8_t *p = (const uint8_t *)buf_data(bytes) + (buf_len(bytes) - SAMPLE_BYTES) / 2;
    uint16_t counts[256] = {0};
    uint32_t squares = 0;
    for (int i = 0; i < SAMPLE_BYTES; i++)
        counts[p[i]]++;
    for (int i = 0; i < 256; i++)
        squares += (uint32_t)counts[i] * counts[i];
    return squares < 7000;
}

/* Where the next record is to be made. */
static struct buf *batch_record(struct batch *b, bool gzip)
{
    return gzip ? &b->record : &b->out;
}

static void member_small(struct batch *b)
{
    size_t n = buf_len(&b->record);
    char *to = buf_reserve(&b->out, deflate_gzip_bound(n));
    buf_grew(&b->out, deflate_gzip(b->gzip_small, buf_data(&b->record), n, to));
}

static void member_any(struct batch *b, struct libdeflate_compressor *z)
{
    size_t n = buf_len(&b->record), bound = libdeflate_gzip_compress_bound(z, n);
    char *to = buf_reserve(&b->out, bound);
    buf_grew(&b->out, libdeflate_gzip_compress(z, buf_data(&b->record), n, to, bound));
}

/* The record made is whole: with gzip it becomes a member of its own. dense: its body is known to
 * be compressed already. */
static void batch_record_end(struct batch *b, bool gzip, bool dense)
{
    if (!gzip)
        return;
    if (dense || is_dense(&b->record))
        member_any(b, b->gzip_stored);
    else if (buf_len(&b->record) <= DEFLATE_MAX_BYTES)
        member_small(b);
    else
        member_any(b, b->gzip);
    buf_clear(&b->record);
}

static void file_begin(struct batch *b, struct store_file *f, const struct store_job *job)
{
    const struct warc_info info = {.file_name = f->name,
                                   .software = job->software,
                                   .operator_contact = job->operator_contact,
                                   .robots = job->robots,
                                   .user_agent = job->user_agent,
                                   .job_name = job->job_name};
    off_t end = lseek(f->fd, 0, SEEK_END);
    f->made_end = f->written_end = end > 0 ? (uint64_t)end : 0;
    f->begun = true;
    warc_ids_next(&b->ids, &f->info);
    warc_add_info(batch_record(b, job->gzip), &info, &f->info, clock_wall_ns());
    batch_record_end(b, job->gzip, false);
}

/* A short write does not say why: one byte more does. It counts no more than the rest. */
static int why_short(int fd)
{
    return write(fd, "", 1) < 0 ? -errno : -ENOSPC;
}

bool file_write(struct store_file *f, const struct iovec *pieces, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += pieces[i].iov_len;
    ssize_t n;
    do
        n = total ? writev(f->fd, pieces, count) : 0;
    while (n < 0 && errno == EINTR);
    f->written_end += n > 0 ? (uint64_t)n : 0;
    if (n < 0)
        f->err = -errno;
    else if ((size_t)n < total)
        f->err = why_short(f->fd);
    return !f->err;
}

static bool file_write_out(struct batch *b, struct store_file *f)
{
    bool written = file_write(f, &(struct iovec){buf_data(&b->out), buf_len(&b->out)}, 1);
    buf_clear(&b->out);
    return written;
}

static void large_response(struct batch *b, struct store_file *f, bool gzip,
                           const struct warc_exchange *x, struct capture *c)
{
    enum large_coding coding = !gzip                                ? LARGE_PLAIN
                               : c->dense || is_dense(&c->response) ? LARGE_GZIP_STORED
                                                                    : LARGE_GZIP;
    warc_add_response_head(&b->record, x, buf_data(&c->response), buf_len(&c->response));
    if (file_write_out(b, f)) {
        c->offset = f->written_end;
        large_write(f, &b->record, &c->response, coding, &b->out);
        c->length = f->written_end - c->offset;
    }
    buf_clear(&b->record);
    f->made_end = f->written_end;
}

static void response_record(struct batch *b, struct store_file *f, bool gzip,
                            const struct warc_exchange *x, struct capture *c)
{
    size_t start = buf_len(&b->out);
    c->offset = f->made_end + start - c->made_at;
    warc_add_response(batch_record(b, gzip), x, buf_data(&c->response), buf_len(&c->response));
    batch_record_end(b, gzip, c->dense);
    c->length = buf_len(&b->out) - start;
}

static void capture_records(struct batch *b, struct store_file *f, bool gzip, struct capture *c)
{
    struct warc_exchange x = {.url = c->url,
                              .url_len = c->url_len,
                              .ip = c->ip,
                              .tls_version = c->tls_version,
                              .tls_cipher = c->tls_cipher,
                              .wall_ns = c->wall_ns,
                              .payload_sha1 = c->has_payload ? c->payload_sha1 : NULL,
                              .truncated = c->truncated,
                              .info = f->info};
    warc_ids_next(&b->ids, &x.response);
    warc_ids_next(&b->ids, &x.request);
    if (batch_is_large(c))
        large_response(b, f, gzip, &x, c);
    else
        response_record(b, f, gzip, &x, c);
    warc_add_request(batch_record(b, gzip), &x, buf_data(&c->request), buf_len(&c->request));
    batch_record_end(b, gzip, false);
}

bool batch_is_large(const struct capture *c)
{
    return buf_len(&c->response) > LARGE_BYTES;
}

void batch_add(struct batch *b, struct store_file *f, const struct store_job *job,
               struct capture *c)
{
    c->made_at = buf_len(&b->out);
    list_add_tail(&f->made, &c->link.list);
    if (list_empty(&f->in_batch))
        list_add_tail(&b->files, &f->in_batch);
    if (!f->begun)
        file_begin(b, f, job);
    capture_records(b, f, job->gzip, c);
    c->made_bytes = buf_len(&b->out) - c->made_at;
    c->file = f->file;
    c->file_name = f->name;
    f->made_end += c->made_bytes;
    c->end = f->made_end;
}

static void file_write_made(struct batch *b, struct store_file *f)
{
    struct iovec pieces[PIECES];
    int count = 0;
    if (f->err)
        return;
    list_each(it, &f->made)
    {
        const struct capture *c = list_of(it, struct capture, link.list);
        char *from = buf_data(&b->out) + c->made_at;
        if (count && (char *)pieces[count - 1].iov_base + pieces[count - 1].iov_len == from) {
            pieces[count - 1].iov_len += c->made_bytes;
            continue;
        }
        if (count == PIECES && !file_write(f, pieces, count))
            return;
        count %= PIECES;
        pieces[count++] = (struct iovec){from, c->made_bytes};
    }
    file_write(f, pieces, count);
}

void batch_write(struct batch *b, struct list *out)
{
    list_each_safe(link, next_link, &b->files)
    {
        struct store_file *f = list_of(link, struct store_file, in_batch);
        file_write_made(b, f);
        list_each_safe(it, next, &f->made)
        {
            struct capture *c = list_of(it, struct capture, link.list);
            if (c->end > f->written_end)
                c->err = f->err;
            list_del(it);
            list_add_tail(out, it);
        }
        list_del(link);
    }
    buf_clear(&b->out);
    if (b->out.cap > KEEP_BYTES)
        buf_done(&b->out);
    if (b->record.cap > KEEP_BYTES)
        buf_done(&b->record);
}

void file_close(struct store_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

void file_free(struct store_file *f)
{
    file_close(f);
    free(f->name);
    free(f);
}
