/* SPDX-License-Identifier: MIT */
/* A request is written straight into the client's output: {"job":J,"urls":[ is opened by the first
 * item, items are appended, and the one that makes it too long is cut off again and opens the next
 * request. At most CLIENT_OUTSTANDING requests are out; before another one a reply is taken. */
#include "ctl/upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/jsonw.h"
#include "ctl/exits.h"
#include "ctl/jsonp.h"
#include "ctl/say.h"
#include "ctl/signals.h"
#include "ctl/text.h"

#define BAD_BYTES          256 /* shown of a line that is no URL */
#define TAIL               sizeof "],'last':true}"
#define WORDS_INLINE_BYTES 16384 /* of words files that travel inside the specification */

void upload_init(struct upload *u, struct client *client, const char *job)
{
    *u = (struct upload){.client = client, .job = job};
}

static void draw(struct upload *u)
{
    if (!say_live() || clock_mono_ns() - u->drawn_ns < NS_PER_S / 5)
        return;
    u->drawn_ns = clock_mono_ns();
    struct buf b = {0};
    text_count(&b, (int64_t)u->line_count);
    buf_adds(&b, " lines sent, ");
    text_count(&b, u->accepted);
    buf_adds(&b, " URLs accepted");
    say_line(buf_str(&b));
    buf_done(&b);
}

/* Takes replies until at most `most` requests are out. */
static int settle(struct upload *u, unsigned most)
{
    while (client_outstanding(u->client) > most) {
        struct reply reply;
        int r = client_next(u->client, &reply);
        if (r)
            return r;
        if (u->tolerant && reply_is(&reply, "wrong_state"))
            u->refused = true;
        else if (!reply.ok)
            r = reply_complain(&reply);
        const json_t *result = json_object_get(reply.body, "result");
        u->accepted += jsonp_int(result, "accepted");
        u->duplicates += jsonp_int(result, "duplicates");
        u->bad += jsonp_int(result, "bad");
        reply_done(&reply);
        if (r)
            return r;
        draw(u);
    }
    return 0;
}

static int open_request(struct upload *u, const char *op, const char *word, const char *list,
                        uint64_t line)
{
    int r = settle(u, CLIENT_OUTSTANDING - 1);
    if (r)
        return r;
    u->room = client_room(u->client, op);
    u->line = client_begin(u->client, op, &u->start);
    u->args_start = buf_len(u->line);
    buf_addc(u->line, '{');
    jsonw_key_string(u->line, "job", u->job);
    if (word)
        jsonw_key_string(u->line, "name", word);
    else if (line)
        jsonw_key_uint(u->line, "line", line);
    u->next_number = line;
    jsonw_key(u->line, list);
    buf_addc(u->line, '[');
    return 0;
}

static void close_request(struct upload *u, bool last)
{
    if (!u->line)
        return;
    buf_adds(u->line, last ? "],\"last\":true}" : "]}");
    client_end(u->client);
    u->line = NULL;
}

static void add_comma(struct buf *b)
{
    if (b->p[b->len - 1] != '[')
        buf_addc(b, ',');
}

static void add_item(struct buf *b, const struct line *line)
{
    add_comma(b);
    if (line->good) {
        jsonw_string(b, line->p, line->len);
        return;
    }
    struct buf text = {0};
    text_escape(&text, line->p, line->len < BAD_BYTES ? line->len : BAD_BYTES);
    buf_addf(b, "{\"line\":%llu,\"bad\":", (unsigned long long)line->number);
    jsonw_string(b, buf_data(&text), buf_len(&text));
    buf_addc(b, '}');
    buf_done(&text);
}

static int add(struct upload *u, const char *op, const char *word, const char *list,
               const struct line *line)
{
    for (int turn = 0; turn < 2; turn++) {
        int r = u->line ? 0 : open_request(u, op, word, list, line->number);
        if (r)
            return r;
        size_t before = buf_len(u->line);
        if (!word && line->good && line->number && line->number != u->next_number) {
            add_comma(u->line);
            buf_addf(u->line, "{\"line\":%llu}", (unsigned long long)line->number);
        }
        add_item(u->line, line);
        if (buf_len(u->line) - u->args_start + TAIL <= u->room) {
            u->next_number = line->number ? line->number + 1 : 0;
            return 0;
        }
        buf_cut(u->line, before);
        close_request(u, false);
    }
    say_error("%.60s... does not fit into a request", line->p);
    return EXIT_FAILED;
}

int upload_url(struct upload *u, const struct line *line)
{
    u->line_count++;
    return add(u, "job.add", NULL, "urls", line);
}

int upload_argument(struct upload *u, const char *url)
{
    size_t len = strlen(url);
    bool good = len <= INPUT_LINE_MAX && input_is_text(url, len);
    struct line line = {url, len, 0, good};
    return upload_url(u, &line);
}

int upload_lines(struct upload *u, const char *path)
{
    struct input in;
    struct line line;
    int r = input_open(&in, path);
    while (!r) {
        int n = input_next(&in, &line);
        if (n == 0)
            break;
        if (signals_interrupted()) {
            r = EXIT_INTERRUPTED;
        } else if (n == -EAGAIN) {
            close_request(u, false);
            r = settle(u, 0);
        } else if (n < 0) {
            say_error("cannot read %s: %s", path, strerror(-n));
            r = EXIT_FAILED;
        } else {
            r = upload_url(u, &line);
        }
    }
    input_done(&in);
    return r;
}

int upload_finish(struct upload *u, bool last)
{
    int r = 0;
    if (last && !u->line)
        r = open_request(u, "job.add", NULL, "urls", 0);
    if (!r)
        close_request(u, last);
    return r ?: settle(u, 0);
}

void upload_tell(const struct upload *u)
{
    struct buf b = {0};
    text_count(&b, u->accepted);
    buf_adds(&b, u->accepted == 1 ? " URL accepted" : " URLs accepted");
    if (u->duplicates) {
        buf_adds(&b, ", ");
        text_count(&b, u->duplicates);
        buf_adds(&b, u->duplicates == 1 ? " duplicate" : " duplicates");
    }
    if (u->bad) {
        buf_adds(&b, ", ");
        text_count(&b, u->bad);
        buf_adds(&b, " bad");
    }
    say_note("%s", buf_str(&b));
    buf_done(&b);
}

static int upload_words(struct upload *u, const struct words *w)
{
    int r = 0;
    const char *p = buf_data(&w->text), *end = p + buf_len(&w->text), *stop;
    for (uint64_t n = 1; !r && p < end; p = stop + 1, n++) {
        stop = memchr(p, '\n', (size_t)(end - p));
        struct line line = {p, (size_t)(stop - p), n, true};
        r = add(u, "job.words", w->name, "words", &line);
    }
    close_request(u, false);
    return r;
}

static int upload_array(struct upload *u, const char *word, const json_t *values)
{
    size_t i;
    json_t *value;
    int r = 0;
    json_array_foreach(values, i, value)
    {
        struct line line = {json_string_value(value), json_string_length(value), 0, true};
        if (!line.p) {
            say_error("%s: item %zu is not a string", word ?: "seeds", i + 1);
            return EXIT_USAGE;
        }
        if (!r)
            r = word ? add(u, "job.words", word, "words", &line) : upload_url(u, &line);
    }
    if (word)
        close_request(u, false);
    return r;
}

/* Words files that are small go into the specification; others are announced there. */
static void place_words(struct jobflags *j, json_t *spec, bool inlined)
{
    for (size_t i = 0; i < j->words_count; i++) {
        struct words *w = &j->words[i];
        json_t *value;
        if (inlined) {
            value = json_array();
            const char *p = buf_data(&w->text), *end = p + buf_len(&w->text), *stop;
            for (; p < end; p = stop + 1) {
                stop = memchr(p, '\n', (size_t)(end - p));
                json_array_append_new(value, json_stringn(p, (size_t)(stop - p)));
            }
        } else {
            value = json_pack("{s:b}", "upload", 1);
        }
        json_t *all = json_object_get(spec, "words");
        if (!json_is_object(all)) {
            all = json_object();
            json_object_set_new(spec, "words", all);
        }
        json_object_set_new(all, w->name, value);
    }
    if (inlined) {
        for (size_t i = 0; i < j->words_count; i++)
            buf_done(&j->words[i].text);
    }
}

void upload_place_words(struct jobflags *j, json_t *spec)
{
    place_words(j, spec, true);
}

static size_t spec_bytes(const json_t *spec)
{
    char *text = json_dumps(spec, JSON_COMPACT);
    size_t n = text ? strlen(text) : 0;
    free(text);
    return n;
}

/* Takes the lists out of a specification that is too long; ret_words: name to list. */
static void lighten(json_t *spec, size_t room, json_t **ret_seeds, json_t **ret_words)
{
    *ret_words = json_object();
    *ret_seeds = NULL;
    const char *name;
    json_t *value, *words = json_object_get(spec, "words");
    if (spec_bytes(spec) > room && json_is_array(json_object_get(spec, "seeds"))) {
        *ret_seeds = json_incref(json_object_get(spec, "seeds"));
        json_object_del(spec, "seeds");
    }
    if (spec_bytes(spec) <= room)
        return;
    json_object_foreach(words, name, value) if (json_is_array(value))
        json_object_set(*ret_words, name, value);
    json_object_foreach(*ret_words, name, value)
        json_object_set_new(words, name, json_pack("{s:b}", "upload", 1));
}

static int stream(struct upload *u, struct jobflags *j, const json_t *seeds, json_t *lists)
{
    int r = 0;
    const char *name;
    json_t *list;
    json_object_foreach(lists, name, list) r = r ?: upload_array(u, name, list);
    for (size_t i = 0; i < j->words_count; i++)
        r = r ?: upload_words(u, &j->words[i]);
    if (seeds)
        r = r ?: upload_array(u, NULL, seeds);
    if (j->input_path)
        r = r ?: upload_lines(u, j->input_path);
    return r ?: upload_finish(u, true);
}

int upload_again(struct upload *u, struct jobflags *j, const json_t *spec, bool last)
{
    int r = upload_array(u, NULL, json_object_get(spec, "seeds"));
    if (!r && j->input_path)
        r = upload_lines(u, j->input_path);
    return r ?: upload_finish(u, last);
}

const char *upload_job_name(const json_t *result)
{
    const char *name = jsonp_text(result, "name");
    return *name ? name : jsonp_text(result, "job");
}

int upload_job(struct client *client, struct jobflags *j, json_t *spec, struct upload *ret_upload,
               json_t **ret_result)
{
    size_t words_bytes = 0,
           room = client_room(client, "job.submit") - sizeof "{'spec':,'more':true,'paused':true}";
    for (size_t i = 0; i < j->words_count; i++)
        words_bytes += buf_len(&j->words[i].text);
    bool inlined = words_bytes <= WORDS_INLINE_BYTES;
    place_words(j, spec, inlined);
    json_t *seeds, *lists, *result = NULL;
    lighten(spec, room, &seeds, &lists);
    bool more = seeds || json_object_size(lists) || (!inlined && j->words_count) || j->input_path;
    json_t *args = json_pack("{s:O}", "spec", spec);
    if (more)
        json_object_set_new(args, "more", json_true());
    if (j->paused)
        json_object_set_new(args, "paused", json_true());
    int r = client_call(client, "job.submit", args, &result);
    if (!r) {
        upload_init(ret_upload, client, upload_job_name(result));
        ret_upload->accepted = jsonp_int(result, "counts.accepted");
        ret_upload->duplicates = jsonp_int(result, "counts.duplicates");
        if (more)
            r = stream(ret_upload, j, seeds, lists);
        *ret_result = result;
    }
    json_decref(seeds);
    json_decref(lists);
    return r;
}
