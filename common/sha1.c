/* SPDX-License-Identifier: MIT */
/* One function hashes whole 64-byte blocks; it is chosen at start and called through a pointer.
 * What is here besides keeps the begun block and the padding.
 *
 * The instructions do four rounds at a time: 20 groups of four, group g with the words
 * W[4g..4g+3] in one register, kept in a ring of four. `e` of a group comes from the `abcd` of the
 * group before it (sha1nexte). */
#include "common/sha1.h"

#define MBEDTLS_ALLOW_PRIVATE_ACCESS /* to `state`, on 3.x */
#include <mbedtls/sha1.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

static void blocks_portable(uint32_t state[5], const uint8_t *p, size_t count)
{
    mbedtls_sha1_context c;
    mbedtls_sha1_init(&c);
    memcpy(c.state, state, sizeof c.state);
    for (; count; count--, p += 64)
        mbedtls_internal_sha1_process(&c, p);
    memcpy(state, c.state, sizeof c.state);
}

#if defined(__x86_64__)

#define GROUPS(from, f)                                                                            \
    _Pragma("GCC unroll 5") for (int g = from; g < from + 5; g++)                                  \
    {                                                                                              \
        if (g >= 4)                                                                                \
            w[g & 3] = _mm_sha1msg2_epu32(                                                         \
                _mm_xor_si128(_mm_sha1msg1_epu32(w[g & 3], w[(g + 1) & 3]), w[(g + 2) & 3]),       \
                w[(g + 3) & 3]);                                                                   \
        e = g ? _mm_sha1nexte_epu32(before, w[g & 3]) : _mm_add_epi32(e, w[0]);                    \
        before = abcd;                                                                             \
        abcd = _mm_sha1rnds4_epu32(abcd, e, f);                                                    \
    }

__attribute__((target("sha,sse4.1"))) static void blocks_sha_ni(uint32_t state[5], const uint8_t *p,
                                                                size_t count)
{
    const __m128i big_endian = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0x1b);
    __m128i e = _mm_set_epi32((int)state[4], 0, 0, 0);
    for (; count; count--, p += 64) {
        const __m128i abcd_in = abcd, e_in = e;
        __m128i before = abcd, w[4];
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p + i), big_endian);
        GROUPS(0, 0)
        GROUPS(5, 1)
        GROUPS(10, 2)
        GROUPS(15, 3)
        e = _mm_sha1nexte_epu32(before, e_in);
        abcd = _mm_add_epi32(abcd, abcd_in);
    }
    _mm_storeu_si128((__m128i *)state, _mm_shuffle_epi32(abcd, 0x1b));
    state[4] = (uint32_t)_mm_extract_epi32(e, 3);
}

static bool has_sha_ni(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1))
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

#endif

static void (*blocks)(uint32_t state[5], const uint8_t *p, size_t count) = blocks_portable;

__attribute__((constructor)) static void sha1_choose(void)
{
#if defined(__x86_64__)
    if (has_sha_ni())
        blocks = blocks_sha_ni;
#endif
}

void sha1_force_portable(void)
{
    blocks = blocks_portable;
}

void sha1_init(struct sha1 *s)
{
    static const uint32_t start[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    memcpy(s->state, start, sizeof start);
    s->total_bytes = 0;
}

void sha1_update(struct sha1 *s, const void *p, size_t n)
{
    const uint8_t *in = p;
    size_t begun = s->total_bytes % 64;
    s->total_bytes += n;
    if (begun && n >= 64 - begun) {
        memcpy(s->block + begun, in, 64 - begun);
        in += 64 - begun;
        n -= 64 - begun;
        begun = 0;
        blocks(s->state, s->block, 1);
    }
    if (n >= 64) {
        blocks(s->state, in, n / 64);
        in += n - n % 64;
        n %= 64;
    }
    if (n)
        memcpy(s->block + begun, in, n);
}

void sha1_final(struct sha1 *s, uint8_t ret_digest[SHA1_BYTES])
{
    uint8_t tail[128] = {0};
    size_t begun = s->total_bytes % 64, size = begun < 56 ? 64 : 128;
    memcpy(tail, s->block, begun);
    tail[begun] = 0x80;
    for (int i = 0; i < 8; i++)
        tail[size - 1 - i] = (uint8_t)(s->total_bytes << 3 >> 8 * i);
    blocks(s->state, tail, size / 64);
    for (int i = 0; i < SHA1_BYTES; i++)
        ret_digest[i] = (uint8_t)(s->state[i / 4] >> (24 - i % 4 * 8));
}

void sha1_of(const void *p, size_t n, uint8_t ret_digest[SHA1_BYTES])
{
    struct sha1 s;
    sha1_init(&s);
    sha1_update(&s, p, n);
    sha1_final(&s, ret_digest);
}

void sha1_base32(const uint8_t digest[SHA1_BYTES], char ret_text[SHA1_BASE32_CHARS])
{
    for (int group = 0; group < 4; group++) {
        uint64_t bits = 0;
        for (int i = 0; i < 5; i++)
            bits = bits << 8 | digest[group * 5 + i];
        for (int i = 0; i < 8; i++)
            ret_text[group * 8 + i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[bits >> (35 - 5 * i) & 31];
    }
}
