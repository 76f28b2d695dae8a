/* The small rules of handlers/: S3 locations, upload names, suffixes, metrics. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/job_json.h"
#include "handlers/metrics_text.h"
#include "handlers/prefix_input.h"
#include "handlers/upload_rules.h"
#include "sql/job_store.h"
#include "sql/shard_store.h"
#include "tests/support/test.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void test_location(void)
{
    static const struct {
        const char *uri, *bucket, *key;
        bool holds;
    } cases[] = {
        { "s3://work/staging", "work", "staging/a.mp4", true },
        { "s3://work/staging", "work", "staging/", true },
        { "s3://work/staging", "work", "staging", false },
        { "s3://work/staging", "work", "staging2/a.mp4", false },
        { "s3://work/staging", "work", "a/staging/a.mp4", false },
        { "s3://work/staging", "other", "staging/a.mp4", false },
        { "s3://work/staging", "wor", "staging/a.mp4", false },
        { "s3://work", "work", "anything", true },
        { "s3://work", "work", "", true },
        { "s3://work/a/b", "work", "a/b/c", true },
        { "s3://work/a/b", "work", "a/c", false },
        { "", "work", "a", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s holds %s/%s", cases[i].uri, cases[i].bucket, cases[i].key);
        CHECK(location_holds(cases[i].uri, span_of(cases[i].bucket), span_of(cases[i].key)) == cases[i].holds);
    }
    test_case(NULL);
}

static void test_shard_message(void)
{
    static const struct {
        const char *message, *want;
    } cases[] = { { NULL, NULL }, { "", NULL }, { "Internal failure.", "Internal failure." } };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(buf_done) struct buf text = { .max = 65536 };
        struct json_writer w = json_writer_on(&text);
        struct shard_row row = { .bedrock_message = cases[i].message };
        json_t *shard = NULL;

        test_case("message %s", cases[i].message ? cases[i].message : "NULL");
        shard_json(&w, &row, &(struct slot_wait){ 0 });
        shard = json_loads(buf_cstr(&text), 0, NULL);
        if (CHECK(shard != NULL)) {
            json_t *said = json_object_get(json_object_get(shard, "bedrock"), "message");
            CHECK(said != NULL);
            CHECK_TEXT(json_string_value(said), cases[i].want);
        }
        json_decref(shard);
    }
    test_case(NULL);
}

static void test_upload_names(void)
{
    static char long_name[1100];
    static const struct {
        const char *name, *broken; /* part of the words; NULL: fine */
    } cases[] = {
        { "a.mp4", NULL },
        { "A.MP4", NULL },
        { "day 1/\xc3\xbc, b.mov", NULL },
        { "", "must not be empty" },
        { ".mp4", "does not scan" }, /* all suffix, no name: a scan leaves it out */
        { "a.mp4 ", "No model takes" },
        { "a.avi", "No model takes" },
        { "a", "No model takes" },
        { "a.mkv", "does not scan" },
        { "a\nb.mp4", "control characters" },
        { "a\x7f.mp4", "control characters" },
        { "../a.mp4", "between slashes" },
        { "b/./a.mp4", "between slashes" },
        { "..a/b..mp4", NULL },
        { "staging/a.mp4", "never scanned" },
        { long_name, "longer than the 1024 bytes" },
    };
    struct upload_rules rules = { .bucket = SPAN_LIT("work"),
                                  .key_prefix = SPAN_LIT("in/"),
                                  .suffixes = SPAN_LIT("[\".mp4\", \".mov\"]"),
                                  .staging_uri = "s3://work/in/staging",
                                  .output_uri = "",
                                  .max_video_bytes = 1000 };

    memset(long_name, 'a', 1018); /* with "in/" and ".mp4" one byte too many */
    memcpy(long_name + 1018, ".mp4", 5);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char broken[400] = "";
        bool ok = upload_name_ok(&rules, span_of(cases[i].name), broken, sizeof broken);
        test_case("%.20s: %s", cases[i].name, broken);
        CHECK(ok == (cases[i].broken == NULL));
        CHECK(!cases[i].broken || strstr(broken, cases[i].broken) != NULL);
    }
    test_case(NULL);
    CHECK(upload_name_ok(&rules, span_tail(span_of(long_name), 1), (char[400]){ "" }, 400));
}

static void test_suffixes(void)
{
    static const struct {
        const char *suffix, *want;
    } cases[] = {
        { ".mp4", ".mp4" },
        { ".MP4", ".mp4" },
        { ".3gp", ".3gp" },
        { ".abcdefghijklmno", ".abcdefghijklmno" },
        { ".abcdefghijklmnop", NULL },
        { "mp4", NULL },
        { ".", NULL },
        { "", NULL },
        { ".a.b", NULL },
        { ".m p", NULL },
        { ".\xc3\xbc", NULL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[17] = "";
        bool ok = prefix_suffix_ok(span_of(cases[i].suffix), out);
        test_case("'%s'", cases[i].suffix);
        CHECK(ok == (cases[i].want != NULL));
        CHECK(!ok || CHECK_TEXT(out, cases[i].want));
    }
    test_case(NULL);
}

static void test_small_texts(void)
{
    CHECK(text_is_account(SPAN_LIT("111122223333")));
    CHECK(!text_is_account(SPAN_LIT("11112222333")));
    CHECK(!text_is_account(SPAN_LIT("1111222233334")));
    CHECK(!text_is_account(SPAN_LIT("11112222333a")));
    CHECK(!text_is_account(SPAN_LIT("")));
    CHECK(!text_has_control(SPAN_LIT("\xc3\xbc ~")));
    CHECK(text_has_control(SPAN_LIT("a\tb")));
    CHECK(text_has_control(SPAN_LIT("a\0b")));
    CHECK(job_state_is_final("completed") && job_state_is_final("failed") && job_state_is_final("cancelled"));
    CHECK(!job_state_is_final("cancelling") && !job_state_is_final("queued"));
}

static void release(json_t **json)
{
    json_decref(*json);
}

static void free_models(struct models **models)
{
    models_free(*models);
}

static int64_t number_at(json_t *job, const char *object, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(job, object), name));
}

/* While Bedrock runs a shard, its own counter is the progress; counts come only from rows. */
static void test_job(void)
{
    AUTO(free_models) struct models *models = NULL;
    AUTO(buf_done) struct buf out = { .max = 1 << 16 };
    AUTO(release) json_t *json = NULL;
    struct json_writer w = json_writer_on(&out);
    struct handlers_app app = { .region = "us-east-1" };
    struct err err = { 0 };
    struct job_row job = { .id = 1,
                           .prefix_id = 2,
                           .state = "running",
                           .name = "n",
                           .model_id = "us.amazon.nova-lite-v1:0",
                           .prompt = "p",
                           .select_mode = "all",
                           .staging = "copy",
                           .route = "batch",
                           .has_max_cost = true,
                           .max_cost_micros = 1500000,
                           .has_top_k = true,
                           .total = 100,
                           .succeeded = 40,
                           .failed = 2,
                           .bedrock_processed = 30,
                           .input_tokens = 1000000,
                           .metadata = "{\"a\": [1]}" };

    app.models = models = models_builtin(&err);
    if (!CHECK(models != NULL))
        return;
    job_json(&w, &job, &app);
    json = json_loads(buf_cstr(&out), JSON_REJECT_DUPLICATES, NULL);
    CHECK_I64(number_at(json, "counts", "pending"), 58);
    CHECK_I64(number_at(json, "progress", "processed"), 72);
    CHECK(json_is_integer(json_object_get(json_object_get(json, "inference"), "top_k")));
    CHECK(json_is_null(json_object_get(json_object_get(json, "inference"), "top_p")));
    CHECK_TEXT(json_string_value(json_object_get(json_object_get(json, "cost"), "actual")), "0.030000");
    CHECK_TEXT(json_string_value(json_object_get(json, "max_cost")), "1.500000");
    CHECK(json_is_null(json_object_get(json_object_get(json, "cost"), "estimated")));
    CHECK(json_is_array(json_object_get(json_object_get(json, "metadata"), "a")));
    CHECK(json_is_null(json_object_get(json, "error")));

    /* Records that failed while staging are counted on both sides: never more than there are. */
    buf_reset(&out);
    w = json_writer_on(&out);
    job.bedrock_processed = 100;
    job.model_id = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/x";
    job_json(&w, &job, &app);
    json_decref(json);
    json = json_loads(buf_cstr(&out), 0, NULL);
    CHECK_I64(number_at(json, "progress", "processed"), 100);
    CHECK(json_is_null(json_object_get(json_object_get(json, "cost"), "actual")));
    CHECK(json_is_null(json_object_get(json_object_get(json, "cost"), "currency")));
}

static void test_metrics(void)
{
    AUTO(buf_done) struct buf out = { .max = 1 << 16 };
    static const double bounds_s[2] = { 0.005, 1 };
    static const uint64_t counts[2] = { 3, 5 };
    const struct task_count task = { "scan", "ready", 2, 1500 };

    metrics_latency(&out, bounds_s, counts, 2, 6, 2.25);
    metrics_tasks(&out, &task, 1);
    CHECK_TEXT(
        buf_cstr(&out),
        "# HELP vidbatch_http_request_duration_seconds Time from a request's first byte to the end of its answer.\n"
        "# TYPE vidbatch_http_request_duration_seconds histogram\n"
        "vidbatch_http_request_duration_seconds_bucket{le=\"0.005\"} 3\n"
        "vidbatch_http_request_duration_seconds_bucket{le=\"1\"} 5\n"
        "vidbatch_http_request_duration_seconds_bucket{le=\"+Inf\"} 6\n"
        "vidbatch_http_request_duration_seconds_sum 2.25\n"
        "vidbatch_http_request_duration_seconds_count 6\n"
        "# HELP vidbatch_tasks Tasks in the queue.\n"
        "# TYPE vidbatch_tasks gauge\n"
        "vidbatch_tasks{kind=\"scan\",state=\"ready\"} 2\n"
        "# HELP vidbatch_task_oldest_seconds Age of the oldest task.\n"
        "# TYPE vidbatch_task_oldest_seconds gauge\n"
        "vidbatch_task_oldest_seconds{kind=\"scan\",state=\"ready\"} 1.500\n");
}

static const struct test tests[] = {
    { "what lies under an S3 location", test_location },
    { "names that may be uploaded", test_upload_names },
    { "what Bedrock says of a shard", test_shard_message },
    { "suffixes", test_suffixes },
    { "accounts, control characters, final states", test_small_texts },
    { "progress and cost of a job", test_job },
    { "Prometheus text", test_metrics },
};
TEST_MAIN("rules", tests)
