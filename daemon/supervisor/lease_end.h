/* SPDX-License-Identifier: MIT */
/* What the files about leases share. */
#ifndef SUPERVISOR_LEASE_END_H
#define SUPERVISOR_LEASE_END_H

#include "daemon/supervisor/lease.h"

void lease_free(struct lease *l);

/* Asks for the texts not asked for yet. */
void leases_read(struct job *j);

/* Back to the head of its queue and freed; `charged`: a worker died of it. */
void lease_back(struct lease *l, bool charged);

/* Its row by lease->exclude, and freed. */
void lease_excluded(struct lease *l);

#endif
