/* SPDX-License-Identifier: MIT */
#include "daemon/parse/mime.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static void lower_token(char *out, size_t room, const char *p, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n && len < room - 1 && p[i] > ' ' && p[i] < 0x7f; i++)
        out[len++] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
    out[len] = '\0';
}

void mime_parse(const char *value, struct mime *ret_mime)
{
    ret_mime->charset[0] = '\0';
    lower_token(ret_mime->type, sizeof ret_mime->type, value, strcspn(value, "; \t"));
    for (const char *at = value; (at = strchr(at, ';'));) {
        at += 1 + strspn(at + 1, " \t");
        if (strncasecmp(at, "charset=", 8))
            continue;
        at += 8 + (at[8] == '"');
        lower_token(ret_mime->charset, sizeof ret_mime->charset, at, strcspn(at, "\"; \t"));
        return;
    }
}

static bool ends_in(const char *type, const char *end)
{
    size_t n = strlen(type), k = strlen(end);
    return n >= k && !strcmp(type + n - k, end);
}

bool mime_is_html(const char *type)
{
    return !*type || !strcmp(type, "text/html");
}

bool mime_is_xml(const char *type)
{
    return ends_in(type, "/xml") || ends_in(type, "+xml");
}

bool mime_is_dense(const char *type)
{
    static const char *const dense[] = {
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "image/avif",
        "image/heic",
        "image/jxl",
        "video/",
        "audio/mpeg",
        "audio/mp4",
        "audio/aac",
        "audio/ogg",
        "audio/webm",
        "audio/flac",
        "font/woff",
        "application/font-woff",
        "application/zip",
        "application/gzip",
        "application/x-gzip",
        "application/x-bzip2",
        "application/x-xz",
        "application/zstd",
        "application/x-7z-compressed",
        "application/vnd.rar",
        "application/x-rar-compressed",
        "application/java-archive",
        "application/epub+zip",
        "application/vnd.openxmlformats-officedocument.",
        "application/vnd.android.package-archive",
    };
    for (size_t i = 0; i < sizeof dense / sizeof *dense; i++)
        if (!strncmp(type, dense[i], strlen(dense[i])))
            return true;
    return false;
}
