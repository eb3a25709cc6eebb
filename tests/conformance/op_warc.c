/* SPDX-License-Identifier: MIT */
/* warc.read: the records of a WARC file; `length` is that of the block. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store/warcread.h"
#include "tests/conformance/adapter.h"

static json_t *answer_damage(const struct warcread *w)
{
    uint64_t offset;
    const char *why = warcread_why(w, &offset);
    return json_pack("{s:s, s:I}", "error", why, "offset", (json_int_t)offset);
}

static json_t *read_records(struct warcread *w)
{
    json_t *records = json_array();
    struct warc_record r;
    int got;
    while ((got = warcread_next(w, &r)) > 0) {
        json_t *target = r.target ? json_text(r.target, strlen(r.target)) : json_null();
        json_array_append_new(records, json_pack("{s:o, s:o, s:I, s:b}", "type",
                                                 json_text(r.type, strlen(r.type)), "target",
                                                 target, "length", (json_int_t)r.block_bytes,
                                                 "digest_ok", r.digest_ok));
    }
    if (got == 0)
        return json_pack("{s:o}", "records", records);
    json_decref(records);
    return got == -EBADMSG ? answer_damage(w) : answer_error(strerror(-got));
}

json_t *op_warc_read(const json_t *request)
{
    const char *path;
    size_t len;
    struct warcread *w;
    if (!arg_text(request, "path", &path, &len) || strlen(path) != len)
        return answer_error("path");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return answer_error(strerror(errno));
    int err = warcread_new(fd, &w);
    json_t *answer = err ? answer_error(strerror(-err)) : read_records(w);
    if (!err)
        warcread_free(w);
    close(fd);
    return answer;
}
