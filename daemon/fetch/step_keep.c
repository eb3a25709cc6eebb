/* SPDX-License-Identifier: MIT */
/* KEEP. Do the job's rules want this result? */
#include "daemon/fetch/machine.h"

enum fetch_state fetch_keep(struct fetch *f)
{
    struct answer *a = f->answer;
    const struct job_spec *spec = &f->job->spec;
    f->reason = (uint8_t)keep_judge(&a->scan, spec, a->head.status, a->mime.type, a->payload_bytes);
    f->outcome = (uint8_t)reason_outcome(f->reason);
    if (f->outcome == OUTCOME_DROPPED && spec->store.pages != SPEC_ALL)
        return FETCH_REPORT;
    return fetch_record(f);
}
