/* POST /v1/imports: takes over what a Bedrock job left that another tool started. The import is a job like any other:
 * read, watched, ingested again and retried under /v1/jobs. */
#include "handlers/app.h"
#include "handlers/audited.h"
#include "handlers/common.h"
#include "handlers/grant.h"
#include "handlers/idempotent.h"
#include "handlers/job_json.h"
#include "handlers/routes.h"
#include "server/base/id.h"
#include "server/base/text.h"
#include "server/work/links.h"
#include "server/work/recipe.h"
#include "sql/event_store.h"
#include "sql/import_store.h"
#include "sql/job_store.h"
#include "sql/task_store.h"

#include <stdio.h>

enum { URI_MAX_BYTES = 1024, NAME_MAX_BYTES = 200 };

struct import {
    struct request *rq;
    struct reply *rp;
    struct import_new in;
    struct buf output, input, name; /* completed forms */
};

static void import_done(struct import *import)
{
    buf_done(&import->output);
    buf_done(&import->input);
    buf_done(&import->name);
}

/* A folder gets its slash, so that "out/job" is never also "out/job2". */
static void read_uri(struct fields *f, const char *name, bool required, const char *suffix, struct buf *to,
                     struct span *out)
{
    struct span uri, rest;

    if (!fields_text(f, name, required, 1, URI_MAX_BYTES, &uri))
        return;
    rest = span_starts(uri, SPAN_LIT("s3://")) ? span_tail(uri, 5) : SPAN_LIT("");
    if (!links_bucket_name_ok(span_head(rest, span_find(rest, '/'))) || text_has_control(uri)) {
        fields_refuse(f, name, "It must be s3://bucket/folder/ or s3://bucket/folder/name%s.", suffix);
        return;
    }
    buf_span(to, uri);
    if (!span_ends(uri, SPAN_LIT("/")) && !span_ends(uri, span_of(suffix)))
        buf_char(to, '/');
    *out = buf_view(to);
}

static bool read_body(struct import *import)
{
    json_t *body = rq_json(import->rq, import->rp);
    struct import_new *in = &import->in;
    struct recipe recipe = { .prompt = SPAN_LIT("") };
    struct fields f;
    struct err err = { 0 };

    if (!body)
        return false;
    fields_begin(&f, import->rq, import->rp, body);
    read_uri(&f, "output_uri", true, ".jsonl.out", &import->output, &in->output_uri);
    read_uri(&f, "input_uri", false, ".jsonl", &import->input, &in->input_uri);
    if (fields_text(&f, "name", false, 1, NAME_MAX_BYTES, &in->name) && text_has_control(in->name))
        fields_refuse(&f, "name", "It must not have control characters.");
    if (!fields_text(&f, "model_id", false, 1, 2048, &in->model_id))
        in->model_id = SPAN_LIT("unknown");
    else if (!models_id_ok(in->model_id))
        fields_refuse(&f, "model_id", "It must be the id or ARN of a model or of an inference profile.");
    if (!fields_end(&f))
        return false;
    if (!in->name.ptr) {
        buf_fmt(&import->name, "import of %.*s", SPAN_ARG(text_utf8_head(in->output_uri, NAME_MAX_BYTES - 20)));
        in->name = buf_view(&import->name);
    }
    recipe.model_id = in->model_id;
    recipe_hash(&recipe, in->recipe); /* until the first line says what was asked */
    if (buf_check(&import->output, "output_uri", &err) && buf_check(&import->input, "input_uri", &err) &&
        buf_check(&import->name, "name", &err))
        return true;
    reply_error(import->rq, import->rp, &err);
    return false;
}

/* May the key name these places? */
static bool check_places(const struct import *import)
{
    const struct grant *grant = grant_of(import->rq);

    if (!grant_sees(grant, import->in.output_uri))
        return grant_refuse_place(import->rq, import->rp, "/output_uri");
    return !import->in.input_uri.ptr || grant_sees(grant, import->in.input_uri) ||
           grant_refuse_place(import->rq, import->rp, "/input_uri");
}

static bool refuse_existing(const struct import *import, struct db *db, int64_t id, struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    char job[ID_SIZE], text[ID_SIZE + 64];

    if (!key_store_places(db, ID_JOB, id, &rows, err))
        return false;
    if (!grant_sees_places(grant_of(import->rq), &rows)) {
        reply_problem(import->rq, import->rp, 409, "import_exists",
                      "This output was imported as a job that this key may not see.");
        return answer_refuse(out, err);
    }
    id_format(ID_JOB, id, job);
    reply_problem(import->rq, import->rp, 409, "import_exists",
                  "This output was imported as %s. To read it again: POST /v1/jobs/%s/reingest.", job, job);
    snprintf(text, sizeof text, "\"%s\"", job);
    reply_problem_member(import->rp, "existing_id", span_of(text));
    snprintf(text, sizeof text, "/v1/jobs/%s", job);
    reply_header(import->rp, "Location", text);
    return answer_refuse(out, err);
}

static bool create(struct db *db, void *arg, struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct import *import = arg;
    struct json_writer w = json_writer_on(&out->body);
    struct job_row row = { 0 };
    char job[ID_SIZE];
    bool exists = false;
    int64_t id = 0;

    if (!import_store_create(db, &import->in, &id, &exists, err))
        return false;
    if (exists)
        return refuse_existing(import, db, id, out, err);
    if (!job_begun(db, import->rq, id, err) || !event_store_add(db, id, "job.created", NULL, err) ||
        !task_store_add(db, "import", id, 0, err) || !audited(db, import->rq, "import.create", ID_JOB, id, err) ||
        !job_store_get(db, id, &rows, &row, err))
        return false;
    id_format(ID_JOB, id, job);
    out->status = 202;
    snprintf(out->location, sizeof out->location, "/v1/jobs/%s", job);
    job_json(&w, &row, app_of(import->rq));
    return true;
}

void imports_create(struct request *rq, struct reply *rp)
{
    AUTO(import_done)
    struct import import = { .rq = rq,
                             .rp = rp,
                             .output = { .max = URI_MAX_BYTES + 2 },
                             .input = { .max = URI_MAX_BYTES + 2 },
                             .name = { .max = 2048 } };

    if (rq_check_query(rq, rp, (const char *const[]){ NULL }) && read_body(&import) && check_places(&import))
        idempotent_run(rq, rp, create, &import);
}
