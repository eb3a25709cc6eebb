/* SPDX-License-Identifier: MIT */
/* A worker process from its first to its last instruction. */
#ifndef WORKER_ENTRY_H
#define WORKER_ENTRY_H

/* `crawld --worker NUMBER`; the exit code. */
int worker_main(int number);

#endif
