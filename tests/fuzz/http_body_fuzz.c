/* The body of a new job, a plan or a retry: any bytes are read or refused with a problem that is itself JSON and names
 * what is wrong. First byte: which of the three. */
#include "handlers/app.h"
#include "handlers/job_input.h"
#include "server/http/internal.h"
#include "server/work/models.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* In place of the library's: there is no connection here, and every body comes as JSON. */
enum MHD_Result MHD_lookup_connection_value_n(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                              const char *key, size_t key_size, const char **value, size_t *value_size)
{
    static const char json[] = "application/json";

    (void)connection;
    (void)kind;
    if (!span_eq_nocase((struct span){ key, key_size }, SPAN_LIT("Content-Type")))
        return MHD_NO;
    *value = json;
    *value_size = sizeof json - 1;
    return MHD_YES;
}

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static struct handlers_app *app(void)
{
    static struct handlers_app app = { .region = "us-east-1", .default_model_id = "amazon.nova-lite-v1:0" };
    static const struct model_settings settings = { .region = "us-east-1" };
    const char *at_fault = "";
    struct err err = { 0 };

    if (!app.models)
        app.models = models_start(NULL, &settings, &at_fault, &err);
    demand(app.models != NULL);
    return &app;
}

static void check_refusal(const struct reply *rp)
{
    const struct span text = buf_view(&rp->body);
    json_t *problem = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);

    demand(rp->status >= 400 && rp->status < 500);
    demand(json_is_string(json_object_get(problem, "code")));
    demand(rp->status != 422 || json_array_size(json_object_get(problem, "errors")) > 0);
    json_decref(problem);
}

static void check_job(const struct job_input *in)
{
    demand(in->has_plan || (in->row.prompt.len > 0 && in->row.prompt.len <= JOB_PROMPT_MAX_BYTES));
    demand(in->row.name.len <= JOB_NAME_MAX_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct http_server server;
    struct request *rq = NULL;
    struct job_input in = { .metadata = NULL };
    struct job_retry_input retry = { .force = false };

    if (!len)
        return 0;
    server.arg = app();
    rq = request_new(&server, "/v1/jobs");
    demand(rq != NULL);
    buf_add(&rq->body, data + 1, len - 1);
    if (data[0] % 3 == 2) {
        if (!job_input_read_retry(rq, &rq->reply, &retry))
            check_refusal(&rq->reply);
    } else if (job_input_read(rq, &rq->reply, data[0] % 3 == 0, &in)) {
        check_job(&in);
    } else {
        check_refusal(&rq->reply);
    }
    job_input_done(&in);
    job_input_done(&retry.job);
    request_free(rq);
    return 0;
}
