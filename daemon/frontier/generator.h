/* SPDX-License-Identifier: MIT */
/* URLs from a template and lists of values, never materialised: the i-th is computed from i.
 * "{}" stands for the first list, "{name}" for the list of that name; with several lists the last
 * one in the template runs fastest (product), or all step together (zip). */
#ifndef FRONTIER_GENERATOR_H
#define FRONTIER_GENERATOR_H

#include <stdint.h>

#include "common/buf.h"
#include "common/spec.h"

struct generator;

/* NULL if the specification has no template. The specification is borrowed and must outlive it. */
struct generator *generator_new(const struct job_spec *spec);
void generator_free(struct generator *g);

/* How many URLs there are; UINT64_MAX if they are more. */
uint64_t generator_count(const struct generator *g);

/* Appends the URL of index i < count. Cost: the URL's length. */
void generator_url(const struct generator *g, uint64_t i, struct buf *out);

#endif
