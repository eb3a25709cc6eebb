/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <mbedtls/sha1.h>
#include <mbedtls/version.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/sha1.h"
#include "tests/unit/unit.h"

static void hex(const uint8_t digest[SHA1_BYTES], char ret_text[41])
{
    for (int i = 0; i < SHA1_BYTES; i++)
        sprintf(ret_text + 2 * i, "%02x", digest[i]);
}

static void check_vectors(void)
{
    static const struct {
        const char *text, *digest;
    } vectors[] = {
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
         "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
         "a49b2446a02c645bf419f995b67091253a04a259"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t digest[SHA1_BYTES];
        char text[41];
        sha1_of(vectors[i].text, strlen(vectors[i].text), digest);
        hex(digest, text);
        ck_assert_str_eq(text, vectors[i].digest);
    }
}

static void check_million(void)
{
    struct sha1 s;
    char a[1000], text[41];
    uint8_t digest[SHA1_BYTES];
    memset(a, 'a', sizeof a);
    sha1_init(&s);
    for (int i = 0; i < 1000; i++)
        sha1_update(&s, a, sizeof a);
    sha1_final(&s, digest);
    hex(digest, text);
    ck_assert_str_eq(text, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

START_TEST(hashes_the_published_vectors)
{
    check_vectors();
    check_million();
}
END_TEST

START_TEST(hashes_the_published_vectors_without_the_instructions)
{
    sha1_force_portable();
    check_vectors();
    check_million();
}
END_TEST

START_TEST(agrees_with_mbedtls_for_every_length_and_every_cut)
{
    uint8_t data[300], want[SHA1_BYTES], got[SHA1_BYTES];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 167 + i / 7);
    for (size_t n = 0; n <= sizeof data; n++) {
#if MBEDTLS_VERSION_MAJOR < 3
        mbedtls_sha1_ret(data, n, want);
#else
        mbedtls_sha1(data, n, want);
#endif
        for (size_t cut = 0; cut <= n; cut += n > 130 ? 13 : 1) {
            struct sha1 s;
            sha1_init(&s);
            sha1_update(&s, data, cut);
            sha1_update(&s, data + cut, n - cut);
            sha1_final(&s, got);
            ck_assert_mem_eq(got, want, SHA1_BYTES);
        }
    }
}
END_TEST

START_TEST(writes_base32_in_upper_case)
{
    uint8_t digest[SHA1_BYTES];
    char text[SHA1_BASE32_CHARS];
    sha1_of("", 0, digest);
    sha1_base32(digest, text);
    ck_assert_mem_eq(text, "3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ", SHA1_BASE32_CHARS);
}
END_TEST

UNIT_TESTS("sha1", hashes_the_published_vectors,
           hashes_the_published_vectors_without_the_instructions,
           agrees_with_mbedtls_for_every_length_and_every_cut, writes_base32_in_upper_case)
