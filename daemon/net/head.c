/* SPDX-License-Identifier: MIT */
/* Two passes over bytes that are still warm. scan() hops from line end to line end until the blank
 * line, and remembers where it was, so that a head that comes in drops is looked at once. Then the
 * whole head is taken apart in one go, which keeps no half-parsed state between reads.
 *
 *      p ─▶ [ 1xx head | HTTP/1.1 200 OK | Name: value | ... | blank | body ...
 *                      start               line ─▶ scan ─▶           end
 *
 * Strict where two readers could see different bodies or different fields: NUL or a bare CR
 * anywhere, an empty name, a framing field with blanks before its colon, a Content-Length that is
 * not one number, a transfer coding other than chunked. Lenient elsewhere: bare LF, blank lines in
 * front, any case of "http", no reason phrase, folded lines, equal Content-Lengths; a line that is
 * no field is dropped. Chunked wins over a Content-Length, which then ends the connection (RFC 9112
 * section 6.3). */
#include "daemon/net/head.h"

#include <string.h>

/* What the framing fields said. */
struct framing {
    int64_t length; /* -1: not given */
    bool chunked, close, keep_alive;
};

/* Field name characters (RFC 9110 section 5.6.2). */
static const unsigned char token_chars[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1,         ['&'] = 1,         ['\''] = 1,
    ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,         ['^'] = 1,         ['_'] = 1,
    ['`'] = 1, ['|'] = 1, ['~'] = 1, ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1,
};

/* No two known names are equally long. */
#define KNOWN_LEN_MAX 17
static const struct {
    const char *name;
    enum head_known known;
} known_by_len[KNOWN_LEN_MAX + 1] = {
    [8] = {"location", HEAD_LOCATION},
    [10] = {"connection", HEAD_CONNECTION},
    [11] = {"retry-after", HEAD_RETRY_AFTER},
    [12] = {"content-type", HEAD_CONTENT_TYPE},
    [14] = {"content-length", HEAD_CONTENT_LENGTH},
    [16] = {"content-encoding", HEAD_CONTENT_ENCODING},
    [17] = {"transfer-encoding", HEAD_TRANSFER_ENCODING},
};

static enum http_verdict head_fail(struct head *h, enum reason why)
{
    h->failure = (uint8_t)why;
    return HTTP_FAILED;
}

void head_init(struct head *h, bool to_head)
{
    *h = (struct head){.to_head = to_head};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
    return is_blank(c) || c == '\r' || c == '\n';
}

/* Does p equal the lower-case text of letters and '-', in any case? Names are token characters,
 * so no other byte can fold onto '-'. */
static bool same_name(const char *p, const char *text, size_t n)
{
    unsigned differs = 0;
    for (size_t i = 0; i < n; i++)
        differs |= (unsigned char)((p[i] | 0x20) ^ text[i]);
    return !differs;
}

static bool span_is(struct body_span s, const char *text)
{
    return s.len == strlen(text) && !strncasecmp(s.p, text, s.len);
}

/* Can these n bytes begin a status line, or be a blank line in front of it? */
static bool can_begin(const char *p, size_t n)
{
    if (!n || p[0] == '\n')
        return true;
    if (p[0] == '\r')
        return n < 2 || p[1] == '\n';
    return !strncasecmp(p, "HTTP/1.", n < 7 ? n : 7);
}

/* On to the end of the blank line. n is at most HEAD_BYTES. */
static enum http_verdict scan(struct head *h, const char *p, size_t n)
{
    for (;;) {
        bool first = h->line == h->start;
        if (first && !can_begin(p + h->start, n - h->start))
            return head_fail(h, REASON_BAD_RESPONSE);
        const char *lf = memchr(p + h->scan, '\n', n - h->scan);
        if (!lf) {
            h->scan = (uint32_t)n;
            return n < HEAD_BYTES ? HTTP_MORE : head_fail(h, REASON_HEADER_TOO_LARGE);
        }
        uint32_t next = (uint32_t)(lf - p) + 1;
        bool blank = next - h->line == 1 || (next - h->line == 2 && p[h->line] == '\r');
        h->line = h->scan = next;
        if (blank && !first) {
            h->end = next;
            return HTTP_DONE;
        }
        if (blank)
            h->start = next;
        else if (++h->line_count > HEAD_LINES)
            return head_fail(h, REASON_HEADER_TOO_LARGE);
    }
}

/* NUL, or a CR that does not end a line. The last byte is LF. */
static bool has_bad_control(const char *p, size_t n)
{
    unsigned char bad = 0;
    for (size_t i = 0; i + 1 < n; i++)
        bad |= (unsigned char)((p[i] == '\0') | ((p[i] == '\r') & (p[i + 1] != '\n')));
    return bad;
}

static struct head_slice trimmed(const char *p, size_t from, size_t to)
{
    while (from < to && is_space(p[from]))
        from++;
    while (to > from && is_space(p[to - 1]))
        to--;
    return (struct head_slice){(uint16_t)from, (uint16_t)(to - from)};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.x 200 OK": the first seven bytes are known. Nothing is read behind the line end, as no
 * test lets it pass. */
static bool parse_status(struct head *h, const char *p)
{
    const char *s = p + h->start + 7;
    if (!is_digit(s[0]) || !is_blank(s[1]))
        return false;
    h->minor = (uint8_t)(*s++ - '0');
    while (is_blank(*s))
        s++;
    if (s[0] < '1' || s[0] > '9' || !is_digit(s[1]) || !is_digit(s[2]) || !is_space(s[3]))
        return false;
    h->status = (uint16_t)((s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0'));
    s += is_blank(s[3]) ? 4 : 3;
    const char *lf = memchr(s, '\n', (size_t)(p + h->end - s));
    size_t len = (size_t)(lf - s) - (lf > s && lf[-1] == '\r');
    h->phrase = (struct head_slice){(uint16_t)(s - p), (uint16_t)len};
    return true;
}

/* The next element of a comma-separated list, outer blanks off; there is always a first one. False
 * behind the last. */
static bool next_element(const char **at, const char *end, struct body_span *ret_element)
{
    if (*at > end)
        return false;
    const char *comma = memchr(*at, ',', (size_t)(end - *at));
    const char *stop = comma ? comma : end;
    struct head_slice s = trimmed(*at, 0, (size_t)(stop - *at));
    *ret_element = (struct body_span){*at + s.off, s.len};
    *at = stop + 1;
    return true;
}

static bool parse_length(struct body_span s, int64_t *ret_length)
{
    int64_t length = 0;
    for (size_t i = 0; i < s.len; i++)
        if (!is_digit(s.p[i]) || __builtin_mul_overflow(length, 10, &length) ||
            __builtin_add_overflow(length, s.p[i] - '0', &length))
            return false;
    *ret_length = length;
    return s.len > 0;
}

static bool add_length(struct framing *f, struct body_span s)
{
    int64_t length;
    if (!parse_length(s, &length) || (f->length >= 0 && f->length != length))
        return false;
    f->length = length;
    return true;
}

static bool add_coding(struct framing *f, struct body_span s)
{
    if (f->chunked)
        return false;
    f->chunked = span_is(s, "chunked");
    return f->chunked || span_is(s, "identity");
}

static bool add_connection(struct framing *f, struct body_span s)
{
    f->close |= span_is(s, "close");
    f->keep_alive |= span_is(s, "keep-alive");
    return true;
}

/* Takes in a known field; false if no body can be told from it. */
static bool add_known(struct head *h, struct framing *f, const char *p, enum head_known known,
                      struct head_slice value)
{
    static bool (*const adders[HEAD_KNOWN_COUNT])(struct framing *, struct body_span) = {
        [HEAD_CONTENT_LENGTH] = add_length,
        [HEAD_TRANSFER_ENCODING] = add_coding,
        [HEAD_CONNECTION] = add_connection,
    };
    if (!h->first[known].off)
        h->first[known] = value;
    if (!adders[known])
        return true;
    const char *at = p + value.off, *end = at + value.len;
    struct body_span element;
    while (next_element(&at, end, &element))
        if (!adders[known](f, element))
            return false;
    return true;
}

static enum head_known known_name(const char *name, size_t n)
{
    if (n > KNOWN_LEN_MAX || !known_by_len[n].name || !same_name(name, known_by_len[n].name, n))
        return HEAD_OTHER;
    return known_by_len[n].known;
}

/* Behind the line at `at` and the lines folded into it. The blank line stops it. */
static size_t field_end(const char *p, size_t at, size_t end)
{
    do
        at = (size_t)((const char *)memchr(p + at, '\n', end - at) - p) + 1;
    while (is_blank(p[at]));
    return at;
}

/* One field in [at, next). *ret_field is a field if its name is not empty; false: refused. */
static bool parse_field(const char *p, size_t at, size_t next, struct head_field *ret_field)
{
    size_t colon = at;
    while (token_chars[(unsigned char)p[colon]])
        colon++;
    size_t len = colon - at;
    enum head_known known = known_name(p + at, len);
    *ret_field = (struct head_field){0};
    if (p[colon] != ':') {
        bool framing = known == HEAD_CONTENT_LENGTH || known == HEAD_TRANSFER_ENCODING;
        while (is_blank(p[colon]))
            colon++;
        return !(framing && p[colon] == ':');
    }
    ret_field->name = (struct head_slice){(uint16_t)at, (uint16_t)len};
    ret_field->value = trimmed(p, colon + 1, next);
    ret_field->known = (uint16_t)known;
    return len > 0;
}

static bool parse_fields(struct head *h, const char *p, struct framing *f,
                         struct head_fields *fields)
{
    size_t at = (size_t)((const char *)memchr(p + h->phrase.off, '\n', h->end - h->phrase.off) - p);
    at = at + 1;
    fields->count = 0;
    if (is_blank(p[at]))
        at = field_end(p, at, h->end);
    while (!is_space(p[at])) {
        size_t next = field_end(p, at, h->end);
        struct head_field *field = &fields->at[fields->count];
        if (!parse_field(p, at, next, field))
            return false;
        if (field->known && !add_known(h, f, p, field->known, field->value))
            return false;
        fields->count += field->name.len > 0;
        at = next;
    }
    return true;
}

/* RFC 9112 sections 6.3 and 9.3. */
static void set_framing(struct head *h, const struct framing *f)
{
    h->keep_alive = !f->close && (h->minor > 0 || f->keep_alive);
    if (h->to_head || h->status == 204 || h->status == 304) {
        h->body_kind = BODY_NONE;
    } else if (f->chunked) {
        h->body_kind = BODY_CHUNKED;
        h->keep_alive = h->keep_alive && f->length < 0 && h->minor > 0;
    } else if (f->length >= 0) {
        h->body_kind = BODY_LENGTH;
        h->body_bytes = (uint64_t)f->length;
    } else {
        h->body_kind = BODY_CLOSE;
        h->keep_alive = false;
    }
}

enum http_verdict head_parse(struct head *h, const char *p, size_t n,
                             struct head_fields *ret_fields)
{
    if (h->failure)
        return HTTP_FAILED;
    for (;;) {
        enum http_verdict v = scan(h, p, n < HEAD_BYTES ? n : HEAD_BYTES);
        if (v != HTTP_DONE)
            return v;
        if (has_bad_control(p + h->start, h->end - h->start) || !parse_status(h, p))
            return head_fail(h, REASON_BAD_RESPONSE);
        if (h->status >= 200)
            break;
        if (h->status == 101 || ++h->interim_count > HEAD_INTERIM_COUNT)
            return head_fail(h, REASON_BAD_RESPONSE);
        h->start = h->line = h->scan = h->end;
    }
    struct framing f = {.length = -1};
    if (!parse_fields(h, p, &f, ret_fields))
        return head_fail(h, REASON_BAD_RESPONSE);
    set_framing(h, &f);
    return HTTP_DONE;
}

enum reason head_end(size_t n)
{
    return n ? REASON_BODY_INCOMPLETE : REASON_EMPTY_REPLY;
}

void head_value(const char *p, struct head_slice value, struct buf *out)
{
    const char *at = p + value.off, *end = at + value.len;
    while (at < end) {
        const char *stop = at;
        while (stop < end && *stop != '\r' && *stop != '\n')
            stop++;
        const char *text_end = stop;
        while (stop < end && text_end > at && is_blank(text_end[-1]))
            text_end--;
        buf_add(out, at, (size_t)(text_end - at));
        for (at = stop; at < end && is_space(*at); at++)
            ;
        if (at < end)
            buf_addc(out, ' ');
    }
}

void head_list(const char *p, const struct head_fields *fields, enum head_known known,
               struct buf *out)
{
    const char *comma = "";
    for (unsigned i = 0; i < fields->count; i++)
        if (fields->at[i].known == known) {
            buf_adds(out, comma);
            head_value(p, fields->at[i].value, out);
            comma = ", ";
        }
}
