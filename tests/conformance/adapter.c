/* SPDX-License-Identifier: MIT */
/* Reads one JSON request per line, answers each with one JSON line: {"id":…, the op's answer}.
 * Lines have no limit; the ops themselves are the production parsers. Ends at end of input. */
#include "tests/conformance/adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct op {
    const char *name;
    json_t *(*run)(const json_t *request);
};

static const struct op ops[] = {
#define OP(name, function) {name, function},
#include "tests/conformance/ops.def"
#undef OP
    {NULL, NULL},
};

static json_t *run(const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "op"));
    for (const struct op *op = ops; name && op->name; op++)
        if (!strcmp(op->name, name))
            return op->run(request);
    return answer_error("unsupported");
}

static json_t *answer_line(const char *line, size_t n)
{
    json_error_t error;
    json_t *request = json_loadb(line, n, JSON_ALLOW_NUL, &error);
    if (!json_is_object(request)) {
        const char *why = request ? "no object" : error.text;
        json_decref(request);
        return answer_error(why);
    }
    json_t *answer = run(request);
    json_t *id = json_object_get(request, "id");
    if (id)
        json_object_set(answer, "id", id);
    json_decref(request);
    return answer;
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, stdin)) > 0) {
        json_t *answer = answer_line(line, (size_t)n);
        int bad = json_dumpf(answer, stdout, JSON_COMPACT);
        json_decref(answer);
        if (bad || putchar('\n') == EOF || fflush(stdout))
            break;
    }
    free(line);
    return feof(stdin) ? 0 : 1;
}
