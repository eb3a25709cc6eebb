/* SPDX-License-Identifier: MIT */
/* charset.sniff: which charset a body is in. */
#include "daemon/parse/sniff.h"
#include "tests/conformance/adapter.h"

json_t *op_charset_sniff(const json_t *request)
{
    struct buf input = {0};
    struct mime mime;
    const char *content_type = "";
    size_t len, bom_bytes;
    if (!arg_base64(request, "input_b64", &input))
        return answer_error("input_b64");
    arg_text(request, "content_type", &content_type, &len);
    mime_parse(content_type, &mime);
    const char *p = buf_str(&input);
    enum charset c = sniff_declared(p, buf_len(&input), &mime, &bom_bytes);
    if (!c)
        c = sniff_guess(p, buf_len(&input), true);
    buf_done(&input);
    return json_pack("{s:s}", "encoding", charset_name(c));
}
