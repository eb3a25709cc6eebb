/* SPDX-License-Identifier: MIT */
/* Edit distance with swaps of neighbours (optimal string alignment), three rows at a time. Case and
 * the difference between '-' and '_' count nothing. */
#include "common/suggest.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

static int fold(char c)
{
    return c == '-' ? '_' : tolower((unsigned char)c);
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][SUGGEST_NAME_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t k = 0; k <= b_len; k++)
        above[k] = before[k] = k;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = i;
        for (size_t k = 1; k <= b_len; k++) {
            int x = fold(a[i - 1]), y = fold(b[k - 1]);
            row[k] = least(above[k] + 1, row[k - 1] + 1, above[k - 1] + (x != y));
            if (i > 1 && k > 1 && x == fold(b[k - 2]) && fold(a[i - 2]) == y &&
                before[k - 2] + 1 < row[k])
                row[k] = before[k - 2] + 1;
        }
        size_t *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[b_len];
}

void suggest_init(struct suggest *s, const char *given)
{
    *s = (struct suggest){.given = given, .distance = SIZE_MAX};
}

void suggest_offer(struct suggest *s, const char *candidate, const char *answer)
{
    size_t a_len = strlen(s->given), b_len = strlen(candidate);
    if (a_len > SUGGEST_NAME_MAX || b_len > SUGGEST_NAME_MAX)
        return;
    size_t d = distance(s->given, a_len, candidate, b_len);
    if (d < s->distance) {
        s->distance = d;
        s->answer = answer;
    }
}

const char *suggest_answer(const struct suggest *s)
{
    size_t most = strlen(s->given) / 3;
    return s->distance <= (most ? most : 1) ? s->answer : NULL;
}
