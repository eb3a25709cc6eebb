/* SPDX-License-Identifier: MIT */
/* A parse under way: what the files of the URL parser share. Inside of common/url*.c. */
#ifndef COMMON_URL_PARSER_H
#define COMMON_URL_PARSER_H

#include <string.h>

#include "common/url.h"

struct parser {
    const char *p; /* what is not read yet */
    const char *end;
    char *w; /* end of what is written to u->href */
    const struct url *base;
    struct url *u;
};

struct url_scheme_row {
    char name[7]; /* with its colon */
    uint8_t len;
    uint16_t port; /* the default; 0: none */
};

extern const struct url_scheme_row url_schemes[URL_FILE + 1];

static inline bool is_special(const struct parser *x)
{
    return x->u->scheme != URL_OTHER;
}

static inline bool at_slash(const struct parser *x)
{
    return x->p < x->end && (*x->p == '/' || (*x->p == '\\' && is_special(x)));
}

static inline uint32_t offset(const struct parser *x)
{
    return (uint32_t)(x->w - x->u->href);
}

static inline void part_begin(struct parser *x, enum url_part part)
{
    x->u->at[part] = offset(x);
}

static inline void part_end(struct parser *x, enum url_part part)
{
    x->u->len[part] = offset(x) - x->u->at[part];
}

static inline void put(struct parser *x, const char *p, size_t n)
{
    memcpy(x->w, p, n);
    x->w += n;
}

/* p is behind the two slashes: credentials, host and port; p is at the path then. */
int url_authority_read(struct parser *x);

/* The host [p, end), perhaps empty. */
int url_host_read(struct parser *x, const char *p, const char *end);

#endif
