/* SPDX-License-Identifier: MIT */
/* Segments are percent-encoded straight to their place; at a segment's end it is looked at once
 * more: dots take it back. A path of k segments is k times '/' and the segment. */
#include "common/url_path.h"

#include <string.h>

#include "common/percent.h"

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

bool url_path_drive(const char *p, const char *end)
{
    return end - p >= 2 && is_letter(p[0]) && (p[1] == ':' || p[1] == '|') &&
           (end - p == 2 || memchr("/\\?#", p[2], 4));
}

void url_path_shorten(struct url_path *path)
{
    size_t n = (size_t)(path->w - path->start);
    bool drive = path->file && n == 3 && is_letter(path->start[1]) && path->start[2] == ':';
    if (n && !drive)
        path->w = memrchr(path->start, '/', n);
}

/* How many dots the segment is, each also spelled %2e: 1, 2, or 0 when it is anything else. */
static int dot_count(const char *p, const char *end)
{
    int count = 0;
    while (p < end && count < 3) {
        if (*p == '.')
            p++;
        else if (end - p >= 3 && p[0] == '%' && p[1] == '2' && (p[2] | 0x20) == 'e')
            p += 3;
        else
            return 0;
        count++;
    }
    return count < 3 ? count : 0;
}

/* The segment [seg, path->w) is whole; last: no slash behind it. */
static void segment_end(struct url_path *path, char *seg, bool last)
{
    if (seg == path->w)
        return;
    int dots = *seg == '.' || *seg == '%' ? dot_count(seg, path->w) : 0;
    if (dots) {
        path->w = seg - 1;
        if (dots == 2)
            url_path_shorten(path);
        if (last)
            *path->w++ = '/';
    } else if (path->file && seg - 1 == path->start && path->w - seg == 2 &&
               url_path_drive(seg, path->w)) {
        seg[1] = ':';
    }
}

const char *url_path_append(struct url_path *path, const char *p, const char *end)
{
    for (;; p++) {
        *path->w++ = '/';
        char *seg = path->w, *w = seg;
        for (; p < end; p++) {
            unsigned char c = (unsigned char)*p;
            unsigned sets = percent_sets[c];
            if (!(sets & (PERCENT_PATH | PERCENT_DELIMITER))) {
                *w++ = (char)c;
                continue;
            }
            if (c == '/' || c == '?' || c == '#' || (c == '\\' && path->special))
                break;
            if (sets & PERCENT_PATH)
                w = percent_put(w, c);
            else
                *w++ = (char)c;
        }
        path->w = w;
        bool last = p == end || *p == '?' || *p == '#';
        segment_end(path, seg, last);
        if (last)
            return p;
    }
}
