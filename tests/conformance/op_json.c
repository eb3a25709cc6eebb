/* SPDX-License-Identifier: MIT */
/* json.line: one line of the control socket. */
#include "common/jsonl.h"
#include "tests/conformance/adapter.h"

json_t *op_json_line(const json_t *request)
{
    struct buf in = {0};
    if (!arg_base64(request, "input_b64", &in))
        return answer_error("input_b64");
    buf_addc(&in, '\n');
    struct jsonl lines;
    jsonl_init(&lines, JSONL_LINE_BYTES);
    const char *line;
    size_t len;
    enum jsonl_verdict v;
    bool good = true;
    struct jsonl_error e = {.code = ERROR_BAD_FRAME};
    while (good && (v = jsonl_next(&lines, &in, &line, &len)) != JSONL_MORE) {
        struct jsonl_request r = {0};
        good = v == JSONL_LINE && jsonl_request_parse(line, len, &r, &e);
        jsonl_request_done(&r);
    }
    buf_done(&in);
    return good ? json_pack("{s:b}", "ok", true) : json_pack("{s:s}", "code", error_name(e.code));
}
