/* SPDX-License-Identifier: MIT */
/* DECODE. The text of a result whose job looks into it; no other body is decoded. All of the body
 * is there (`holds`), so one decoder serves the whole machine, one fetch after the other, and a
 * fetch that waits for its bytes owns no decoder's 40 KiB to 16 MiB:
 *
 *      response ─▶ body_next: chunks off ─▶ text_next: codings, charset off ─▶ keep_scan_feed
 *
 * A turn of the loop decodes MACHINE_DECODE_BYTES, then the others go on: 32 MiB take 500 turns.
 * While a fetch stands here the loop does not sleep. */
#include "daemon/fetch/machine.h"

#include <stdio.h>

#include "daemon/parse/text.h"

#define CALL_BYTES 1024 /* what a call costs beside its bytes */

static void begin(struct fetch *f)
{
    struct decode *d = &f->machine->decode;
    struct answer *a = f->answer;
    const struct buf *response = &a->capture.response;
    size_t head_bytes = a->head.end - a->head.start;
    text_begin(d->text, &(struct text_source){.codings = &a->codings,
                                              .mime = &a->mime,
                                              .wire_bytes = a->payload_bytes,
                                              .cut = a->capture.truncated != NULL});
    body_init(&d->body, (enum body_kind)a->head.body_kind, a->head.body_bytes);
    d->in = (struct body_span){buf_data(response) + head_bytes, buf_len(response) - head_bytes};
    d->payload = (struct body_span){NULL, 0};
    d->last = false;
    a->decoding = true;
}

static void spend(struct decode *d, size_t bytes)
{
    bytes += CALL_BYTES;
    d->turn_bytes -= bytes < d->turn_bytes ? bytes : d->turn_bytes;
}

static enum text_verdict decode_piece(struct fetch *f)
{
    struct decode *d = &f->machine->decode;
    if (!d->payload.len && !d->last)
        d->last = body_next(&d->body, &d->in, &d->payload) != HTTP_DATA;
    size_t n = d->payload.len < TEXT_PIECE_BYTES ? d->payload.len : TEXT_PIECE_BYTES;
    struct inflate_span in = {d->payload.p, n}, utf8;
    enum text_verdict v = text_next(d->text, &in, d->last, &utf8);
    d->payload.p += n - in.len;
    d->payload.len -= n - in.len;
    keep_scan_feed(&f->answer->scan, &f->job->spec, utf8.p, utf8.len);
    spend(d, n - in.len + utf8.len);
    return v;
}

static enum fetch_state decoded(struct fetch *f)
{
    const struct text *text = f->machine->decode.text;
    struct answer *a = f->answer;
    snprintf(a->mime.charset, sizeof a->mime.charset, "%s", text_charset(text));
    if (a->codings.verdict == CODINGS_KNOWN && a->codings.count)
        a->decoded_bytes = text_decoded_bytes(text);
    return FETCH_NEXT;
}

static enum fetch_state undecodable(struct fetch *f)
{
    const struct text *text = f->machine->decode.text;
    f->reason = (uint8_t)text_reason(text);
    f->outcome = (uint8_t)reason_outcome(f->reason);
    f->detail = text_why(text);
    return fetch_record(f);
}

enum fetch_state fetch_decode(struct fetch *f)
{
    struct machine *m = f->machine;
    if (!keep_needs_text(&f->job->spec, f->answer->head.status))
        return FETCH_NEXT;
    if (m->row[FETCH_DECODE].next != &f->link)
        return FETCH_PARK;
    if (!f->answer->decoding)
        begin(f);
    while (m->decode.turn_bytes) {
        enum text_verdict v = decode_piece(f);
        if (v == TEXT_DONE)
            return decoded(f);
        if (v == TEXT_FAILED)
            return undecodable(f);
    }
    return FETCH_PARK;
}

void decode_init(struct machine *m)
{
    m->decode.text = text_new();
    m->decode.turn_bytes = MACHINE_DECODE_BYTES;
}

bool decode_turn(struct machine *m)
{
    struct list *row = &m->row[FETCH_DECODE];
    m->decode.turn_bytes = MACHINE_DECODE_BYTES;
    while (!list_empty(row) && m->decode.turn_bytes)
        machine_drive(list_of(row->next, struct fetch, link));
    return !list_empty(row);
}

void decode_done(struct machine *m)
{
    text_free(m->decode.text);
}
