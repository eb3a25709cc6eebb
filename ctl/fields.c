/* SPDX-License-Identifier: MIT */
#include "ctl/fields.h"

#include <string.h>

#include "common/suggest.h"

enum { NO, YES };

static const struct {
    const char *path;
    bool csv;
} members[] = {
#define MEMBER(path, csv, help) {path, csv},
#include "common/rows.def"
#undef MEMBER
};

#define MEMBERS (sizeof members / sizeof *members)

bool field_known(const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < MEMBERS; i++) {
        const char *known = members[i].path;
        size_t known_len = strlen(known);
        if (!strcmp(path, known) || (!strncmp(path, known, len) && known[len] == '.'))
            return true;
        if (!strncmp(path, known, known_len) && path[known_len] == '.' && path[known_len + 1] &&
            !path[known_len + 1 + strspn(path + known_len + 1, "0123456789")])
            return !strcmp(known, "redirects");
    }
    return false;
}

const char *field_suggest(const char *path)
{
    struct suggest near;
    suggest_init(&near, path);
    for (size_t i = 0; i < MEMBERS; i++) {
        const char *dot = strrchr(members[i].path, '.');
        suggest_offer(&near, members[i].path, members[i].path);
        if (dot)
            suggest_offer(&near, dot + 1, members[i].path);
    }
    return suggest_answer(&near);
}

void fields_csv(struct buf *out)
{
    for (size_t i = 0; i < MEMBERS; i++)
        if (members[i].csv) {
            buf_adds(out, buf_len(out) ? "," : "");
            buf_adds(out, members[i].path);
        }
}
