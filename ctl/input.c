/* SPDX-License-Identifier: MIT */
/* Lines are found in one buffer that is refilled by read(2). A line longer than INPUT_LINE_MAX is
 * given out cut, as not good, and the rest of it is skipped. */
#include "ctl/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/utf8.h"
#include "ctl/exits.h"
#include "ctl/say.h"
#include "ctl/signals.h"

#define READ_BYTES (256 * 1024)

static int unreadable(const char *path, int err)
{
    say_error("cannot read %s: %s", path, strerror(err));
    return err == ENOENT ? EXIT_NOT_FOUND : EXIT_FAILED;
}

int input_check(const char *path)
{
    struct stat s;
    if (!strcmp(path, "-"))
        return 0;
    if (access(path, R_OK) || stat(path, &s))
        return unreadable(path, errno);
    return S_ISDIR(s.st_mode) ? unreadable(path, EISDIR) : 0;
}

int input_arguments(int count, char *const *urls)
{
    const char *odd = NULL;
    int odd_count = 0;
    struct stat s;
    for (int i = 0; i < count; i++) {
        if (!strstr(urls[i], "://") && !stat(urls[i], &s) && S_ISREG(s.st_mode)) {
            say_error("%s is a file, not a URL", urls[i]);
            say_hint("-i %s reads the URLs in it", urls[i]);
            return EXIT_USAGE;
        }
        const char *url = urls[i] + strspn(urls[i], " \t");
        if (strncasecmp(url, "http:", 5) && strncasecmp(url, "https:", 6) && !odd_count++)
            odd = urls[i];
    }
    if (odd_count == 1)
        say_note("%s does not begin with http:// or https:// and will not be fetched", odd);
    else if (odd_count)
        say_note("%s and %d more do not begin with http:// or https:// and will not be fetched",
                 odd, odd_count - 1);
    return 0;
}

int input_open(struct input *in, const char *path)
{
    *in = (struct input){.fd = STDIN_FILENO};
    if (!strcmp(path, "-"))
        return 0;
    in->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd >= 0)
        return 0;
    return unreadable(path, errno);
}

void input_done(struct input *in)
{
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    buf_done(&in->buf);
    in->fd = -1;
}

static int refill(struct input *in)
{
    struct pollfd p = {.fd = in->fd, .events = POLLIN};
    int n = poll(&p, 1, 100);
    if (n < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    if (!n)
        return -EAGAIN;
    ssize_t got = read(in->fd, buf_reserve(&in->buf, READ_BYTES), READ_BYTES);
    if (got < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    buf_grew(&in->buf, (size_t)got);
    in->eof = !got;
    return 0;
}

bool input_is_text(const char *s, size_t n)
{
    return !memchr(s, '\0', n) && utf8_valid(s, n, true);
}

static struct line line_of(struct input *in, size_t len, bool whole)
{
    const char *p = buf_data(&in->buf);
    if (len && p[len - 1] == '\r' && whole)
        len--;
    bool fits = whole && len <= INPUT_LINE_MAX;
    if (len > INPUT_LINE_MAX)
        len = INPUT_LINE_MAX;
    return (struct line){p, len, in->line_count, fits && input_is_text(p, len)};
}

/* Files made elsewhere may begin with a byte order mark. */
static size_t mark_len(const struct input *in, const char *p, size_t len)
{
    return in->line_count == 1 && len >= 3 && !memcmp(p, "\xef\xbb\xbf", 3) ? 3 : 0;
}

static bool is_blank(const struct line *line)
{
    for (size_t i = 0; i < line->len; i++)
        if (line->p[i] != ' ' && line->p[i] != '\t' && line->p[i] != '\r')
            return false;
    return true;
}

/* Consumes a line from the buffer if there is one: 1 and the line, else 0. */
static int take_line(struct input *in, struct line *ret_line)
{
    for (;;) {
        size_t len = buf_len(&in->buf);
        char *p = buf_data(&in->buf), *end = len ? memchr(p, '\n', len) : NULL;
        if (!end && len <= INPUT_LINE_MAX + 1 && !(in->eof && len))
            return 0;
        size_t taken = end ? (size_t)(end - p) : len;
        bool rest = in->skipping;
        in->skipping = !end;
        if (!rest)
            in->line_count++;
        size_t mark = rest ? 0 : mark_len(in, p, taken);
        buf_consume(&in->buf, mark);
        taken -= mark;
        *ret_line = line_of(in, taken, end || in->eof);
        buf_consume(&in->buf, taken + (end ? 1 : 0));
        if (!rest && !is_blank(ret_line))
            return 1;
    }
}

int input_next(struct input *in, struct line *ret_line)
{
    while (!take_line(in, ret_line)) {
        if (in->eof)
            return 0;
        int r = refill(in);
        if (r)
            return r;
    }
    return 1;
}

/* input_next() that waits. */
static int next_waiting(struct input *in, struct line *ret_line)
{
    int r;
    while ((r = input_next(in, ret_line)) == -EAGAIN && !signals_interrupted())
        ;
    return r;
}

int input_words(const char *path, struct buf *ret_text)
{
    struct input in;
    struct line line;
    int n, r = input_open(&in, path);
    while (!r && (n = next_waiting(&in, &line)) != 0) {
        if (n < 0) {
            say_error("cannot read %s: %s", path, strerror(-n));
            r = n == -EAGAIN ? EXIT_INTERRUPTED : EXIT_FAILED;
        } else if (!line.good) {
            say_error("%s line %llu: not a word of at most %d bytes of UTF-8", path,
                      (unsigned long long)line.number, INPUT_LINE_MAX);
            r = EXIT_USAGE;
        } else {
            buf_add(ret_text, line.p, line.len);
            buf_addc(ret_text, '\n');
        }
    }
    input_done(&in);
    if (r)
        buf_done(ret_text);
    return r;
}

int input_json(const char *path, json_t **ret_object)
{
    struct input in;
    json_error_t error;
    int r = input_open(&in, path);
    if (r)
        return r;
    json_t *value = json_loadfd(in.fd, JSON_REJECT_DUPLICATES, &error);
    input_done(&in);
    if (json_is_object(value)) {
        *ret_object = value;
        return 0;
    }
    if (value)
        say_error("%s: not a JSON object", path);
    else
        say_error("%s:%d: %s", path, error.line, error.text);
    json_decref(value);
    return EXIT_USAGE;
}
