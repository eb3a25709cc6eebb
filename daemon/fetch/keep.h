/* SPDX-License-Identifier: MIT */
/* The keep rules of a job: does this response count as a page? Texts are looked for in its UTF-8 as
 * it passes by, whatever the pieces. */
#ifndef FETCH_KEEP_H
#define FETCH_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/outcome.h"
#include "common/spec.h"

/* Does judging a response of that status take its text? */
bool keep_needs_text(const struct job_spec *spec, unsigned status);

/* Zeroed at first. */
struct keep_scan {
    struct buf carry; /* the last bytes seen: as many as a text may begin with */
    uint8_t *found;   /* owned; per text: body_has, then body_lacks. NULL before the first byte */
};

void keep_scan_feed(struct keep_scan *k, const struct job_spec *spec, const char *p, size_t n);
void keep_scan_done(struct keep_scan *k);

/* mime: lower case, may be empty. REASON_NONE if all rules hold, else the first that does not. */
enum reason keep_judge(const struct keep_scan *k, const struct job_spec *spec, unsigned status,
                       const char *mime, uint64_t payload_bytes);

#endif
