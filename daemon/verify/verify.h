/* SPDX-License-Identifier: MIT */
/* `crawld --verify JOBDIR...`: checks jobs' files and prints one line of JSON,
 * {"ok","jobs":[{"name","ok","rows","stored","problems"}],"problems"}. Changes nothing; may run while
 * a daemon works on the same files. */
#ifndef VERIFY_VERIFY_H
#define VERIFY_VERIFY_H

/* An exit code: 0 printed, whatever was found. */
int verify_main(int count, char *const *dirs);

#endif
