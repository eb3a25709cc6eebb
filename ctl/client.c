/* SPDX-License-Identifier: MIT */
/* The socket does not block. `out` holds whole request lines, `in` what came and is not yet a whole
 * line. Everything waits in line_wait(): it polls for reading always and for writing while `out`
 * has bytes, so a daemon that answers before it reads on never locks us up. The hello is read first
 * and by the same line reader. */
#include "ctl/client.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/jsonl.h"
#include "common/xalloc.h"
#include "ctl/exits.h"
#include "ctl/say.h"
#include "ctl/signals.h"

struct client {
    int fd;                   /* owned; -1 once the connection is of no more use */
    char *path;               /* owned */
    int64_t reply_timeout_ns; /* 0 = no limit */
    struct buf in, out;
    struct jsonl lines; /* of `in` */
    uint64_t last_id;
    unsigned outstanding;
    json_t *hello; /* owned */
};

/* Who may connect: the socket's owner and group, as far as we may look. */
static void denied_hint(const char *path)
{
    struct stat s;
    if (stat(path, &s)) {
        say_hint("its directory may not be entered: be the user that runs crawld, or use sudo");
        return;
    }
    const struct passwd *user = getpwuid(s.st_uid);
    const struct group *group = getgrgid(s.st_gid);
    say_hint("the socket belongs to the user %s and the group %s: be one of them, or use sudo",
             user ? user->pw_name : "of another system", group ? group->gr_name : "unknown");
}

static int unreached(const char *path, int err)
{
    say_error("cannot reach crawld at %s: %s", path, strerror(err));
    if (err == EACCES || err == EPERM) {
        denied_hint(path);
        return EXIT_DENIED;
    }
    if (err == ENOENT || err == ECONNREFUSED)
        say_hint("is crawld running? systemctl status crawld; another socket: -s PATH or "
                 "$CRAWLCTL_SOCKET");
    return EXIT_UNREACHED;
}

static int gone(struct client *c, int code)
{
    close(c->fd);
    c->fd = -1;
    return code;
}

static int hung_up(struct client *c)
{
    say_error("crawld closed the connection%s", c->outstanding ? " before it answered" : "");
    say_hint("crawld's log tells why: journalctl -u crawld");
    return gone(c, EXIT_UNREACHED);
}

static int connect_to(const char *path, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        int err = errno;
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return 0;
}

static void write_some(struct client *c)
{
    ssize_t sent = send(c->fd, buf_data(&c->out), buf_len(&c->out), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0)
        buf_consume(&c->out, (size_t)sent);
}

/* Once: writes what the socket takes and reads what is there. 0, -EAGAIN nothing came, or exit. */
static int pump(struct client *c, int timeout_ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    if (buf_len(&c->out))
        p.events |= POLLOUT;
    int n = poll(&p, 1, timeout_ms);
    if (signals_interrupted())
        return gone(c, EXIT_INTERRUPTED);
    if (n <= 0)
        return -EAGAIN;
    if (p.revents & POLLOUT)
        write_some(c);
    if (!(p.revents & (POLLIN | POLLHUP | POLLERR)))
        return 0;
    size_t room = 65536;
    ssize_t got = recv(c->fd, buf_reserve(&c->in, room), room, MSG_DONTWAIT);
    if (got > 0)
        buf_grew(&c->in, (size_t)got);
    else if (!got || (errno != EAGAIN && errno != EINTR))
        return hung_up(c);
    return 0;
}

static int protocol_error(struct client *c, const char *what)
{
    say_error("crawld at %s does not speak this protocol: %s", c->path, what);
    say_hint("is it crawld's control socket, and of the same version as crawlctl?");
    return gone(c, EXIT_PROTOCOL);
}

static int silence(struct client *c)
{
    say_error("no answer from crawld within %g s", (double)c->reply_timeout_ns / 1e9);
    say_hint("--reply-timeout DUR waits longer, 0 for ever");
    return gone(c, EXIT_TIMEOUT);
}

/* Waits for a whole line; silence is counted from the last byte that moved. */
static int line_wait(struct client *c, const char **ret_line, size_t *ret_len)
{
    int64_t heard_ns = clock_mono_ns();
    enum jsonl_verdict verdict;
    while ((verdict = jsonl_next(&c->lines, &c->in, ret_line, ret_len)) == JSONL_MORE) {
        size_t had = buf_len(&c->in) + buf_len(&c->out);
        int r = pump(c, 200);
        if (r > 0)
            return r;
        if (buf_len(&c->in) + buf_len(&c->out) != had)
            heard_ns = clock_mono_ns();
        if (c->reply_timeout_ns && clock_mono_ns() - heard_ns > c->reply_timeout_ns)
            return silence(c);
    }
    return verdict == JSONL_LINE ? 0 : protocol_error(c, "an endless line");
}

/* The next message from the daemon, of any kind. */
static int exchange(struct client *c, json_t **ret_message)
{
    const char *line;
    size_t len;
    int r = c->fd < 0 ? EXIT_UNREACHED : line_wait(c, &line, &len);
    if (r)
        return r;
    json_error_t error;
    json_t *message = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(message)) {
        json_decref(message);
        return protocol_error(c, "a line that is no JSON object");
    }
    *ret_message = message;
    return 0;
}

static int hello_read(struct client *c)
{
    json_t *message = NULL;
    int r = exchange(c, &message);
    if (r)
        return r;
    const json_t *proto = json_object_get(json_object_get(message, "hello"), "proto");
    if (json_integer_value(proto) == CLIENT_PROTO) {
        c->hello = json_incref(json_object_get(message, "hello"));
    } else if (json_is_integer(proto)) {
        say_error("crawld speaks protocol %lld, this crawlctl %d",
                  (long long)json_integer_value(proto), CLIENT_PROTO);
        say_hint("install crawlctl and crawld of the same version");
        r = gone(c, EXIT_PROTOCOL);
    } else if (json_is_object(json_object_get(message, "error"))) {
        struct reply refusal = {.body = message};
        r = gone(c, reply_complain(&refusal));
    } else {
        r = protocol_error(c, "no hello");
    }
    json_decref(message);
    return r;
}

bool client_reachable(const char *path)
{
    int fd = -1;
    if (connect_to(path, &fd))
        return false;
    close(fd);
    return true;
}

int client_open(const char *path, int64_t reply_timeout_ns, struct client **ret_client)
{
    int fd = -1, err = connect_to(path, &fd);
    if (err)
        return unreached(path, err);
    struct client *c = xcalloc(1, sizeof *c);
    c->fd = fd;
    c->path = xstrdup(path);
    c->reply_timeout_ns = reply_timeout_ns;
    jsonl_init(&c->lines, CLIENT_REPLY_MAX);
    int r = hello_read(c);
    if (r) {
        client_close(c);
        return r;
    }
    *ret_client = c;
    return 0;
}

void client_close(struct client *c)
{
    if (!c)
        return;
    if (c->fd >= 0)
        close(c->fd);
    free(c->path);
    buf_done(&c->in);
    buf_done(&c->out);
    json_decref(c->hello);
    free(c);
}

bool client_alive(const struct client *c)
{
    return c->fd >= 0;
}

void client_set_timeout(struct client *c, int64_t reply_timeout_ns)
{
    c->reply_timeout_ns = reply_timeout_ns;
}

const json_t *client_hello(const struct client *c)
{
    return c->hello;
}

unsigned client_outstanding(const struct client *c)
{
    return c->outstanding;
}

size_t client_room(const struct client *c, const char *op)
{
    json_int_t told = json_integer_value(json_object_get(c->hello, "max_line"));
    size_t line = told >= 1024 && told < CLIENT_LINE_MAX ? (size_t)told : CLIENT_LINE_MAX;
    return line - strlen(op) - sizeof "{'id':18446744073709551615,'op':'','args':}\n";
}

struct buf *client_begin(struct client *c, const char *op, size_t *ret_start)
{
    *ret_start = buf_len(&c->out);
    buf_addf(&c->out, "{\"id\":%llu,\"op\":\"%s\",\"args\":", (unsigned long long)++c->last_id, op);
    return &c->out;
}

void client_end(struct client *c)
{
    buf_add(&c->out, "}\n", 2);
    c->outstanding++;
    if (c->fd >= 0)
        write_some(c);
}

/* An event or a reply to nothing we asked is passed over. */
static bool is_reply(const struct client *c, const json_t *message)
{
    const json_t *id = json_object_get(message, "id");
    return json_is_boolean(json_object_get(message, "ok")) &&
           (json_is_null(id) || !id || (uint64_t)json_integer_value(id) <= c->last_id);
}

int client_next(struct client *c, struct reply *ret_reply)
{
    json_t *message;
    for (;;) {
        int r = exchange(c, &message);
        if (r)
            return r;
        if (is_reply(c, message))
            break;
        json_decref(message);
    }
    if (c->outstanding)
        c->outstanding--;
    *ret_reply = (struct reply){
        .id = (uint64_t)json_integer_value(json_object_get(message, "id")),
        .ok = json_is_true(json_object_get(message, "ok")),
        .body = message,
    };
    return 0;
}

static int ask_once(struct client *c, const char *op, const json_t *args, struct reply *ret_reply)
{
    char *text = args ? json_dumps(args, JSON_COMPACT) : xstrdup("{}");
    if (!text || strlen(text) > client_room(c, op)) {
        say_error("the request is longer than the %zu bytes crawld takes", client_room(c, op));
        free(text);
        return EXIT_FAILED;
    }
    size_t start;
    buf_adds(client_begin(c, op, &start), text);
    client_end(c);
    free(text);
    uint64_t id = c->last_id;
    for (;;) {
        int r = client_next(c, ret_reply);
        if (r || ret_reply->id == id || !ret_reply->ok)
            return r;
        reply_done(ret_reply);
    }
}

static const char *recovery_text(const struct reply *r)
{
    const json_t *error = json_object_get(r->body, "error");
    return json_string_value(json_object_get(error, "message")) ?: "crawld is recovering";
}

/* Asks again while the daemon is recovering; says so once it takes long. */
static int ask(struct client *c, const char *op, const json_t *args, struct reply *ret_reply)
{
    int r;
    int64_t pause_ns = 20 * NS_PER_MS;
    bool told = false;
    while (!(r = ask_once(c, op, args, ret_reply)) && reply_is(ret_reply, "recovering")) {
        if (!told && pause_ns >= NS_PER_S / 2) {
            say_note("waiting: %s", recovery_text(ret_reply));
            told = true;
        }
        reply_done(ret_reply);
        if (signals_sleep_ns(pause_ns))
            return gone(c, EXIT_INTERRUPTED);
        pause_ns = pause_ns * 2 < NS_PER_S ? pause_ns * 2 : NS_PER_S;
    }
    return r;
}

int client_call_unless(struct client *c, const char *op, json_t *take_args, const char *code,
                       json_t **ret_result)
{
    struct reply reply;
    int r = ask(c, op, take_args, &reply);
    json_decref(take_args);
    if (r)
        return r;
    if (reply.ok)
        *ret_result = json_incref(json_object_get(reply.body, "result")) ?: json_object();
    else if (code && reply_is(&reply, code))
        *ret_result = NULL;
    else
        r = reply_complain(&reply);
    reply_done(&reply);
    return r;
}

int client_call(struct client *c, const char *op, json_t *take_args, json_t **ret_result)
{
    return client_call_unless(c, op, take_args, NULL, ret_result);
}
