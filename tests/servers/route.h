/* SPDX-License-Identifier: MIT */
/* What the origin answers to which path.
 *
 *   /status/NNN            that status; ?retry_after=TEXT adds the header
 *   /bytes/N               N bytes
 *   /delay/MS/REST         waits, then answers as for /REST
 *   /chunked/N  /close/N   N bytes, chunked or ended by closing
 *   /redirect/N            302 to /redirect/N-1; /redirect/0 is 200
 *   /redirect-to?url=URL   302 to URL, percent-decoded; &status=NNN (before url) another status
 *   /drop/N                announces more than N bytes, closes after N
 *   /rst  /empty  /stale   RST; closes without an answer; says keep-alive and closes
 *   /flaky/K/ANYTHING      500 to the first K-1 requests for that very target, then 200
 *   /slow/BYTES_PER_S/N    N bytes at that rate
 *   /echo                  the request head as it came
 *   /text?TEXT             TEXT, percent-decoded, as text/html; charset=utf-8
 *   anything else          a file below the root, if there is one; without a root, the default
 *                          body; /robots.txt without a root is 404
 *
 * Bodies that are not said otherwise are generated (reply.h). */
#ifndef SERVERS_ROUTE_H
#define SERVERS_ROUTE_H

#include <stdint.h>

#include "tests/servers/reply.h"
#include "tests/servers/request.h"

struct route_config {
    uint64_t body_bytes;    /* of the default answer */
    int64_t delay_least_ns; /* before every answer */
    int64_t delay_most_ns;
    int root; /* directory of static files, or -1 */
};

/* Before the processes part: they share the counters of /flaky. */
void route_init(const struct route_config *config);

/* target: a copy of the request's that outlives the reply. */
void route_reply(const struct request *request, const char *target, struct reply *ret_reply);

#endif
