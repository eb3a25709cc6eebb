/* SPDX-License-Identifier: MIT */
/* Requests as the operations see them: arguments, and answers that wait for the disk. */
#include <string.h>

#include "daemon/supervisor/control.h"
#include "daemon/supervisor/supervisor.h"

void request_storage(struct request *r, int err)
{
    request_error(r, ERROR_STORAGE, NULL, "it may be there all the same; look before you try again",
                  "the disk failed: %s", strerror(err < 0 ? -err : err));
}

static void on_durable(struct ledger_wait *w, int err)
{
    struct request *r = list_of(w, struct request, ledger_wait);
    json_t *result = r->result;
    r->result = NULL;
    if (!err && !r->job->saved) {
        request_ok_when_saved(r, result);
        return;
    }
    if (!err) {
        request_ok(r, result);
        return;
    }
    json_decref(result);
    request_storage(r, err);
}

void request_ok_when_durable(struct request *r, json_t *take_result)
{
    r->result = take_result;
    r->ledger_wait.done = on_durable;
    ledger_wait(r->job->ledger, &r->ledger_wait);
}

static void on_saved(struct job_wait *w, int err)
{
    struct request *r = list_of(w, struct request, job_wait);
    if (err) {
        request_storage(r, err);
    } else {
        json_t *result = r->result;
        r->result = NULL;
        request_ok(r, result);
    }
}

void request_ok_when_saved(struct request *r, json_t *take_result)
{
    r->result = take_result;
    r->job_wait.done = on_saved;
    job_save(r->job, &r->job_wait);
}

const char *request_text(const struct request *r, const char *name)
{
    return json_string_value(json_object_get(r->args, name));
}

int64_t request_int(const struct request *r, const char *name, int64_t otherwise)
{
    const json_t *v = json_object_get(r->args, name);
    return v ? json_integer_value(v) : otherwise;
}

bool request_flag(const struct request *r, const char *name)
{
    return json_is_true(json_object_get(r->args, name));
}
