/* SPDX-License-Identifier: MIT */
/* One connection to the daemon's control socket: requests with ids go out, replies come back in
 * any order, at most CLIENT_OUTSTANDING at a time.
 *
 * client_open ▸ (client_call | client_begin .. client_end ▸ client_next)* ▸ client_close
 *
 * Functions return 0 or the exit code (ctl/exits.h) of a complaint they have said. After such a
 * failure of client_begin, client_next or client_call the connection may be used again only if
 * client_alive(). */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define CLIENT_PROTO       1
#define CLIENT_OUTSTANDING 32
#define CLIENT_LINE_MAX    65536              /* bytes of a request line with its newline */
#define CLIENT_REPLY_MAX   (64 * 1024 * 1024) /* bytes of a reply line */

struct client;

struct reply {
    uint64_t id;
    bool ok;
    json_t *body; /* owned: the whole message */
};

/* reply_timeout_ns: longest silence while a reply is waited for; 0 = no limit. */
int client_open(const char *path, int64_t reply_timeout_ns, struct client **ret_client);
void client_close(struct client *c);

/* Does somebody listen there? Says nothing. */
bool client_reachable(const char *path);
bool client_alive(const struct client *c);

void client_set_timeout(struct client *c, int64_t reply_timeout_ns);

/* "result" of the reply; waits and asks again while the daemon is recovering. args may be NULL. */
int client_call(struct client *c, const char *op, json_t *take_args, json_t **ret_result);

/* As client_call(), but an answer that is an error of this code is not said: *ret_result is NULL
 * and the return value 0. */
int client_call_unless(struct client *c, const char *op, json_t *take_args, const char *code,
                       json_t **ret_result);

/* Begins a request by hand: `{"id":N,"op":"OP","args":` stands in the returned buffer, the caller
 * appends one JSON object, client_end() the rest. What is begun may be dropped by cutting the
 * buffer to ret_start. client_room() bytes fit. */
struct buf *client_begin(struct client *c, const char *op, size_t *ret_start);
void client_end(struct client *c);

/* Bytes the args of the request may have. */
size_t client_room(const struct client *c, const char *op);

/* Requests sent that have no reply yet. */
unsigned client_outstanding(const struct client *c);

/* Sends what waits and gives the next reply; reply_done() it. */
int client_next(struct client *c, struct reply *ret_reply);

/* Says the error of a reply that is not ok; returns its exit code. */
int reply_complain(const struct reply *r);
bool reply_is(const struct reply *r, const char *code);
void reply_done(struct reply *r);

/* "server", "version", "proto", ...; borrowed. */
const json_t *client_hello(const struct client *c);

#endif
