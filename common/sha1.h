/* SPDX-License-Identifier: MIT */
/* SHA-1 (FIPS 180-4), for WARC digests only: it identifies, it does not protect. Uses the
 * processor's SHA instructions where there are any, mbedTLS elsewhere. */
#ifndef COMMON_SHA1_H
#define COMMON_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define SHA1_BYTES        20
#define SHA1_BASE32_CHARS 32

struct sha1 {
    uint32_t state[5];
    uint64_t total_bytes;
    uint8_t block[64]; /* the begun one: total_bytes % 64 bytes of it are set */
};

void sha1_init(struct sha1 *s);
void sha1_update(struct sha1 *s, const void *p, size_t n);

/* Afterwards s must be initialised again before it is used. */
void sha1_final(struct sha1 *s, uint8_t ret_digest[SHA1_BYTES]);

/* All three at once. */
void sha1_of(const void *p, size_t n, uint8_t ret_digest[SHA1_BYTES]);

/* RFC 4648 base32, upper case: exactly 32 characters, no NUL. */
void sha1_base32(const uint8_t digest[SHA1_BYTES], char ret_text[SHA1_BASE32_CHARS]);

/* Makes all hashes of the process use mbedTLS (for tests and measurements). */
void sha1_force_portable(void);

#endif
