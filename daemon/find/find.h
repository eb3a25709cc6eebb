/* SPDX-License-Identifier: MIT */
/* `crawld --find`: looks for a URL in the files of jobs. */
#ifndef FIND_FIND_H
#define FIND_FIND_H

/* words: URL, then for each job its directory and the committed length of its results.jsonl. Prints
 * one line of JSON: {"found":[{"dir","seq"?,"row"?}]}, one for each job that knows the URL; row is
 * the last one it has. The exit code. */
int find_main(int count, char *const *words);

#endif
