/* SPDX-License-Identifier: MIT */
/* Many words in little memory: their text, each with a NUL behind it, and where each ends. */
#ifndef COMMON_WORDLIST_H
#define COMMON_WORDLIST_H

#include <stdint.h>

#include "common/buf.h"

#define WORDLIST_MAX_BYTES (128u << 20) /* of text */

struct wordlist {
    struct buf text; /* words, each with its NUL */
    struct buf ends; /* uint32_t: where in the text the next one begins */
};

/* len: the word holds no NUL. 0, or -EFBIG and it is not added. */
int wordlist_add(struct wordlist *w, const char *word, size_t len);

/* Takes over a whole text, as it was in w->text of such a list. 0, -EFBIG or -EINVAL (no NUL at its
 * end): then the text is freed. */
int wordlist_take(struct wordlist *w, struct buf *take_text);

size_t wordlist_count(const struct wordlist *w);

/* Word i < count; NUL-terminated, valid until one is added. */
const char *wordlist_at(const struct wordlist *w, size_t i, size_t *ret_len);

void wordlist_done(struct wordlist *w);

#endif
