/* SPDX-License-Identifier: MIT */
/* Stands in for the disk thread: ops run and answer only when the test says so. */
#ifndef TESTS_FAULT_SIMDISK_H
#define TESTS_FAULT_SIMDISK_H

#include <stdbool.h>

#include "daemon/frontier/disk.h"

/* Runs the oldest op asked for; false if there is none. */
bool simdisk_run(struct disk *d);

/* Gives the loop the oldest answer; false if there is none. */
bool simdisk_answer(struct disk *d);

#endif
