#include "handlers/summary_json.h"

#include "tests/support/test.h"

#include <jansson.h>
#include <string.h>

static void release(json_t **json)
{
    json_decref(*json);
}

static struct summary_row good(void)
{
    return (struct summary_row){
        .record_id = 62,
        .job_id = 1,
        .video_id = 2,
        .created_ms = 1793534400000,
        .state = "succeeded",
        .text = "<answer>A \"cat\",\nasleep</answer>",
        .summary = "A \"cat\",\nasleep",
        .stop_reason = "end_turn",
        .has_input_tokens = true,
        .has_output_tokens = true,
        .input_tokens = 8640,
        .output_tokens = 12,
        .bucket = "b",
        .key_prefix = "in/",
        .name = "day 1, \xc3\xbc.mp4",
        .model_id = "amazon.nova-lite-v1:0",
    };
}

static struct summary_row bad(void)
{
    return (struct summary_row){
        .record_id = 63,
        .job_id = 1,
        .video_id = 3,
        .created_ms = 1793534400000,
        .state = "failed",
        .error_reason = "bedrock",
        .error_message = "Provided S3 URI is invalid",
        .has_error_code = true,
        .error_code = 400,
        .bucket = "b",
        .key_prefix = "",
        .name = "x.mp4",
        .model_id = "amazon.nova-lite-v1:0",
    };
}

static const char *text_at(json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void test_ndjson(void)
{
    AUTO(buf_done) struct buf out = { 0 };
    AUTO(release) json_t *first = NULL;
    AUTO(release) json_t *second = NULL;
    struct summary_row a = good();
    struct summary_row b = bad();
    const char *line = NULL;

    buf_init(&out, 0);
    summary_ndjson(&out, &a);
    summary_ndjson(&out, &b);
    line = strchr(buf_cstr(&out), '\n');
    if (!CHECK(line != NULL))
        return;
    CHECK_I64(buf_cstr(&out)[out.len - 1], '\n');
    CHECK(strchr(line + 1, '\n') == buf_cstr(&out) + out.len - 1);
    first = json_loadb(buf_cstr(&out), (size_t)(line - buf_cstr(&out)), JSON_REJECT_DUPLICATES, NULL);
    second = json_loads(line + 1, JSON_REJECT_DUPLICATES, NULL);
    CHECK_TEXT(text_at(first, "id"), "sum_00000000010");
    CHECK_TEXT(text_at(first, "record_id"), "00000000010");
    CHECK_TEXT(text_at(first, "text"), a.text);
    CHECK_TEXT(text_at(first, "summary"), a.summary);
    CHECK_TEXT(text_at(first, "created_at"), "2026-11-01T12:00:00.000Z");
    CHECK_TEXT(text_at(json_object_get(first, "video"), "key"), "in/day 1, \xc3\xbc.mp4");
    CHECK_TEXT(text_at(json_object_get(first, "video"), "name"), "day 1, \xc3\xbc.mp4");
    CHECK_I64(json_integer_value(json_object_get(json_object_get(first, "usage"), "input_tokens")), 8640);
    CHECK(json_is_null(json_object_get(first, "error")));
    CHECK(json_is_null(json_object_get(second, "text")));
    CHECK(json_is_null(json_object_get(second, "summary")));
    CHECK_I64(json_integer_value(json_object_get(json_object_get(second, "error"), "code")), 400);
    CHECK(json_is_null(json_object_get(json_object_get(second, "usage"), "output_tokens")));
}

/* What the model said outside of <answer> is stored once: the summary is then the text. */
static void test_summary_defaults_to_text(void)
{
    AUTO(buf_done) struct buf out = { 0 };
    AUTO(release) json_t *line = NULL;
    struct summary_row row = good();

    buf_init(&out, 0);
    row.text = "A dog.";
    row.summary = NULL;
    summary_ndjson(&out, &row);
    line = json_loads(buf_cstr(&out), 0, NULL);
    CHECK_TEXT(text_at(line, "summary"), "A dog.");
}

static void test_csv(void)
{
    AUTO(buf_done) struct buf out = { 0 };
    struct summary_row a = good();
    struct summary_row b = bad();

    buf_init(&out, 0);
    summary_csv_header(&out);
    summary_csv(&out, &a);
    summary_csv(&out, &b);
    CHECK_TEXT(buf_cstr(&out),
               "id,job_id,record_id,video_id,bucket,key,name,state,summary,text,thinking,stop_reason,text_altered,"
               "error_reason,error_code,error_message,input_tokens,output_tokens,model_id,created_at\r\n"
               "sum_00000000010,job_00000000001,00000000010,vid_00000000002,b,\"in/day 1, \xc3\xbc.mp4\","
               "\"day 1, \xc3\xbc.mp4\",succeeded,\"A \"\"cat\"\",\nasleep\","
               "\"<answer>A \"\"cat\"\",\nasleep</answer>\",,end_turn,false,,,,8640,12,amazon.nova-lite-v1:0,"
               "2026-11-01T12:00:00.000Z\r\n"
               "sum_00000000011,job_00000000001,00000000011,vid_00000000003,b,x.mp4,x.mp4,failed,,,,,false,bedrock,400,"
               "Provided S3 URI is invalid,,,amazon.nova-lite-v1:0,2026-11-01T12:00:00.000Z\r\n");
}

static void test_snippet(void)
{
    static const struct {
        const char *snippet, *want;
    } cases[] = {
        { NULL, "{\"snippet\":null}" },
        { "", "{\"snippet\":\"\"}" },
        { "plain", "{\"snippet\":\"plain\"}" },
        { "a \xee\x80\x80"
          "cat\xee\x80\x81 <b>",
          "{\"snippet\":\"a <mark>cat</mark> &lt;b&gt;\"}" },
        { "<mark>", "{\"snippet\":\"&lt;mark&gt;\"}" },
        { "\xee\x80\x82x", "{\"snippet\":\"\xee\x80\x82x\"}" }, /* another private character is the model's */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(buf_done) struct buf out = { 0 };
        struct json_writer w = json_writer_on(&out);
        test_case("%zu", i);
        buf_init(&out, 0);
        json_begin_object(&w);
        summary_json_snippet(&w, cases[i].snippet);
        json_end_object(&w);
        CHECK_TEXT(buf_cstr(&out), cases[i].want);
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "NDJSON: a line a summary", test_ndjson },
    { "the summary is the text where there is no answer", test_summary_defaults_to_text },
    { "CSV by RFC 4180", test_csv },
    { "snippets are escaped", test_snippet },
};
TEST_MAIN("summary_json", tests)
