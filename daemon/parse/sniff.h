/* SPDX-License-Identifier: MIT */
/* Which charset a body is in: as it says, or else by its bytes.
 *
 *      BOM ▸ Content-Type ▸ meta or XML declaration ▸ valid UTF-8 ▸ detector ▸ windows-1252 */
#ifndef PARSE_SNIFF_H
#define PARSE_SNIFF_H

#include <stdbool.h>

#include "daemon/parse/charset.h"
#include "daemon/parse/mime.h"

#define SNIFF_GUESS_BYTES 4096 /* looked at by the detector */

/* What the body declares. p, n: its first bytes, at least PRESCAN_BYTES unless it is shorter.
 * *ret_bom_bytes: of a byte order mark, which is no text. CHARSET_NONE: nothing that is known. */
enum charset sniff_declared(const char *p, size_t n, const struct mime *mime,
                            size_t *ret_bom_bytes);

/* Guesses from a piece of it; last: the body ends here. CHARSET_NONE: fewer than SNIFF_GUESS_BYTES
 * follow the first one that is not ASCII, and more comes: ask again with them and the next piece.
 */
enum charset sniff_guess(const char *p, size_t n, bool last);

#endif
