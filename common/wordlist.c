/* SPDX-License-Identifier: MIT */
#include "common/wordlist.h"

#include <errno.h>

static void add_end(struct wordlist *w, size_t end)
{
    uint32_t at = (uint32_t)end;
    buf_add(&w->ends, &at, sizeof at);
}

int wordlist_add(struct wordlist *w, const char *word, size_t len)
{
    if (len >= WORDLIST_MAX_BYTES - buf_len(&w->text))
        return -EFBIG;
    buf_add(&w->text, word, len);
    buf_addc(&w->text, '\0');
    add_end(w, buf_len(&w->text));
    return 0;
}

int wordlist_take(struct wordlist *w, struct buf *take_text)
{
    size_t n = buf_len(take_text);
    wordlist_done(w);
    if (n > WORDLIST_MAX_BYTES || (n && buf_data(take_text)[n - 1])) {
        buf_done(take_text);
        return n > WORDLIST_MAX_BYTES ? -EFBIG : -EINVAL;
    }
    w->text = *take_text;
    *take_text = (struct buf){0};
    const char *text = buf_data(&w->text);
    for (size_t at = 0; at < n; add_end(w, at))
        at += strlen(text + at) + 1;
    return 0;
}

size_t wordlist_count(const struct wordlist *w)
{
    return buf_len(&w->ends) / sizeof(uint32_t);
}

const char *wordlist_at(const struct wordlist *w, size_t i, size_t *ret_len)
{
    const uint32_t *ends = (const void *)buf_data(&w->ends);
    size_t begin = i ? ends[i - 1] : 0;
    *ret_len = ends[i] - begin - 1;
    return buf_data(&w->text) + begin;
}

void wordlist_done(struct wordlist *w)
{
    buf_done(&w->text);
    buf_done(&w->ends);
}
