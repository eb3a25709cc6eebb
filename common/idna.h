/* SPDX-License-Identifier: MIT */
/* Domain names of any script to ASCII: IDNA after UTS 46 as the URL standard asks for it (WHATWG
 * URL 3.3, not strict): labels are checked for their code points, their direction and their
 * joiners, not for hyphens and not for the lengths of DNS. The tables are ICU's.
 *
 * Not for names that are ASCII already: there are sites whose xn-- labels decode to nothing valid,
 * and the standard takes them as they are. */
#ifndef COMMON_IDNA_H
#define COMMON_IDNA_H

#include <stddef.h>

/* A longer name is refused: ICU takes quadratic time, and what DNS can carry is never as long. */
#define IDNA_BYTES_MAX 2048

/* Replaces the n bytes at text, which are UTF-8 or not, by their ASCII form in lower case; text has
 * room for cap. Returns 0, or URL_E_HOST_IDNA or URL_E_TOO_LONG; text is lost then. */
int idna_to_ascii(char *text, size_t n, size_t cap, size_t *ret_len);

#endif
