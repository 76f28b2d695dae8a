#include "tests/emulator/job_record.h"

#include "server/base/json_writer.h"
#include "tests/emulator/model_run.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct record {
    struct model_run run;
    json_t *root;
    char id[260];
};

/* recordId is optional: Bedrock then makes one up. */
static void take_id(struct record *r, struct span line)
{
    json_t *id = json_object_get(r->root, "recordId");

    r->run.hash = emu_hash(line);
    if (json_is_string(id))
        snprintf(r->id, sizeof r->id, "%s", json_string_value(id));
    else
        snprintf(r->id, sizeof r->id, "EMU%08" PRIX32, (uint32_t)r->run.hash);
}

static void put_error(struct json_writer *w, const struct model_error *e)
{
    json_begin_object(w);
    json_put_i64(w, "errorCode", e->code);
    json_put_span(w, "errorMessage", buf_view(&e->message));
    json_put_bool(w, "expired", false);
    json_put_bool(w, "retryable", e->retryable);
    json_end_object(w);
}

static int append_dump(const char *bytes, size_t len, void *out)
{
    buf_add(out, bytes, len);
    return 0;
}

static void put_input(struct json_writer *w, const struct record *r)
{
    AUTO(buf_done) struct buf dump = { 0 };

    buf_init(&dump, 64 << 20);
    (void)json_dump_callback(json_object_get(r->root, "modelInput"), append_dump, &dump,
                             JSON_COMPACT | JSON_ENCODE_ANY);
    json_put_raw(w, "modelInput", dump.len > 0 ? buf_view(&dump) : SPAN_LIT("null"));
}

/* The three members in one of their six orders, which AWS leaves open. */
static void put_line(struct buf *out, const struct record *r, const struct model_error *e, struct record_result *result)
{
    static const char orders[6][4] = { "imr", "irm", "mir", "mri", "rim", "rmi" };
    struct json_writer w = json_writer_on(out);
    const char *order = orders[emu_hash(span_of(r->id)) % 6];

    json_begin_object(&w);
    for (int i = 0; i < 3; i++) {
        if (order[i] == 'i') {
            json_put_text(&w, "recordId", r->id);
        } else if (order[i] == 'm') {
            put_input(&w, r);
        } else if (result->success) {
            json_name(&w, "modelOutput");
            model_run_answer(&r->run, &w, &result->input_tokens, &result->output_tokens);
        } else {
            json_name(&w, "error");
            put_error(&w, e);
        }
    }
    json_end_object(&w);
    buf_char(out, '\n');
}

struct record_result job_record_run(struct job *job, bool is_folder, struct span line, enum model_role role,
                                    struct buf *out)
{
    struct record r = { .run = { .emu = job->emu, .job = job, .is_folder = is_folder, .role = role } };
    struct model_error e = { .code = 0 };
    struct record_result result = { .success = false };

    buf_init(&e.message, 0);
    r.root = json_loadb(line.ptr, line.len, 0, NULL);
    take_id(&r, line);
    result.success = model_run_judge(&r.run, json_object_get(r.root, "modelInput"), &e);
    put_line(out, &r, &e, &result);
    json_decref(r.root);
    model_run_done(&r.run);
    buf_done(&e.message);
    return result;
}
