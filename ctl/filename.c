/* SPDX-License-Identifier: MIT */
#include "ctl/filename.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static const struct {
    const char *mime, *extension;
} extensions[] = {
    {"text/html", ".html"},
    {"application/xhtml+xml", ".html"},
    {"text/plain", ".txt"},
    {"text/css", ".css"},
    {"text/csv", ".csv"},
    {"text/xml", ".xml"},
    {"application/xml", ".xml"},
    {"application/json", ".json"},
    {"application/pdf", ".pdf"},
    {"text/javascript", ".js"},
    {"application/javascript", ".js"},
    {"image/png", ".png"},
    {"image/jpeg", ".jpg"},
    {"image/gif", ".gif"},
    {"image/svg+xml", ".svg"},
    {"image/webp", ".webp"},
};

static const char *extension_of(const char *mime)
{
    size_t len = strcspn(mime, "; ");
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
        if (strlen(extensions[i].mime) == len && !strncasecmp(mime, extensions[i].mime, len))
            return extensions[i].extension;
    return "";
}

/* Where the last part of the URL's path begins, and its length without query and fragment. */
static const char *last_part(const char *url, size_t *ret_len)
{
    const char *scheme = strstr(url, "://");
    const char *host = scheme ? scheme + 3 : url;
    size_t end = strcspn(host, "?#");
    const char *p = host + end;
    while (p > host && p[-1] != '/')
        p--;
    *ret_len = p == host ? 0 : (size_t)(host + end - p);
    return p;
}

void filename_make(struct buf *b, uint64_t seq, const char *url, const char *mime)
{
    size_t len;
    const char *part = last_part(url, &len);
    buf_addf(b, "%06llu-", (unsigned long long)seq);
    size_t start = buf_len(b);
    bool dotted = false;
    for (size_t i = 0; i < len && buf_len(b) - start < FILENAME_MAX_BYTES; i++) {
        unsigned char c = (unsigned char)part[i];
        bool safe = c < 0x80 && (isalnum(c) || c == '-' || c == '_' || c == '.');
        dotted |= i && c == '.';
        buf_addc(b, safe ? (char)c : '_');
    }
    if (!len)
        buf_adds(b, "index");
    if (!dotted)
        buf_adds(b, extension_of(mime));
}
