/* SPDX-License-Identifier: MIT */
#include "tests/servers/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int parse_line(char *line, char *end, struct request *r)
{
    char *blank = memchr(line, ' ', (size_t)(end - line));
    if (!blank || blank == line)
        return -EPROTO;
    char *target = blank + 1;
    char *version = memrchr(target, ' ', (size_t)(end - target));
    if (!version || version == target || end - version != 9 || memcmp(version + 1, "HTTP/1.", 7))
        return -EPROTO;
    r->keep_alive = version[8] != '0';
    *blank = *version = '\0';
    r->method = line;
    r->target = target;
    r->is_head = !strcmp(line, "HEAD");
    return 0;
}

static bool is_name(const char *line, size_t n, const char *name)
{
    return strlen(name) == n && !strncasecmp(line, name, n);
}

static void parse_header(char *line, char *end, struct request *r)
{
    char *colon = memchr(line, ':', (size_t)(end - line));
    if (!colon)
        return;
    char *value = colon + 1;
    *end = '\0';
    while (*value == ' ' || *value == '\t')
        value++;
    size_t n = (size_t)(colon - line);
    if (is_name(line, n, "host"))
        r->host = value;
    else if (is_name(line, n, "connection") && !strcasecmp(value, "close"))
        r->keep_alive = false;
    else if (is_name(line, n, "connection") && !strcasecmp(value, "keep-alive"))
        r->keep_alive = true;
    else if (is_name(line, n, "content-length"))
        r->body_bytes = strtoull(value, NULL, 10);
}

long request_parse(char *data, size_t n, char *copy, struct request *ret_request)
{
    char *stop = data ? memmem(data, n, "\r\n\r\n", 4) : NULL;
    if (!stop)
        return n < REQUEST_HEAD_MOST_BYTES ? 0 : -EPROTO;
    size_t head_bytes = (size_t)(stop - data);
    if (head_bytes >= REQUEST_HEAD_MOST_BYTES || memchr(data, '\0', head_bytes))
        return -EPROTO;
    struct request r = {.host = "", .head = copy, .head_bytes = head_bytes};
    memcpy(copy, data, head_bytes);
    char *end = memmem(data, head_bytes + 2, "\r\n", 2);
    if (parse_line(data, end, &r))
        return -EPROTO;
    for (char *line = end + 2; line < stop; line = end + 2) {
        end = memmem(line, (size_t)(stop + 2 - line), "\r\n", 2);
        parse_header(line, end, &r);
    }
    *ret_request = r;
    return (long)head_bytes + 4;
}
