#include "tests/emulator/model_run.h"

#include "server/base/text.h"
#include "tests/emulator/answer.h"
#include "tests/emulator/store.h"

#include <string.h>

static const int64_t max_video_bytes = 1LL << 30;

static bool fail(struct model_error *e, int64_t code, const char *message)
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

static bool open_video(struct model_run *run, struct span bucket, struct span key, struct model_error *e)
{
    AUTO(object_unref_auto) struct object *object = store_get(run->emu->store, bucket, key);

    if (!object)
        return fail(e, 400, "The provided S3 object does not exist or could not be read.");
    if (object->size > max_video_bytes)
        return fail(e, 400, "The provided video is larger than the maximum of 1 GB.");
    run->video_bytes = object->size;
    run->hash = emu_hash(span_of(object->etag));
    run->media = blob_media(object->blob);
    if (run->media.kind == MEDIA_UNKNOWN)
        return fail(e, 400,
                    "The provided video could not be decoded. Please adjust your input video to submit a new request.");
    return true;
}

static bool find_video(struct model_run *run, struct model_error *e)
{
    struct span uri = span_of(run->input.video_uri);
    struct span bucket = { "", 0 };
    struct span key = { "", 0 };

    if (!run->input.video_uri)
        return true;
    if (!span_starts(uri, SPAN_LIT("s3://")))
        return fail(e, 400, "Provided S3 URI is invalid");
    uri = span_tail(uri, 5);
    bucket = span_head(uri, span_find(uri, '/'));
    key = span_tail(uri, bucket.len + 1);
    if (!is_clean_key(key))
        return fail(e, 400, "Provided S3 URI is invalid");
    if (run->job && (!run->is_folder || !is_under_folder(run->job, bucket, key)))
        return fail(
            e, 400,
            "The S3 resource locations in your prompt do not match the folder prefix specified in "
            "CreateModelInvocationJob. Make sure that all linked objects and the JSONL are in the same bucket and "
            "folder, that the s3Uri of InputDataConfig is the folder and not the file, and that the paths match in "
            "letter case.");
    if (run->input.video_owner && strcmp(run->input.video_owner, run->emu->config.account) != 0)
        return fail(e, 403, "Access denied to the provided S3 object: bucketOwner is not the owner of the bucket.");
    return open_video(run, bucket, key, e);
}

bool model_run_judge(struct model_run *run, json_t *input, struct model_error *e)
{
    bool is_converse = run->job && strcmp(run->job->type, "Converse") == 0;

    buf_init(&run->input.prompt, 8 << 20);
    if (run->role == ROLE_ERROR) {
        e->retryable = true;
        return fail(e, 500, "Internal server error (emulated fault). Please retry.");
    }
    if (!model_input_read(input, is_converse, &run->input, &e->message)) {
        e->code = 400;
        return false;
    }
    return find_video(run, e);
}

void model_run_done(struct model_run *run)
{
    buf_done(&run->input.prompt);
}

static void put_content(struct json_writer *w, const struct model_run *run, struct span text)
{
    json_name(w, "content");
    json_begin_array(w);
    if (run->job && run->job->script.reasoning) {
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

void model_run_answer(const struct model_run *run, struct json_writer *w, int64_t *input_tokens, int64_t *output_tokens)
{
    AUTO(buf_done) struct buf text = { 0 };
    struct span shown = { "", 0 };
    const char *reason = "end_turn";
    int64_t most = run->input.max_tokens ? run->input.max_tokens : 5000;

    buf_init(&text, 0);
    answer_text(&run->media, run->video_bytes, run->hash, buf_view(&run->input.prompt), &text);
    shown = buf_view(&text);
    if (run->role == ROLE_FILTERED) {
        reason = "content_filtered";
        shown = SPAN_LIT("The generated text has been blocked by our content filters.");
    } else if (run->role == ROLE_MAX_TOKENS || answer_text_tokens(shown.len) > most) {
        reason = "max_tokens";
        shown = text_utf8_head(shown, run->role == ROLE_MAX_TOKENS ? shown.len / 2 : (size_t)most * 4);
    }
    *input_tokens = answer_video_tokens(&run->media) + answer_text_tokens(run->input.prompt.len);
    *output_tokens = answer_text_tokens(shown.len);
    json_begin_object(w);
    json_name(w, "output");
    json_begin_object(w);
    json_name(w, "message");
    json_begin_object(w);
    json_put_text(w, "role", "assistant");
    put_content(w, run, shown);
    json_end_object(w);
    json_end_object(w);
    json_put_text(w, "stopReason", reason);
    json_name(w, "usage");
    json_begin_object(w);
    json_put_i64(w, "inputTokens", *input_tokens);
    json_put_i64(w, "outputTokens", *output_tokens);
    json_put_i64(w, "totalTokens", *input_tokens + *output_tokens);
    json_end_object(w);
    json_end_object(w);
}
