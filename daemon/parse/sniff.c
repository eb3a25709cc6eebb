/* SPDX-License-Identifier: MIT */
/* The detector is uchardet. It names GBK, Big5, Shift_JIS, EUC-JP, EUC-KR, Cyrillic, Greek, Hebrew
 * and Arabic right from one sentence on, and takes no Western words for one of these; but which
 * Latin charset a few accents are, it guesses wrong on two of five pages, where windows-1252 is
 * right. So only its word for other scripts is taken. A Chinese phrase of up to ten characters it
 * takes for Latin, Greek, Thai or Arabic two times of three; all of them are pairs of GB2312's
 * common rows, and next to nothing else is. It costs 60 us per KiB of Western text: DETECT_BYTES.
 */
#include "daemon/parse/sniff.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <uchardet/uchardet.h>

#include "daemon/parse/prescan.h"
#include "common/utf8.h"

static enum charset by_mark(const char *p, size_t n, size_t *ret_bytes)
{
    static const struct {
        const char *mark;
        size_t bytes;
        enum charset charset;
    } marks[] = {{"\xef\xbb\xbf", 3, CHARSET_UTF_8},
                 {"\xfe\xff", 2, CHARSET_UTF_16BE},
                 {"\xff\xfe", 2, CHARSET_UTF_16LE}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (n >= marks[i].bytes && !memcmp(p, marks[i].mark, marks[i].bytes)) {
            *ret_bytes = marks[i].bytes;
            return marks[i].charset;
        }
    return CHARSET_NONE;
}

enum charset sniff_declared(const char *p, size_t n, const struct mime *mime, size_t *ret_bom_bytes)
{
    *ret_bom_bytes = 0;
    enum charset c = by_mark(p, n, ret_bom_bytes);
    if (!c)
        c = charset_find(mime->charset, strlen(mime->charset));
    if (!c && mime_is_html(mime->type))
        c = prescan_html(p, n);
    if (!c && mime_is_xml(mime->type))
        c = prescan_xml(p, n);
    return c;
}

/* What the detector says. sure: also of a short text. */
struct verdict {
    const char *name;
    enum charset charset;
    bool sure;
};

/* NULL: not to be believed. */
static const struct verdict *believed(const char *name)
{
    static const struct verdict rows[] = {
        {"GB18030", CHARSET_GB18030, true},
        {"BIG5", CHARSET_BIG5, true},
        {"SHIFT_JIS", CHARSET_SHIFT_JIS, true},
        {"EUC-JP", CHARSET_EUC_JP, true},
        {"EUC-KR", CHARSET_EUC_KR, true},
        {"UHC", CHARSET_EUC_KR, true},
        {"WINDOWS-1251", CHARSET_WINDOWS_1251, true},
        {"KOI8-R", CHARSET_KOI8_R, true},
        {"ISO-8859-5", CHARSET_ISO_8859_5, true},
        {"IBM866", CHARSET_IBM866, true},
        {"MAC-CYRILLIC", CHARSET_X_MAC_CYRILLIC, true},
        {"WINDOWS-1253", CHARSET_WINDOWS_1253, false},
        {"ISO-8859-7", CHARSET_ISO_8859_7, false},
        {"WINDOWS-1255", CHARSET_WINDOWS_1255, false},
        {"ISO-8859-8", CHARSET_ISO_8859_8, false},
        {"WINDOWS-1256", CHARSET_WINDOWS_1256, false},
        {"ISO-8859-6", CHARSET_ISO_8859_6, false},
        {"TIS-620", CHARSET_WINDOWS_874, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcasecmp(name, rows[i].name))
            return &rows[i];
    return NULL;
}

/* Are all bytes beyond ASCII pairs, two at least, of GB2312's punctuation and first-level rows? The
 * last may be cut. */
static bool is_gb2312(const char *p, size_t n)
{
    const uint8_t *b = (const uint8_t *)p;
    size_t pairs = 0;
    for (size_t i = utf8_ascii(p, n); i + 1 < n; i += 2 + utf8_ascii(p + i + 2, n - i - 2)) {
        bool row = (b[i] >= 0xb0 && b[i] <= 0xd7) || (b[i] >= 0xa1 && b[i] <= 0xa3);
        if (!row || b[i + 1] < 0xa1 || b[i + 1] == 0xff)
            return false;
        pairs++;
    }
    return pairs >= 2;
}

static enum charset detect(const char *p, size_t n)
{
    uchardet_t d = uchardet_new();
    n = n < SNIFF_GUESS_BYTES ? n : SNIFF_GUESS_BYTES;
    int err = uchardet_handle_data(d, p, n);
    uchardet_data_end(d);
    const struct verdict *v = err ? NULL : believed(uchardet_get_charset(d));
    uchardet_delete(d);
    if (!(v && v->sure) && is_gb2312(p, n))
        return CHARSET_GB18030;
    return v ? v->charset : CHARSET_WINDOWS_1252;
}

enum charset sniff_guess(const char *p, size_t n, bool last)
{
    size_t ascii = utf8_ascii(p, n);
    if (!last && n - ascii < SNIFF_GUESS_BYTES)
        return CHARSET_NONE;
    if (utf8_valid(p + ascii, n - ascii, last))
        return CHARSET_UTF_8;
    return detect(p + ascii, n - ascii);
}
