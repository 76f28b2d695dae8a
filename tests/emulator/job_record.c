#include "tests/emulator/job_record.h"

#include "server/base/json_writer.h"
#include "server/base/text.h"
#include "tests/emulator/answer.h"
#include "tests/emulator/model_input.h"
#include "tests/emulator/store.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const int64_t max_video_bytes = 1LL << 30;

struct record {
    struct job *job;
    bool is_folder;
    enum record_role role;
    json_t *root;
    char id[128];
    uint64_t hash; /* of the video's content, or of the line */
    struct media media;
    int64_t video_bytes;
    struct model_input input;
};

struct record_error {
    int64_t code;
    bool retryable;
    struct buf message;
};

static bool fail(struct record_error *e, int64_t code, const char *message)
{
    e->code = code;
    buf_text(&e->message, message);
    return false;
}

/* The charset that a job's own s3Uri has: what is known to go in directly. */
static bool is_clean_key(struct span key)
{
    if (key.len == 0 || key.ptr[0] == '/' || key.ptr[key.len - 1] == '/')
        return false;
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr("-!_*'().", c)) && (c != '/' || key.ptr[i - 1] == '/'))
            return false;
    }
    return true;
}

static bool is_under_folder(const struct job *job, struct span bucket, struct span key)
{
    struct span prefix = span_of(job->input.prefix);

    if (!span_eq_text(bucket, job->input.bucket))
        return false;
    return prefix.len == 0 || (span_starts(key, prefix) && key.len > prefix.len && key.ptr[prefix.len] == '/');
}

static bool open_video(struct record *r, struct span bucket, struct span key, struct record_error *e)
{
    AUTO(object_unref_auto) struct object *object = store_get(r->job->emu->store, bucket, key);

    if (!object)
        return fail(e, 400, "The provided S3 object does not exist or could not be read.");
    if (object->size > max_video_bytes)
        return fail(e, 400, "The provided video is larger than the maximum of 1 GB.");
    r->video_bytes = object->size;
    r->hash = emu_hash(span_of(object->etag));
    r->media = blob_media(object->blob);
    if (r->media.kind == MEDIA_UNKNOWN)
        return fail(e, 400,
                    "The provided video could not be decoded. Please adjust your input video to submit a new request.");
    return true;
}

static bool find_video(struct record *r, struct record_error *e)
{
    struct span uri = span_of(r->input.video_uri);
    struct span bucket = { "", 0 };
    struct span key = { "", 0 };

    if (!r->input.video_uri)
        return true;
    if (!span_starts(uri, SPAN_LIT("s3://")))
        return fail(e, 400, "Provided S3 URI is invalid");
    uri = span_tail(uri, 5);
    bucket = span_head(uri, span_find(uri, '/'));
    key = span_tail(uri, bucket.len + 1);
    if (!is_clean_key(key))
        return fail(e, 400, "Provided S3 URI is invalid");
    if (!r->is_folder || !is_under_folder(r->job, bucket, key))
        return fail(
            e, 400,
            "The S3 resource locations in your prompt do not match the folder prefix specified in "
            "CreateModelInvocationJob. Make sure that all linked objects and the JSONL are in the same bucket and "
            "folder, that the s3Uri of InputDataConfig is the folder and not the file, and that the paths match in "
            "letter case.");
    if (r->input.video_owner && strcmp(r->input.video_owner, r->job->emu->config.account) != 0)
        return fail(e, 403, "Access denied to the provided S3 object: bucketOwner is not the owner of the bucket.");
    return open_video(r, bucket, key, e);
}

static bool judge(struct record *r, struct record_error *e)
{
    bool is_converse = strcmp(r->job->type, "Converse") == 0;

    if (r->role == ROLE_ERROR) {
        e->retryable = true;
        return fail(e, 500, "Internal server error (emulated fault). Please retry.");
    }
    if (!model_input_read(json_object_get(r->root, "modelInput"), is_converse, &r->input, &e->message)) {
        e->code = 400;
        return false;
    }
    return find_video(r, e);
}

/* recordId is optional: Bedrock then makes one up. */
static void take_id(struct record *r, struct span line)
{
    json_t *id = json_object_get(r->root, "recordId");

    r->hash = emu_hash(line);
    if (json_is_string(id))
        snprintf(r->id, sizeof r->id, "%s", json_string_value(id));
    else
        snprintf(r->id, sizeof r->id, "EMU%08" PRIX32, (uint32_t)r->hash);
}

static void put_content(struct json_writer *w, const struct record *r, struct span text)
{
    json_name(w, "content");
    json_begin_array(w);
    if (r->job->script.reasoning) {
        json_begin_object(w);
        json_name(w, "reasoningContent");
        json_begin_object(w);
        json_name(w, "reasoningText");
        json_begin_object(w);
        json_put_text(w, "text", "[REDACTED]");
        json_end_object(w);
        json_end_object(w);
        json_end_object(w);
    }
    json_begin_object(w);
    json_put_span(w, "text", text);
    json_end_object(w);
    json_end_array(w);
}

static void put_output(struct json_writer *w, const struct record *r, struct record_result *result)
{
    AUTO(buf_done) struct buf text = { 0 };
    struct span shown = { "", 0 };
    const char *reason = "end_turn";
    int64_t most = r->input.max_tokens ? r->input.max_tokens : 5000;

    buf_init(&text, 0);
    answer_text(&r->media, r->video_bytes, r->hash, buf_view(&r->input.prompt), &text);
    shown = buf_view(&text);
    if (r->role == ROLE_FILTERED) {
        reason = "content_filtered";
        shown = SPAN_LIT("The generated text has been blocked by our content filters.");
    } else if (r->role == ROLE_MAX_TOKENS || answer_text_tokens(shown.len) > most) {
        reason = "max_tokens";
        shown = text_utf8_head(shown, r->role == ROLE_MAX_TOKENS ? shown.len / 2 : (size_t)most * 4);
    }
    result->input_tokens = answer_video_tokens(&r->media) + answer_text_tokens(r->input.prompt.len);
    result->output_tokens = answer_text_tokens(shown.len);
    json_begin_object(w);
    json_name(w, "output");
    json_begin_object(w);
    json_name(w, "message");
    json_begin_object(w);
    json_put_text(w, "role", "assistant");
    put_content(w, r, shown);
    json_end_object(w);
    json_end_object(w);
    json_put_text(w, "stopReason", reason);
    json_name(w, "usage");
    json_begin_object(w);
    json_put_i64(w, "inputTokens", result->input_tokens);
    json_put_i64(w, "outputTokens", result->output_tokens);
    json_put_i64(w, "totalTokens", result->input_tokens + result->output_tokens);
    json_end_object(w);
    json_end_object(w);
}

static void put_error(struct json_writer *w, const struct record_error *e)
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
static void put_line(struct buf *out, const struct record *r, const struct record_error *e,
                     struct record_result *result)
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
            put_output(&w, r, result);
        } else {
            json_name(&w, "error");
            put_error(&w, e);
        }
    }
    json_end_object(&w);
    buf_char(out, '\n');
}

struct record_result job_record_run(struct job *job, bool is_folder, struct span line, enum record_role role,
                                    struct buf *out)
{
    struct record r = { .job = job, .is_folder = is_folder, .role = role };
    struct record_error e = { .code = 0 };
    struct record_result result = { .success = false };

    buf_init(&r.input.prompt, 8 << 20);
    buf_init(&e.message, 0);
    r.root = json_loadb(line.ptr, line.len, 0, NULL);
    take_id(&r, line);
    result.success = judge(&r, &e);
    put_line(out, &r, &e, &result);
    json_decref(r.root);
    buf_done(&r.input.prompt);
    buf_done(&e.message);
    return result;
}
