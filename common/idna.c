/* SPDX-License-Identifier: MIT */
#include "common/idna.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uidna.h>

#include "common/url.h"

#define OPTIONS                                                                                    \
    (UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ | UIDNA_NONTRANSITIONAL_TO_ASCII |                    \
     UIDNA_NONTRANSITIONAL_TO_UNICODE)

/* What a strict conversion would refuse as well. */
#define NOT_STRICT                                                                                 \
    (UIDNA_ERROR_EMPTY_LABEL | UIDNA_ERROR_LABEL_TOO_LONG | UIDNA_ERROR_DOMAIN_NAME_TOO_LONG |     \
     UIDNA_ERROR_LEADING_HYPHEN | UIDNA_ERROR_TRAILING_HYPHEN | UIDNA_ERROR_HYPHEN_3_4)

/* Opened for each name: names that need it are few, and ICU keeps the tables. */
static UIDNA *idna_open(void)
{
    UErrorCode status = U_ZERO_ERROR;
    UIDNA *idna = uidna_openUTS46(OPTIONS, &status);
    if (U_FAILURE(status))
        abort();
    return idna;
}

int idna_to_ascii(char *text, size_t n, size_t cap, size_t *ret_len)
{
    char name[IDNA_BYTES_MAX];
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    UErrorCode status = U_ZERO_ERROR;
    if (n > sizeof name)
        return URL_E_TOO_LONG;
    memcpy(name, text, n);
    UIDNA *idna = idna_open();
    int32_t len =
        uidna_nameToASCII_UTF8(idna, name, (int32_t)n, text, (int32_t)cap, &info, &status);
    uidna_close(idna);
    if (status == U_BUFFER_OVERFLOW_ERROR)
        return URL_E_TOO_LONG;
    if (U_FAILURE(status) || info.errors & ~(uint32_t)NOT_STRICT)
        return URL_E_HOST_IDNA;
    *ret_len = (size_t)len;
    return 0;
}
