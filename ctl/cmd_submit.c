/* SPDX-License-Identifier: MIT */
/* Work for the daemon: submit, add, wait. */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/spec.h"
#include "ctl/commands.h"
#include "ctl/exits.h"
#include "ctl/jobflags.h"
#include "ctl/jsonp.h"
#include "ctl/print.h"
#include "ctl/say.h"
#include "ctl/upload.h"
#include "ctl/wait.h"

/* Tells what would be submitted: the whole specification with presets resolved. */
static int dry_run(struct ctl *ctl, struct jobflags *j, json_t *spec)
{
    struct job_spec parsed;
    struct spec_error error;
    upload_place_words(j, spec);
    if (spec_parse(spec, &parsed, &error)) {
        say_error("%s%s", error.unsupported ? "unsupported: " : "", error.message);
        say_hint("%s", error.hint);
        return error.unsupported ? EXIT_FAILED : EXIT_USAGE;
    }
    json_t *whole = spec_json(&parsed);
    spec_done(&parsed);
    print_json(whole, ctl->format != FORMAT_JSONL);
    json_decref(whole);
    return 0;
}

static void cut_hint(int r, const char *job)
{
    if (r && *job)
        say_hint("the job %s is there; add the rest with crawlctl add %s -i FILE, end it with "
                 "crawlctl finish %s",
                 job, job, job);
}

static int submit(struct ctl *ctl, struct jobflags *j, json_t *spec)
{
    struct upload upload;
    json_t *result = NULL;
    if (!jobflags_source(j, spec) && !json_is_true(json_object_get(spec, "keep_open"))) {
        say_error("submit: no URLs");
        say_hint("give URLs, -i FILE, --template with --words or --range, or --keep-open to add "
                 "them later");
        return EXIT_USAGE;
    }
    int r = ctl_connect(ctl);
    if (!r)
        r = upload_job(ctl->client, j, spec, &upload, &result);
    if (result) {
        if (!print_object(ctl, result))
            puts(upload_job_name(result));
        fflush(stdout);
        say_line(NULL);
        if (r)
            cut_hint(r, upload_job_name(result));
        else if (upload.accepted || upload.duplicates || upload.bad)
            upload_tell(&upload);
    }
    if (!r && j->wait) {
        char *name = (char *)upload_job_name(result);
        r = wait_jobs(ctl->client, 1, &name, WAIT_DONE, 0, 1000);
    }
    json_decref(result);
    return r;
}

int cmd_submit(struct ctl *ctl, int argc, char **argv)
{
    struct jobflags *j = jobflags_new();
    const struct flag extra[] = {{"dry-run", 0, true, flag_set, &j->dry_run},
                                 {"wait", 0, true, flag_set, &j->wait},
                                 {"paused", 0, true, flag_set, &j->paused},
                                 {0}};
    json_t *spec = NULL;
    int r = ctl_args(ctl, jobflags_table(j, extra), 0, -1, &argc, argv);
    if (!r)
        r = jobflags_spec(j, argc, argv, &spec);
    if (!r)
        r = j->dry_run ? dry_run(ctl, j, spec) : submit(ctl, j, spec);
    json_decref(spec);
    jobflags_free(j);
    return r;
}

/* Nothing given is an error of the caller; so is a job that is not there, told before reading. */
static int add(struct ctl *ctl, const char *input, int url_count, char **urls, const char *job)
{
    json_t *shown = NULL;
    int r = ctl_call(ctl, "job.show", json_pack("{s:s}", "job", job), &shown);
    json_decref(shown);
    if (r)
        return r;
    struct upload upload;
    upload_init(&upload, ctl->client, job);
    for (int i = 0; i < url_count && !r; i++)
        r = upload_argument(&upload, urls[i]);
    if (input && !r)
        r = upload_lines(&upload, input);
    if (!r)
        r = upload_finish(&upload, false);
    if (r)
        return r;
    json_t *sums = json_pack("{s:I,s:I,s:I}", "accepted", (json_int_t)upload.accepted, "duplicates",
                             (json_int_t)upload.duplicates, "bad", (json_int_t)upload.bad);
    if (!print_object(ctl, sums))
        upload_tell(&upload);
    json_decref(sums);
    return 0;
}

int cmd_add(struct ctl *ctl, int argc, char **argv)
{
    const char *input = NULL;
    const struct flag own[] = {{"input", 'i', false, flag_text, &input}, {0}};
    int r = ctl_args(ctl, own, 1, -1, &argc, argv);
    if (r)
        return r;
    if (argc == 1 && !input) {
        say_error("add: no URLs");
        say_hint("crawlctl add JOB URL..., or crawlctl add JOB -i FILE");
        return EXIT_USAGE;
    }
    r = input_arguments(argc - 1, argv + 1);
    if (r)
        return r;
    return add(ctl, input, argc - 1, argv + 1, argv[0]);
}

static int take_for(const struct flag *flag, const char *value, void *target)
{
    static const char *const names[] = {"done", "idle", "paused"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(value, names[i])) {
            *(enum wait_for *)target = (enum wait_for)i;
            return 0;
        }
    return flag_refuse(flag, value, "done, idle or paused");
}

int cmd_wait(struct ctl *ctl, int argc, char **argv)
{
    enum wait_for what = WAIT_DONE;
    int64_t timeout_ns = 0;
    const struct flag own[] = {
        {"for", 0, false, take_for, &what}, {"timeout", 0, false, flag_span, &timeout_ns}, {0}};
    int r = ctl_args(ctl, own, 1, -1, &argc, argv);
    if (!r)
        r = ctl_connect(ctl);
    return r ?: wait_jobs(ctl->client, argc, argv, what, timeout_ns, say_live() ? 200 : 1000);
}
