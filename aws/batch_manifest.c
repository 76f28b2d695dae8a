#include "aws/batch_output.h"

#include <string.h>

enum { NAME_MAX_BYTES = 1024 };

static int64_t *field_of(struct batch_manifest *m, struct span name)
{
    const struct {
        const char *name;
        int64_t *value;
    } fields[] = {
        { "totalRecordCount", &m->total },       { "processedRecordCount", &m->processed },
        { "successRecordCount", &m->succeeded }, { "errorRecordCount", &m->failed },
        { "inputTokenCount", &m->input_tokens }, { "outputTokenCount", &m->output_tokens },
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (span_eq_text(name, fields[i].name))
            return fields[i].value;
    }
    return NULL;
}

static bool read_field(struct json_reader *r, int64_t *value, struct err *err)
{
    enum json_kind kind = JSON_KIND_NULL;
    int64_t n = 0;

    if (!json_peek(r, &kind, err))
        return false;
    if (!value || kind != JSON_KIND_NUMBER)
        return json_skip_value(r, err);
    if (!json_take_i64(r, &n, err))
        return false;
    *value = n < 0 ? -1 : n;
    return true;
}

static bool read_manifest(struct span json, struct batch_manifest *m, struct buf *name, struct err *err)
{
    struct json_reader r = { 0 };
    bool done = false;

    json_reader_init(&r, json, 0, NULL, NULL);
    if (!json_enter_object(&r, err))
        return false;
    for (;;) {
        if (!json_next_name(&r, name, &done, err))
            return false;
        if (done)
            return true;
        if (!read_field(&r, field_of(m, buf_view(name)), err))
            return false;
    }
}

bool batch_manifest_parse(struct span json, struct batch_manifest *out, struct err *err)
{
    AUTO(buf_done) struct buf name = { 0 };
    struct batch_manifest m = { -1, -1, -1, -1, -1, -1 };
    struct err cause = { 0 };

    buf_init(&name, NAME_MAX_BYTES);
    if (!read_manifest(json, &m, &name, &cause)) {
        if (cause.kind == ERR_MEMORY)
            return err_memory(err, HERE);
        err_set(err, ERR_UPSTREAM, false, HERE, "manifest.json.out cannot be read: %s", cause.what);
        return err_code(err, "bad_manifest");
    }
    *out = m;
    return true;
}
