/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "common/options.h"
#include "tests/unit/unit.h"

START_TEST(every_row_is_whole_and_its_default_passes_its_own_check)
{
    struct options o;
    options_init(&o);
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];
        struct buf text = {0}, error = {0};
        ck_assert_msg(*row->name && *row->unit && *row->help, "%s", row->name);
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(row->name, option_rows[k].name);
        option_add_value(row, &o, &text);
        char *value = buf_str(&text);
        if (*value == '"') {
            value[strlen(value) - 1] = '\0';
            value++;
        }
        if (*value != '{')
            ck_assert_msg(option_set_text(row->name, value, &o, &error) == 0, "%s",
                          buf_str(&error));
        buf_done(&text);
        buf_done(&error);
    }
    options_done(&o);
}
END_TEST

START_TEST(the_defaults_are_those_of_the_manual)
{
    struct options o;
    options_init(&o);
    ck_assert_str_eq(o.state_dir, "/var/lib/crawld");
    ck_assert_str_eq(o.contact, "");
    ck_assert_uint_eq(o.admins.count, 1);
    ck_assert_str_eq(o.admins.v[0], "root");
    ck_assert_str_eq(o.readers.v[0], "@crawld");
    ck_assert_uint_eq(o.allow_cidr.count, 0);
    ck_assert_int_eq(o.durability, DURABILITY_BATCH);
    ck_assert_int_eq(o.commit_interval_ms, 1000);
    ck_assert_int_eq(o.disk_reserve_bytes, 2ll << 30);
    ck_assert_int_eq(o.log_level, LOG_NOTICE);
    options_done(&o);
}
END_TEST

static const struct {
    const char *name, *text, *shown;
} good[] = {
    {"workers", "12", "12"},
    {"commit_interval", "10ms", "10ms"},
    {"commit_interval", "1.5s", "1500ms"},
    {"drain_timeout", "2m", "2m"},
    {"drain_timeout", "0", "0s"},
    {"disk_reserve", "64MiB", "64MiB"},
    {"disk_reserve", "10MB", "10MB"},
    {"disk_reserve", "0", "0"},
    {"log_level", "debug", "debug"},
    {"durability", "os", "os"},
    {"contact", "me@example.org", "\"me@example.org\""},
    {"contact", "https://example.org/bot", "\"https://example.org/bot\""},
    {"user_agent", "a \"b\" \\ ${HOME}", "\"a \\\"b\\\" \\\\ \\${HOME}\""},
    {"allow_cidr", "127.0.0.0/8,::1/128", "{\"127.0.0.0/8\", \"::1/128\"}"},
    {"allow_cidr", "", "{}"},
    {"dns_servers", "192.0.2.1,192.0.2.1:5353,[2001:db8::1]:53,2001:db8::1,[::1]",
     "{\"192.0.2.1\", \"192.0.2.1:5353\", \"[2001:db8::1]:53\", \"2001:db8::1\", \"[::1]\"}"},
    {"proxy", "", "\"\""},
    {"rate_per_s", "0", "0"},
};

static void check_good(size_t i)
{
    struct options o;
    struct buf shown = {0}, error = {0};
    options_init(&o);
    ck_assert_msg(option_set_text(good[i].name, good[i].text, &o, &error) == 0, "%s",
                  buf_str(&error));
    option_add_value(option_row_find(good[i].name), &o, &shown);
    ck_assert_str_eq(buf_str(&shown), good[i].shown);
    buf_done(&shown);
    buf_done(&error);
    options_done(&o);
}

START_TEST(values_are_taken_and_shown_as_the_file_spells_them)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        check_good(i);
}
END_TEST

static const struct {
    const char *name, *text, *message;
    int error;
} bad[] = {
    {"worker", "1", "no such key, did you mean workers?", -ENOENT},
    {"zzz", "1", "zzz: no such key", -ENOENT},
    {"workers", "x", "workers: \"x\" is not a whole number", -EINVAL},
    {"workers", "1.5", "not a whole number", -EINVAL},
    {"workers", "-1", "-1 is out of range 0 to 1024", -EINVAL},
    {"workers", "99999999999999999999", "not a whole number", -EINVAL},
    {"commit_interval", "9ms", "9ms is out of range 10ms to 1m", -EINVAL},
    {"commit_interval", "61s", "out of range", -EINVAL},
    {"commit_interval", "1", "is not a duration as 10ms, 1s, 2m", -EINVAL},
    {"commit_interval", "1s ", "is not a duration", -EINVAL},
    {"disk_reserve", "2GiBB", "is not a size", -EINVAL},
    {"disk_reserve", "9999999TiB", "is not a size", -EINVAL},
    {"log_level", "warn", "none of crit|err|warning", -EINVAL},
    {"log_level", "notcie", "did you mean notice?", -EINVAL},
    {"contact", "nobody", "neither a URL nor a mail address", -EINVAL},
    {"contact", "a@b\r\nX: y", "control characters", -EINVAL},
    {"user_agent", "\xff", "not UTF-8", -EINVAL},
    {"state_dir", "", "out of range", -EINVAL},
    {"admins", "root,,x", "out of range", -EINVAL},
    {"admins", "a b", "not a user or @group", -EINVAL},
    {"allow_cidr", "127.0.0.1", "not a network", -EINVAL},
    {"allow_cidr", "127.0.0.0/33", "not a network", -EINVAL},
    {"allow_cidr", "127.0.0/8", "not a network", -EINVAL},
    {"allow_cidr", "::1/129", "not a network", -EINVAL},
    {"allow_cidr", "::1/ 8", "not a network", -EINVAL},
    {"dns_servers", "example.org:53", "not an address", -EINVAL},
    {"dns_servers", "192.0.2.1:0", "not an address", -EINVAL},
    {"dns_servers", "192.0.2.1:65536", "not an address", -EINVAL},
    {"dns_servers", "[192.0.2.1]:53", "not an address", -EINVAL},
    {"dns_servers", "[::1]x", "not an address", -EINVAL},
    {"proxy", "http://a/", "proxy: not built yet", -ENOTSUP},
    {"ca_file", "/x", "ca_file: /x: No such file", -EINVAL},
    {"ca_file", "/dev/null", "ca_file: /dev/null: no certificate in PEM form", -EINVAL},
    {"source_address", "192.0.2.1", "not built yet", -ENOTSUP},
    {"rate_per_s", "5", "not built yet", -ENOTSUP},
    {"bytes_per_s", "5", "not built yet", -ENOTSUP},
    {"metrics_listen", "127.0.0.1:9736", "not built yet", -ENOTSUP},
};

static void check_bad(size_t i)
{
    struct options o;
    struct buf before = {0}, after = {0}, error = {0};
    options_init(&o);
    for (size_t k = 0; k < option_rows_count; k++)
        option_add_value(&option_rows[k], &o, &before);
    int r = option_set_text(bad[i].name, bad[i].text, &o, &error);
    ck_assert_msg(r == bad[i].error, "%s = %s gives %d", bad[i].name, bad[i].text, r);
    ck_assert_msg(strstr(buf_str(&error), bad[i].message) != NULL, "%s", buf_str(&error));
    for (size_t k = 0; k < option_rows_count; k++)
        option_add_value(&option_rows[k], &o, &after);
    ck_assert_str_eq(buf_str(&before), buf_str(&after));
    buf_done(&before);
    buf_done(&after);
    buf_done(&error);
    options_done(&o);
}

START_TEST(wrong_values_are_refused_and_change_nothing)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_bad(i);
}
END_TEST

START_TEST(the_user_agent_names_the_contact_unless_it_is_given)
{
    struct options o;
    struct buf b = {0}, error = {0};
    options_init(&o);
    options_user_agent(&o, &b);
    ck_assert_str_eq(buf_str(&b), "crawld/" CRAWLD_VERSION);
    buf_clear(&b);
    option_set_text("contact", "a@b", &o, &error);
    options_user_agent(&o, &b);
    ck_assert_str_eq(buf_str(&b), "crawld/" CRAWLD_VERSION " (+a@b)");
    buf_clear(&b);
    option_set_text("user_agent", "me", &o, &error);
    options_user_agent(&o, &b);
    ck_assert_str_eq(buf_str(&b), "me");
    buf_done(&b);
    buf_done(&error);
    options_done(&o);
}
END_TEST

UNIT_TESTS("options", every_row_is_whole_and_its_default_passes_its_own_check,
           the_defaults_are_those_of_the_manual, values_are_taken_and_shown_as_the_file_spells_them,
           wrong_values_are_refused_and_change_nothing,
           the_user_agent_names_the_contact_unless_it_is_given)
