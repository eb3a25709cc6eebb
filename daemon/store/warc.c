/* SPDX-License-Identifier: MIT */
/* A record is
 *
 *     WARC/1.1 CRLF  name: value CRLF ...  CRLF  block  CRLF CRLF
 *
 * The two records of an exchange carry the same date and address and name each other as
 * concurrent. A field is written once. Values that come from outside cannot end their line. */
#include "daemon/store/warc.h"

#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/clock.h"
#include "common/sha1.h"

#define LITERAL(out, text) buf_add(out, text, sizeof(text) - 1)

void warc_ids_init(struct warc_ids *ids)
{
    uint8_t *p = (uint8_t *)ids->state;
    size_t have = 0;
    while (have < sizeof ids->state) {
        ssize_t n = getrandom(p + have, sizeof ids->state - have, 0);
        have += n > 0 ? (size_t)n : 0;
    }
    ids->state[0] |= 1; /* the generator must not stand at all zeros */
}

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

/* xoshiro256** */
static uint64_t ids_random(struct warc_ids *ids)
{
    uint64_t *s = ids->state;
    const uint64_t result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

void warc_ids_next(struct warc_ids *ids, struct warc_id *ret_id)
{
    uint64_t bits[2] = {ids_random(ids), ids_random(ids)};
    bits[0] = (bits[0] & ~UINT64_C(0xf000)) | 0x4000;
    bits[1] = (bits[1] & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
    char *p = ret_id->text;
    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *p++ = '-';
        *p++ = "0123456789abcdef"[bits[i / 16] >> (60 - i % 16 * 4) & 15];
    }
}

static void add_id(struct buf *out, const struct warc_id *id)
{
    LITERAL(out, "<urn:uuid:");
    buf_add(out, id->text, WARC_ID_CHARS);
    LITERAL(out, ">\r\n");
}

static void add_date(struct buf *out, int64_t wall_ns)
{
    char date[CLOCK_ISO_BYTES];
    clock_iso(wall_ns, date);
    LITERAL(out, "WARC-Date: ");
    buf_add(out, date, CLOCK_ISO_BYTES - 1);
    LITERAL(out, "\r\n");
}

static void add_digest(struct buf *out, const uint8_t digest[SHA1_BYTES])
{
    LITERAL(out, "sha1:");
    sha1_base32(digest, buf_reserve(out, SHA1_BASE32_CHARS));
    buf_grew(out, SHA1_BASE32_CHARS);
    LITERAL(out, "\r\n");
}

static void add_uri(struct buf *out, const char *p, size_t n)
{
    char *to = buf_reserve(out, 3 * n), *at = to;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c > 0x20 && c < 0x7f) {
            *at++ = (char)c;
        } else {
            *at++ = '%';
            *at++ = "0123456789ABCDEF"[c >> 4];
            *at++ = "0123456789ABCDEF"[c & 15];
        }
    }
    buf_grew(out, (size_t)(at - to));
}

/* "name: value CRLF"; control characters of the value become spaces. */
static void add_field(struct buf *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    buf_adds(out, name);
    LITERAL(out, ": ");
    for (; *value; value++)
        buf_addc(out, (unsigned char)*value < 0x20 || *value == 0x7f ? ' ' : *value);
    LITERAL(out, "\r\n");
}

/* Closes the header. */
static void add_block_fields(struct buf *out, const void *block, size_t n)
{
    uint8_t digest[SHA1_BYTES];
    sha1_of(block, n, digest);
    LITERAL(out, "WARC-Block-Digest: ");
    add_digest(out, digest);
    LITERAL(out, "Content-Length: ");
    buf_addu(out, n);
    LITERAL(out, "\r\n\r\n");
}

/* Closes the header and adds the block. */
static void add_block(struct buf *out, const void *block, size_t n)
{
    add_block_fields(out, block, n);
    buf_add(out, block, n);
    LITERAL(out, "\r\n\r\n");
}

void warc_add_info(struct buf *out, const struct warc_info *info, const struct warc_id *id,
                   int64_t wall_ns)
{
    struct buf block = {0};
    add_field(&block, "software", info->software);
    add_field(&block, "format", "WARC File Format 1.1");
    add_field(&block, "conformsTo",
              "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/");
    add_field(&block, "operator", info->operator_contact);
    add_field(&block, "robots", info->robots);
    add_field(&block, "http-header-user-agent", info->user_agent);
    add_field(&block, "isPartOf", info->job_name);
    LITERAL(out, "WARC/1.1\r\nWARC-Type: warcinfo\r\nWARC-Record-ID: ");
    add_id(out, id);
    add_date(out, wall_ns);
    add_field(out, "WARC-Filename", info->file_name);
    LITERAL(out, "Content-Type: application/warc-fields\r\n");
    add_block(out, buf_data(&block), buf_len(&block));
    buf_done(&block);
}

/* What both records of an exchange say. */
static void add_exchange(struct buf *out, const struct warc_exchange *x, const struct warc_id *self,
                         const struct warc_id *other)
{
    LITERAL(out, "WARC-Record-ID: ");
    add_id(out, self);
    add_date(out, x->wall_ns);
    LITERAL(out, "WARC-Target-URI: ");
    add_uri(out, x->url, x->url_len);
    LITERAL(out, "\r\n");
    add_field(out, "WARC-IP-Address", x->ip);
    if (x->tls_version) {
        LITERAL(out, "WARC-Protocol: tls/");
        buf_adds(out, x->tls_version);
        LITERAL(out, "\r\n");
        add_field(out, "WARC-Cipher-Suite", x->tls_cipher);
    }
    LITERAL(out, "WARC-Warcinfo-ID: ");
    add_id(out, &x->info);
    LITERAL(out, "WARC-Concurrent-To: ");
    add_id(out, other);
}

void warc_add_response_head(struct buf *out, const struct warc_exchange *x, const void *block,
                            size_t n)
{
    LITERAL(out, "WARC/1.1\r\nWARC-Type: response\r\n");
    add_exchange(out, x, &x->response, &x->request);
    LITERAL(out, "Content-Type: application/http; msgtype=response\r\n");
    add_field(out, "WARC-Truncated", x->truncated);
    if (x->payload_sha1) {
        LITERAL(out, "WARC-Payload-Digest: ");
        add_digest(out, x->payload_sha1);
    }
    add_block_fields(out, block, n);
}

void warc_add_response(struct buf *out, const struct warc_exchange *x, const void *block, size_t n)
{
    warc_add_response_head(out, x, block, n);
    buf_add(out, block, n);
    LITERAL(out, "\r\n\r\n");
}

void warc_add_request(struct buf *out, const struct warc_exchange *x, const void *block, size_t n)
{
    LITERAL(out, "WARC/1.1\r\nWARC-Type: request\r\n");
    add_exchange(out, x, &x->request, &x->response);
    LITERAL(out, "Content-Type: application/http; msgtype=request\r\n");
    add_block(out, block, n);
}
