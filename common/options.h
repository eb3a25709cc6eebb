/* SPDX-License-Identifier: MIT */
/* The daemon's configuration and the table of its keys (options.def). Values come as text, from the
 * file or from KEY=VALUE; everything is checked here. Fill with options_init(), free with
 * options_done(). */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/log.h"

#define OPTION_BIG (1ll << 60) /* bytes */

enum durability { DURABILITY_BATCH, DURABILITY_EACH, DURABILITY_OS };

struct option_list {
    char **v; /* owned, and each */
    size_t count;
};

struct options {
    char *state_dir, *socket, *socket_group; /* owned, as all texts here; never NULL */
    struct option_list admins, operators, readers;
    int64_t workers, in_flight; /* 0 = find out */
    int64_t memory_limit_bytes; /* 0 = find out */
    char *contact, *user_agent; /* empty: none; options_user_agent() */
    struct option_list allow_cidr, deny_cidr, robots_ignore, dns_servers;
    char *ca_file; /* empty: the system's bundle */
    enum durability durability;
    int64_t commit_interval_ms;
    int64_t disk_reserve_bytes, drain_timeout_ms; /* 0 = no limit */
    enum log_level log_level;
};

enum option_kind {
    OPTION_STRING,
    OPTION_CONTACT,
    OPTION_CERTIFICATES, /* a readable file with one at least */
    OPTION_COUNT,
    OPTION_BYTES, /* "2GiB" */
    OPTION_MS,    /* "1s" */
    OPTION_ENUM,
    OPTION_LEVEL,
    OPTION_LIST,
    OPTION_CIDRS,
    OPTION_SERVERS,
};

struct option_row {
    const char *name, *def, *unit, *words, *help;
    enum option_kind kind;
    bool built, live; /* live: a reload takes it over */
    size_t offset;    /* of its field in struct options; built ones only */
    int64_t min, max; /* in the unit; bytes of a text */
};

extern const struct option_row option_rows[];
extern const size_t option_rows_count;

/* NULL if there is none; then option_row_suggest() may know what was meant (else NULL). */
const struct option_row *option_row_find(const char *name);
const char *option_row_suggest(const char *name);
bool option_row_is_list(const struct option_row *row);

void options_init(struct options *o);
void options_done(struct options *o);

/* Sets a key: one value, or any number for a list. 0; -EINVAL or, not built, -ENOTSUP, with text
 * for a person added to ret_error ("in_flight: \"x\" is not a number") and the field unchanged. */
int option_set(const struct option_row *row, const char *const *values, size_t count,
               struct options *o, struct buf *ret_error);

/* The same from one text; a list's items are separated by commas. Unknown keys: -ENOENT. */
int option_set_text(const char *name, const char *text, struct options *o, struct buf *ret_error);

/* The value as the configuration file spells it: 1s, "text", {"a", "b"}. */
void option_add_value(const struct option_row *row, const struct options *o, struct buf *b);

/* The User-Agent of requests. */
void options_user_agent(const struct options *o, struct buf *b);

#endif
