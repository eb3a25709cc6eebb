/* SPDX-License-Identifier: MIT */
#include "daemon/worker/settings.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/xalloc.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static uint64_t number_of(const json_t *o, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(o, key));
    return n > 0 ? (uint64_t)n : 0;
}

static int read_ranges(const json_t *o, const char *key, struct policy *p,
                       int (*add)(struct policy *p, const char *range))
{
    const json_t *list = json_object_get(o, key);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *range = json_string_value(json_array_get(list, i));
        if (!range || add(p, range))
            return -EINVAL;
    }
    return 0;
}

static char *joined(const json_t *list)
{
    struct buf b = {0};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *s = json_string_value(json_array_get(list, i));
        if (!s)
            continue;
        if (buf_len(&b))
            buf_addc(&b, ',');
        buf_adds(&b, s);
    }
    return buf_len(&b) ? buf_take(&b, NULL) : NULL;
}

static const char *read_members(struct settings *s, const json_t *o, struct policy *p)
{
    const char *source = text_of(o, "source_address");
    *s =
        (struct settings){.user_agent = xstrdup(text_of(o, "user_agent")),
                          .contact = xstrdup(text_of(o, "contact")),
                          .dns_servers = joined(json_object_get(o, "dns_servers")),
                          .ca_file = *text_of(o, "ca_file") ? xstrdup(text_of(o, "ca_file")) : NULL,
                          .in_flight = number_of(o, "in_flight"),
                          .memory_limit = number_of(o, "memory_limit")};
    p->contact = *s->contact;
    enum log_level level;
    if (!log_level_parse(text_of(o, "log_level"), &level))
        log_set_level(level);
    if (*source && addr_parse(source, &s->source))
        return "source_address";
    if (read_ranges(o, "allow_cidr", p, policy_allow))
        return "allow_cidr";
    if (read_ranges(o, "deny_cidr", p, policy_deny))
        return "deny_cidr";
    return NULL;
}

int settings_read(struct settings *s, const char *text, size_t len, struct policy *policy,
                  const char **ret_wrong)
{
    json_t *o = json_loadb(text, len, 0, NULL);
    const char *wrong = json_is_object(o) ? read_members(s, o, policy) : "the whole";
    json_decref(o);
    if (!wrong)
        return 0;
    *ret_wrong = wrong;
    return -EINVAL;
}

void settings_done(struct settings *s)
{
    free(s->user_agent);
    free(s->contact);
    free(s->dns_servers);
    free(s->ca_file);
    *s = (struct settings){0};
}
