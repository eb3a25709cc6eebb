/* SPDX-License-Identifier: MIT */
/* Every text in a row is bounded where it was taken in: mime and charset by their arrays, the
 * file's name by the store, details are constants. */
#include "daemon/fetch/row.h"

#include "common/clock.h"
#include "common/jsonw.h"

static void key_text(struct buf *b, const char *key, const char *text)
{
    if (text && *text)
        jsonw_key_string(b, key, text);
}

static void response_members(const struct fetch *f, struct buf *b)
{
    const struct answer *a = f->answer;
    char text[SHA1_BASE32_CHARS + 1] = "";
    if (!a || !a->has_head)
        return;
    key_text(b, "mime", a->mime.type);
    key_text(b, "charset", a->mime.charset);
    jsonw_key_uint(b, "body_bytes", a->payload_bytes);
    if (a->decoded_bytes)
        jsonw_key_uint(b, "decoded_bytes", a->decoded_bytes);
    struct sha1 sum = a->sha1;
    uint8_t digest[SHA1_BYTES];
    sha1_final(&sum, digest);
    sha1_base32(digest, text);
    jsonw_key_string(b, "sha1", text);
    key_text(b, "truncated", a->capture.truncated);
}

static uint32_t span_ms(uint32_t from_us, uint32_t to_us)
{
    return to_us > from_us ? (to_us - from_us + 500) / 1000 : 0;
}

/* Members for the phases that were reached. */
static void ms_members(const struct fetch *f, struct buf *b)
{
    jsonw_key(b, "ms");
    buf_addc(b, '{');
    if (f->resolved_us)
        jsonw_key_uint(b, "dns", span_ms(0, f->resolved_us));
    if (f->connected_us)
        jsonw_key_uint(b, "connect", span_ms(f->resolved_us, f->connected_us));
    if (f->secure && f->secure->shaken_us)
        jsonw_key_uint(b, "tls", span_ms(f->connected_us, f->secure->shaken_us));
    if (f->first_us)
        jsonw_key_uint(b, "first_byte", span_ms(f->sent_us, f->first_us));
    if (f->first_us && f->end_us)
        jsonw_key_uint(b, "body", span_ms(f->first_us, f->end_us));
    jsonw_key_uint(b, "total", span_ms(0, f->end_us));
    buf_addc(b, '}');
}

static void tls_members(const struct fetch *f, struct buf *b)
{
    const struct tls_info *tls = f->secure ? &f->secure->tls : NULL;
    if (!tls || !tls->version)
        return;
    jsonw_key(b, "tls");
    buf_addc(b, '{');
    jsonw_key_string(b, "version", tls->version);
    jsonw_key_string(b, "cipher", tls->cipher);
    jsonw_key_bool(b, "verified", !tls->why);
    key_text(b, "why", tls->why);
    buf_addc(b, '}');
}

static void warc_members(const struct fetch *f, struct buf *b)
{
    const struct capture *c = f->answer ? &f->answer->capture : NULL;
    if (!c || !c->file || c->err)
        return;
    jsonw_key(b, "warc");
    buf_addc(b, '{');
    jsonw_key_string(b, "file", c->file_name);
    jsonw_key_uint(b, "offset", c->offset);
    jsonw_key_uint(b, "length", c->length);
    buf_addc(b, '}');
}

void row_write(const struct fetch *f, int worker, struct buf *out)
{
    char ip[ADDR_TEXT_BYTES], time[CLOCK_ISO_BYTES];
    buf_clear(out);
    if (f->answer && f->answer->has_head)
        jsonw_key_uint(out, "status", f->answer->head.status);
    key_text(out, "reason", reason_name(f->reason));
    key_text(out, "detail", f->detail);
    key_text(out, "ip", addr_text(&f->peer, ip));
    response_members(f, out);
    if (f->wire_bytes)
        jsonw_key_uint(out, "wire_bytes", f->wire_bytes);
    jsonw_key_uint(out, "attempts", f->attempt);
    jsonw_key_uint(out, "worker", (uint64_t)worker);
    clock_iso(f->wall_ns, time);
    jsonw_key_string(out, "time", time);
    ms_members(f, out);
    tls_members(f, out);
    warc_members(f, out);
}
