/* SPDX-License-Identifier: MIT */
/* The table of the job specification's keys (spec.def) and what each kind of key can do. Job flags,
 * help and completion of crawlctl read it; spec.c is the parser over it. */
#ifndef COMMON_SPEC_ROW_H
#define COMMON_SPEC_ROW_H

#include "common/spec.h"

#define SPEC_BIG    1000000000000000ll /* bytes, pages: a petabyte */
#define SPEC_BIG_S  315360000          /* ten years */
#define SPEC_DAY_MS 86400000

/* What a key's value is:     JSON               flag's argument */
enum spec_kind {
    SPEC_KIND_NAME,    /*    string             as it is */
    SPEC_KIND_STRING,  /*    string             as it is; no control bytes */
    SPEC_KIND_TEXT,    /*    string             as it is */
    SPEC_KIND_METHOD,  /*    string             as it is */
    SPEC_KIND_CODING,  /*    string             as it is */
    SPEC_KIND_BOOL,    /*    true, false        none */
    SPEC_KIND_INT,     /*    integer            integer */
    SPEC_KIND_UINT,    /*    integer >= 0       integer */
    SPEC_KIND_BYTES,   /*    integer >= 0       10MiB */
    SPEC_KIND_MS,      /*    integer >= 0       500ms, 2s */
    SPEC_KIND_S,       /*    integer >= 0       10m */
    SPEC_KIND_ENUM,    /*    one of the words   one of the words */
    SPEC_KIND_TEXTS,   /*    [string, ...]      one item; repeatable */
    SPEC_KIND_STATUS,  /*    [200, "2xx", ...]  200,2xx; repeatable */
    SPEC_KIND_HEADERS, /*    {"K": "V", ...}    K: V; repeatable */
    SPEC_KIND_WORDS,   /*    see struct spec_words; crawlctl reads the file */
};

struct spec_row {
    const char *path, *def, *unit, *flag, *words, *help;
    enum spec_kind kind;
    bool built;
    size_t offset;    /* of its field in struct job_spec; built ones only */
    int64_t min, max; /* the number, or the bytes of a text */
};

extern const struct spec_row spec_rows[];
extern const size_t spec_rows_count;

/* NULL if there is none. */
const struct spec_row *spec_row_find(const char *path);

/* Is it the first part of longer paths ("pace")? */
bool spec_row_is_group(const char *path);

/* The path nearest to a misspelt one, or NULL. */
const char *spec_row_suggest(const char *path);

/* An ENUM's word number `index` into ret_word; false if there are not so many. */
bool spec_row_word(const struct spec_row *row, size_t index, char *ret_word, size_t size,
                   bool *ret_built);

/* Reads the default (or a preset's value) into its field, which must be empty. */
void spec_row_default(const struct spec_row *row, const char *text, struct job_spec *s);

/* Reads a JSON value into its field. 0, or -EINVAL with ret_error filled. */
int spec_row_read(const struct spec_row *row, const json_t *value, struct job_spec *s,
                  struct spec_error *ret_error);

/* The field as JSON, a new reference; NULL if it says nothing. */
json_t *spec_row_json(const struct spec_row *row, const struct job_spec *s);
void spec_row_done(const struct spec_row *row, struct job_spec *s);

/* The parts of the kinds that more than one file needs. On failure nothing is left in ret_texts. */
int spec_texts_read(const struct spec_row *row, const char *path, const json_t *v,
                    struct spec_texts *ret_texts, struct spec_error *ret_error);
json_t *spec_texts_json(const struct spec_texts *t);
void spec_texts_free(struct spec_texts *t);
int spec_words_read(const struct spec_row *row, const json_t *v, struct job_spec *s,
                    struct spec_error *ret_error);
json_t *spec_words_json(const struct spec_row *row, const struct job_spec *s);
void spec_words_done(const struct spec_row *row, struct job_spec *s);

/* Do template and words fit? 0, or -EINVAL with ret_error filled. */
int spec_words_check(const struct job_spec *s, struct spec_error *ret_error);

int spec_wrong_type(struct spec_error *ret_error, const char *path, const char *want,
                    const json_t *v);

/* Fills the error (clipped to whole characters, control bytes become '?'); returns -EINVAL. */
int spec_refuse(struct spec_error *ret_error, const char *field, const char *hint, const char *fmt,
                ...) __attribute__((format(printf, 4, 5)));

#endif
