/* SPDX-License-Identifier: MIT */
#include "ctl/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/quantity.h"
#include "common/utf8.h"

void text_escape(struct buf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        int len = utf8_sequence(s + i, n - i);
        unsigned char c = (unsigned char)s[i];
        if (len <= 0 || c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)s[i + 1] < 0xa0)) {
            buf_addf(b, "\\x%02x", c);
            i++;
        } else {
            buf_add(b, s + i, (size_t)len);
            i += (size_t)len;
        }
    }
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t text_columns(const char *s)
{
    size_t columns = 0;
    for (; *s; s++)
        columns += !is_continuation(*s);
    return columns;
}

size_t text_fit(const char *s, int columns)
{
    size_t i = 0;
    for (; s[i]; i++)
        if (!is_continuation(s[i]) && columns-- <= 0)
            break;
    return i;
}

int text_terminal_columns(int fd)
{
    struct winsize size;
    if (!isatty(fd))
        return 0;
    return ioctl(fd, TIOCGWINSZ, &size) || size.ws_col < 20 ? 80 : size.ws_col;
}

void text_wrap(struct buf *b, const char *text, int indent, int columns)
{
    size_t room = columns > indent + 20 ? (size_t)(columns - indent) : SIZE_MAX;
    for (;;) {
        size_t fits = strlen(text);
        if (fits > room) {
            fits = room;
            while (fits && text[fits] != ' ')
                fits--;
        }
        if (!fits)
            fits = strcspn(text, " ");
        buf_add(b, text, fits);
        text += fits + strspn(text + fits, " ");
        if (!*text)
            return;
        buf_addf(b, "\n%*s", indent, "");
    }
}

void text_count(struct buf *b, int64_t n)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%llu",
                       n < 0 ? 0ULL - (unsigned long long)n : (unsigned long long)n);
    if (n < 0)
        buf_addc(b, '-');
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            buf_addc(b, ',');
        buf_addc(b, digits[i]);
    }
}

void text_bytes(struct buf *b, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t u = 0;
    for (; bytes >= 1024 && u + 1 < sizeof units / sizeof *units; u++)
        bytes /= 1024;
    buf_addf(b, u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
}

void text_span(struct buf *b, double seconds)
{
    int64_t s = seconds < 0 ? 0 : seconds > 1e10 ? 10000000000 : (int64_t)(seconds + 0.5);
    long long days = s / 86400, hours = s / 3600 % 24, minutes = s / 60 % 60;
    if (days)
        buf_addf(b, "%lldd %02lld:%02lld", days, hours, minutes);
    else if (hours)
        buf_addf(b, "%lld:%02lld:%02lld", hours, minutes, (long long)(s % 60));
    else
        buf_addf(b, "%lld:%02lld", minutes, (long long)(s % 60));
}

int text_duration_ns(const char *s, int64_t *ret_ns)
{
    int64_t ms;
    if (quantity_parse_ms(s, &ms) || ms > INT64_MAX / NS_PER_MS)
        return -EINVAL;
    *ret_ns = ms * NS_PER_MS;
    return 0;
}

int text_number(const char *s, int64_t low, int64_t high, int64_t *ret_n)
{
    char *end;
    errno = 0;
    long long n = strtoll(s, &end, 10);
    if (end == s || *end || errno || *s == ' ' || n < low || n > high)
        return -EINVAL;
    *ret_n = n;
    return 0;
}
