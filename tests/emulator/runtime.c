#include "tests/emulator/runtime.h"

#include "tests/emulator/bedrock.h"
#include "tests/emulator/model_run.h"

#include <string.h>

static const char before_model[] = "/model/";
static const char after_model[] = "/invoke";

bool runtime_is_for(const struct request *rq)
{
    return span_starts(rq->raw_path, span_of(before_model)) && span_ends(rq->raw_path, span_of(after_model));
}

bool runtime_route(struct request *rq)
{
    struct span rest = span_tail(rq->raw_path, sizeof before_model - 1);
    size_t slash = span_find(rest, '/');

    if (!runtime_is_for(rq) || slash == 0 || !span_eq_text(span_tail(rest, slash), after_model))
        return false;
    rq->model = request_decode(rq, span_head(rest, slash), false);
    return true;
}

static json_t *parse(const struct request *rq, json_error_t *why)
{
    return json_loadb(buf_cstr(&rq->body.memory), rq->body.memory.len, JSON_REJECT_DUPLICATES, why);
}

/* The first video's place, NULL where there is none. Borrowed from root. */
static const char *video_uri(json_t *root)
{
    size_t m = 0, b = 0;
    json_t *message = NULL, *block = NULL;

    json_array_foreach(json_object_get(root, "messages"), m, message)
    {
        json_array_foreach(json_object_get(message, "content"), b, block)
        {
            json_t *source = json_object_get(json_object_get(block, "video"), "source");
            const char *uri = json_string_value(json_object_get(json_object_get(source, "s3Location"), "uri"));

            if (uri)
                return uri;
        }
    }
    return NULL;
}

void runtime_name_video(struct request *rq)
{
    json_error_t why;
    json_t *root = parse(rq, &why);
    const char *uri = video_uri(root);
    struct span place = span_of(uri ? uri : "");

    if (span_starts(place, SPAN_LIT("s3://"))) {
        place = span_of(request_copy(rq, span_tail(place, 5)));
        rq->bucket = span_head(place, span_find(place, '/'));
        rq->key = span_tail(place, rq->bucket.len + 1);
    }
    json_decref(root);
}

/* botocore's model of the request: two headers, both with a default, and a body of at most 25,000,000 bytes. */
static bool check_form(struct request *rq)
{
    const char *type = request_header(rq, "content-type");
    const char *accept = request_header(rq, "accept");

    if (type && strncmp(type, "application/json", 16) != 0)
        return bedrock_error(rq, 400, "ValidationException", "Content-Type must be application/json");
    if (accept && strcmp(accept, "application/json") != 0 && strcmp(accept, "*/*") != 0)
        return bedrock_error(rq, 400, "ValidationException", "The Accept header %s is not supported", accept);
    if (rq->body.memory.len > 25000000)
        return bedrock_error(rq, 413, "ValidationException", "The request body is too large");
    if (!bedrock_is_model(request_copy(rq, rq->model)))
        return bedrock_error(rq, 400, "ValidationException", "The provided model identifier is invalid.");
    return true;
}

static void refuse(struct request *rq, const struct model_error *e)
{
    const char *code = e->code == 403 ? "AccessDeniedException" : "ValidationException";

    (void)bedrock_error(rq, (int)e->code, code, "%s", buf_cstr(&e->message));
}

static void run_model(struct emulator *emu, struct request *rq, json_t *input)
{
    struct model_run run = { .emu = emu, .hash = emu_hash(buf_view(&rq->body.memory)) };
    struct model_error e = { .code = 0 };
    struct json_writer w = json_writer_on(&rq->reply.body);
    int64_t input_tokens = 0;
    int64_t output_tokens = 0;

    buf_init(&e.message, 0);
    if (!model_run_judge(&run, input, &e)) {
        refuse(rq, &e);
    } else if (run.input.video_uri && strstr(request_copy(rq, rq->model), "nova-micro")) {
        (void)bedrock_error(rq, 400, "ValidationException", "This model takes text only.");
    } else {
        rq->reply.status = 200;
        bedrock_add_id(rq);
        model_run_answer(&run, &w, &input_tokens, &output_tokens);
    }
    model_run_done(&run);
    buf_done(&e.message);
}

void runtime_handle(struct emulator *emu, struct request *rq)
{
    json_error_t why;
    json_t *input = NULL;

    if (!check_form(rq))
        return;
    input = parse(rq, &why);
    if (!input)
        (void)bedrock_error(rq, 400, "ValidationException", "The request body is not JSON: %s", why.text);
    else
        run_model(emu, rq, input);
    json_decref(input);
}
