/* SPDX-License-Identifier: MIT */
/* libconfuse does the syntax; every key is a text (or a list of texts) to it, handed on to the
 * table of options as soon as it is read, so that errors know their line. Sections are known by
 * name only to be refused by name. */
#include "daemon/supervisor/config.h"

#include <confuse.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xalloc.h"

struct load {
    struct options *options;
    struct buf *errors;
    unsigned *calls; /* of on_option(), per row of the table */
};

/* libconfuse's callbacks carry no argument of ours; set during config_read() only. */
static __thread struct load *loading;

static void say_where(const cfg_t *cfg, struct buf *errors)
{
    if (buf_len(errors) && errors->p[errors->len - 1] != '\n')
        buf_addc(errors, '\n');
    buf_addf(errors, "%s:%d: ", cfg->filename ? cfg->filename : "configuration", cfg->line);
}

/* libconfuse's own complaints; of a key it does not know, the nearest that there is. */
static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
    struct buf text = {0};
    buf_addv(&text, fmt, ap);
    char *name = strchr(buf_str(&text), '\'');
    say_where(cfg, loading->errors);
    buf_add(loading->errors, buf_data(&text), buf_len(&text));
    if (!strncmp(buf_data(&text), "no such option", strlen("no such option")) && name++) {
        name[strcspn(name, "'")] = '\0';
        const char *near = option_row_suggest(name);
        if (near)
            buf_addf(loading->errors, ", did you mean %s?", near);
    }
    buf_done(&text);
}

/* Called for each value read, for a list once more at its end. */
static int on_option(cfg_t *cfg, cfg_opt_t *opt)
{
    const struct option_row *row = option_row_find(opt->name);
    unsigned count = cfg_opt_size(opt);
    const char **values = xcalloc(count + 1, sizeof *values);
    struct buf error = {0};
    for (unsigned i = 0; i < count; i++)
        values[i] = cfg_opt_getnstr(opt, i);
    int r = option_set(row, values, count, loading->options, &error);
    if (!r && ++loading->calls[row - option_rows] > count + option_row_is_list(row)) {
        buf_addf(&error, "%s: said twice", row->name);
        r = -EINVAL;
    }
    if (r < 0) {
        say_where(cfg, loading->errors);
        buf_add(loading->errors, buf_data(&error), buf_len(&error));
    }
    buf_done(&error);
    free(values);
    return r < 0 ? -1 : 0;
}

static int on_section(cfg_t *cfg, cfg_opt_t *opt)
{
    say_where(cfg, loading->errors);
    buf_addf(loading->errors, "%s sections: not built yet, leave them out", opt->name);
    return -1;
}

/* One libconfuse option per row, then the sections; an array to free. */
static cfg_opt_t *make_opts(cfg_opt_t *host, cfg_opt_t *sink)
{
    cfg_opt_t *opts = xcalloc(option_rows_count + 3, sizeof *opts);
    for (size_t i = 0; i < option_rows_count; i++) {
        const char *name = option_rows[i].name;
        opts[i] = option_row_is_list(&option_rows[i])
                      ? (cfg_opt_t)CFG_STR_LIST(name, NULL, CFGF_NODEFAULT)
                      : (cfg_opt_t)CFG_STR(name, NULL, CFGF_NODEFAULT);
        opts[i].validcb = on_option;
    }
    opts[option_rows_count] = (cfg_opt_t)CFG_SEC("host", host, CFGF_TITLE | CFGF_MULTI);
    opts[option_rows_count].validcb = on_section;
    opts[option_rows_count + 1] = (cfg_opt_t)CFG_SEC("sink", sink, CFGF_TITLE | CFGF_MULTI);
    opts[option_rows_count + 1].validcb = on_section;
    opts[option_rows_count + 2] = (cfg_opt_t)CFG_END();
    return opts;
}

/* libconfuse calls nobody for `admins = {}`. */
static void set_empty_lists(cfg_t *cfg, struct options *o)
{
    struct buf errors = {0};
    for (size_t i = 0; i < option_rows_count; i++) {
        cfg_opt_t *opt = cfg_getopt(cfg, option_rows[i].name);
        if (option_row_is_list(&option_rows[i]) && (opt->flags & CFGF_MODIFIED) &&
            !cfg_opt_size(opt))
            option_set(&option_rows[i], NULL, 0, o, &errors);
    }
    buf_done(&errors);
}

static int config_read(const char *path, struct options *o, struct buf *ret_errors)
{
    cfg_opt_t host[] = {
        CFG_STR("delay", NULL, CFGF_NODEFAULT), CFG_STR("connections", NULL, CFGF_NODEFAULT),
        CFG_STR("rate", NULL, CFGF_NODEFAULT), CFG_STR("robots", NULL, CFGF_NODEFAULT), CFG_END()};
    cfg_opt_t sink[] = {CFG_STR_LIST("exec", NULL, CFGF_NODEFAULT),
                        CFG_STR("user", NULL, CFGF_NODEFAULT), CFG_END()};
    struct load load = {o, ret_errors, xcalloc(option_rows_count, sizeof *load.calls)};
    size_t before = buf_len(ret_errors);
    cfg_opt_t *opts = make_opts(host, sink);
    cfg_t *cfg = cfg_init(opts, CFGF_NONE);
    cfg_set_error_function(cfg, on_error);
    loading = &load;
    errno = 0;
    int r = cfg_parse(cfg, path);
    loading = NULL;
    if (r == CFG_SUCCESS)
        set_empty_lists(cfg, o);
    else if (buf_len(ret_errors) == before)
        buf_addf(ret_errors, "%s: %s", path, errno ? strerror(errno) : "not a configuration");
    cfg_free(cfg);
    free(opts);
    free(load.calls);
    return r == CFG_SUCCESS ? 0 : -EINVAL;
}

/* libconfuse ends the process when it cannot read what it opened. */
static int check_file(const char *path, struct buf *ret_errors)
{
    struct stat st = {0};
    int e = stat(path, &st) < 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;
    if (e)
        buf_addf(ret_errors, "%s: %s", path, strerror(e));
    return e ? -EINVAL : 0;
}

int config_load(const struct args *a, struct options *ret_options, struct buf *ret_errors)
{
    struct options o;
    const char *path = a->config ? a->config : ARGS_CONFIG_FILE;
    int r = 0;
    options_init(&o);
    if (a->config || access(path, F_OK) == 0) {
        r = check_file(path, ret_errors);
        if (!r)
            r = config_read(path, &o, ret_errors);
    }
    for (size_t i = 0; !r && i < a->sets_count; i++) {
        size_t before = buf_len(ret_errors);
        buf_adds(ret_errors, "--set ");
        if (option_set_text(a->sets[i].key, a->sets[i].value, &o, ret_errors) < 0)
            r = -EINVAL;
        else
            buf_cut(ret_errors, before);
    }
    if (r < 0)
        options_done(&o);
    else
        *ret_options = o;
    return r;
}

static void add_bounds(const struct option_row *row, struct buf *b)
{
    struct options low = {0}, high = {0};
    if (row->kind == OPTION_ENUM || row->kind == OPTION_LEVEL) {
        buf_addf(b, "# %s", row->words);
    } else if (row->built && row->kind <= OPTION_MS && row->kind >= OPTION_COUNT) {
        *(int64_t *)((char *)&low + row->offset) = row->min;
        *(int64_t *)((char *)&high + row->offset) = row->max;
        buf_adds(b, "# ");
        option_add_value(row, &low, b);
        buf_adds(b, " to ");
        option_add_value(row, &high, b);
        if (row->kind == OPTION_COUNT)
            buf_addf(b, " %s", row->unit);
    } else {
        buf_addf(b, "# %s", row->unit);
    }
    buf_adds(b, !row->built ? "; not built yet\n"
                : row->live ? "\n"
                            : "; a change needs a restart\n");
}

void config_dump(const struct options *o, bool commented, struct buf *b)
{
    buf_adds(b, "# crawld.conf - configuration of crawld.\n");
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];
        buf_addf(b, "\n# %s\n", row->help);
        add_bounds(row, b);
        buf_addf(b, "%s%s = ", commented || !row->built ? "#" : "", row->name);
        option_add_value(row, o, b);
        buf_addc(b, '\n');
    }
}
