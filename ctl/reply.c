/* SPDX-License-Identifier: MIT */
#include "ctl/client.h"

#include <string.h>

#include "common/error.h"
#include "ctl/exits.h"
#include "ctl/say.h"

/* Advice for when the daemon gives none. */
static const char *const advice[ERROR_COUNT] = {
    [ERROR_BAD_FRAME] = "crawlctl version tells whether crawld is of the same version",
    [ERROR_BAD_REQUEST] = "crawlctl version tells whether crawld is of the same version",
    [ERROR_UNKNOWN_OP] = "crawlctl version tells whether crawld is of the same version",
    [ERROR_BAD_ARGUMENT] = "crawlctl help COMMAND tells what it takes",
    [ERROR_NOT_FOUND] = "crawlctl jobs lists the jobs",
    [ERROR_ALREADY_EXISTS] = "choose another name",
    [ERROR_WRONG_STATE] = "crawlctl jobs shows the states",
    [ERROR_DENIED] = "admins, operators and readers of crawld's configuration decide",
    [ERROR_BUSY] = "try again in a moment",
    [ERROR_SHUTTING_DOWN] = "start crawld again",
    [ERROR_CONFIG_ERROR] = "crawld --check-config tells where",
    [ERROR_STORAGE] = "look at the disk and into crawld's log",
    [ERROR_INTERNAL] = "crawld's log tells more",
};

static const char *error_text(const struct reply *r, const char *key)
{
    return json_string_value(json_object_get(json_object_get(r->body, "error"), key));
}

bool reply_is(const struct reply *r, const char *code)
{
    const char *is = error_text(r, "code");
    return !r->ok && is && !strcmp(is, code);
}

int reply_complain(const struct reply *r)
{
    const char *code = error_text(r, "code") ?: "internal";
    const char *message = error_text(r, "message") ?: "crawld refused";
    const char *field = error_text(r, "field") ?: "", *hint = error_text(r, "hint") ?: "";
    if (!strncmp(field, "args.", 5))
        field += 5;
    if (!strncmp(field, "spec.", 5))
        field += 5;
    bool named = strstr(message, field) != NULL;
    int known = error_parse(code);
    say_error("%s%s%s%s%s",
              reply_is(r, "unsupported") && !strstr(message, code) ? "unsupported: " : "", message,
              named ? "" : " (", named ? "" : field, named ? "" : ")");
    if (!*hint && known >= 0 && advice[known])
        hint = advice[known];
    say_hint("%s", hint);
    return known < 0 ? EXIT_FAILED : error_exit_code((enum error_code)known);
}

void reply_done(struct reply *r)
{
    json_decref(r->body);
    r->body = NULL;
}
