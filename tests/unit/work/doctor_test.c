/* The doctor's judgement of clocks, and how its findings are said. What it finds is tested with real processes
 * (tests/integration/doctor_test.py). */
#include "aws/client.h"
#include "server/base/attr.h"
#include "server/base/clock.h"
#include "server/base/mem.h"
#include "server/work/doctor.h"
#include "tests/support/http_script.h"
#include "tests/support/test.h"

#include <jansson.h>
#include <string.h>

static void report_free(struct doctor_report **report)
{
    mem_free(*report);
}

static const struct {
    bool is_known;
    int64_t gap_ms;
    enum doctor_state state;
    const char *says;
} clocks[] = {
    { true, 0, DOCTOR_OK, "by 0 s." },
    { true, -1499, DOCTOR_OK, "by 1 s." },
    { true, 59999, DOCTOR_OK, "by 60 s." },
    { true, 240000, DOCTOR_OK, "by 4 minutes." },
    { true, -240000, DOCTOR_OK, "by 4 minutes." },
    { true, 240001, DOCTOR_PROBLEM, "4 minutes behind AWS's" },
    { true, -240001, DOCTOR_PROBLEM, "4 minutes ahead of AWS's" },
    { true, 20 * 60000, DOCTOR_PROBLEM, "20 minutes behind AWS's" },
    { true, INT64_C(-31536000000), DOCTOR_PROBLEM, "8760 hours ahead of AWS's" },
    { false, 0, DOCTOR_CANNOT_KNOW, "has told the time" },
};

static void judges_clocks(void)
{
    AUTO(report_free) struct doctor_report *report = mem_alloc(1, sizeof *report);

    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        report->count = 0;
        doctor_judge_clock(report, clocks[i].is_known, clocks[i].gap_ms);
        test_case("%lld", (long long)clocks[i].gap_ms);
        CHECK_I64(report->count, 1);
        CHECK(report->checks[0].state == clocks[i].state);
        CHECK(strstr(report->checks[0].sentence, clocks[i].says) != NULL);
        CHECK((report->checks[0].remedy[0] != 0) == (clocks[i].state != DOCTOR_OK));
    }
    test_case(NULL);
}

static struct doctor_report *example(void)
{
    struct doctor_report *report = mem_alloc(1, sizeof *report);
    struct doctor_check *check;

    (void)doctor_add(report, "region", "Region %s.", "us-east-1");
    check = doctor_add(report, "staging.write", "It may not.");
    doctor_mark(check, DOCTOR_PROBLEM, "Let it.");
    strcpy(check->action, "s3:PutObject");
    strcpy(check->statement, "{\"Effect\":\"Allow\"}");
    check = doctor_add(report, "role.trust", "Nobody knows.");
    doctor_mark(check, DOCTOR_CANNOT_KNOW, "See.");
    return report;
}

static void says_it_in_lines(void)
{
    AUTO(report_free) struct doctor_report *report = example();
    AUTO(buf_done) struct buf text = { .max = 4096 };

    doctor_text(report, &text);
    CHECK_TEXT(buf_cstr(&text), "ok          region           Region us-east-1.\n"
                                "problem     staging.write    It may not.\n"
                                "                             Let it.\n"
                                "                             Statement: {\"Effect\":\"Allow\"}\n"
                                "can't know  role.trust       Nobody knows.\n"
                                "                             See.\n");
}

static void says_it_in_json(void)
{
    AUTO(report_free) struct doctor_report *report = example();
    AUTO(buf_done) struct buf text = { .max = 4096 };
    struct json_writer w = json_writer_on(&text);
    json_t *json;

    CHECK(doctor_has_problem(report));
    json_begin_object(&w);
    doctor_json(report, &w);
    json_end_object(&w);
    json = json_loads(buf_cstr(&text), JSON_REJECT_DUPLICATES, NULL);
    CHECK_TEXT(
        buf_cstr(&text),
        "{\"result\":\"problem\",\"checks\":[{\"name\":\"region\",\"state\":\"ok\",\"sentence\":\"Region us-east-1.\","
        "\"remedy\":null,\"action\":null,\"statement\":null},{\"name\":\"staging.write\",\"state\":\"problem\","
        "\"sentence\":\"It may not.\",\"remedy\":\"Let it.\",\"action\":\"s3:PutObject\",\"statement\":{\"Effect\":"
        "\"Allow\"}},{\"name\":\"role.trust\",\"state\":\"cannot_know\",\"sentence\":\"Nobody knows.\",\"remedy\":"
        "\"See.\",\"action\":null,\"statement\":null}]}");
    CHECK(json != NULL);
    json_decref(json);
}

static void more_than_there_is_room_for(void)
{
    AUTO(report_free) struct doctor_report *report = mem_alloc(1, sizeof *report);
    char long_text[2000];

    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    for (int i = 0; i < DOCTOR_MAX_CHECKS + 5; i++)
        doctor_mark(doctor_add(report, "x", "%s", long_text), DOCTOR_CANNOT_KNOW, "%s", long_text);
    CHECK_I64(report->count, DOCTOR_MAX_CHECKS);
    CHECK(!doctor_has_problem(report));
}

/* AWS that never answers: each endpoint is waited for once, what could not be written is not removed, and it ends. */
static void ends_where_nobody_answers(void)
{
    static const struct {
        const char *name;
        enum doctor_state state;
        const char *says;
    } want[] = {
        { "settings", DOCTOR_OK, "" },
        { "region", DOCTOR_OK, "us-east-1" },
        { "credentials", DOCTOR_OK, "...MPLE" },
        { "identity", DOCTOR_CANNOT_KNOW, "given up" },
        { "model", DOCTOR_OK, "" },
        { "bedrock.jobs", DOCTOR_PROBLEM, "given up" },
        { "role", DOCTOR_OK, "" },
        { "role.trust", DOCTOR_CANNOT_KNOW, "" },
        { "role.access", DOCTOR_CANNOT_KNOW, "" },
        { "role.pass", DOCTOR_CANNOT_KNOW, "" },
        { "staging.region", DOCTOR_PROBLEM, "given up" },
        { "staging.list", DOCTOR_CANNOT_KNOW, "`staging.region`" },
        { "staging.uploads", DOCTOR_CANNOT_KNOW, "`staging.region`" },
        { "staging.write", DOCTOR_CANNOT_KNOW, "`staging.region`" },
        { "clock", DOCTOR_CANNOT_KNOW, "" },
    };
    const struct http_answer script[] = { { .status = 200, .is_held = true } };
    AUTO(report_free) struct doctor_report *report = mem_alloc(1, sizeof *report);
    struct http_script *server = http_script_start(script, 1);
    struct err err = { 0 };
    struct models *models = models_builtin(&err);
    const struct aws_options options = { .region = "us-east-1",
                                         .endpoint_url = http_script_url(server),
                                         .credentials = { .access_key_id = "AKIDEXAMPLE", .secret_access_key = "x" } };
    struct aws *aws = aws_new(&options, &err);
    const struct doctor_settings settings = { .region = "us-east-1",
                                              .region_origin = "AWS_REGION",
                                              .model_id = "amazon.nova-lite-v1:0",
                                              .role_arn = "arn:aws:iam::111122223333:role/r",
                                              .staging_uri = "s3://work/staging",
                                              .output_uri = "",
                                              .bucket_owner = "",
                                              .missing_settings = "",
                                              .models = models,
                                              .check_ms = 150 };
    struct doctor *doctor = doctor_new(&settings, aws, &err);
    const int64_t begin_ms = clock_mono_ms();

    CHECK(doctor && doctor_examine(doctor, NULL, 0, report, &err));
    CHECK(clock_mono_ms() - begin_ms < 5000);
    CHECK_I64(report->count, sizeof want / sizeof want[0]);
    for (size_t i = 0; i < report->count && i < sizeof want / sizeof want[0]; i++) {
        test_case("%s", want[i].name);
        CHECK_TEXT(report->checks[i].name, want[i].name);
        CHECK(report->checks[i].state == want[i].state);
        CHECK(strstr(report->checks[i].sentence, want[i].says) != NULL);
    }
    test_case(NULL);
    doctor_free(doctor);
    aws_free(aws);
    models_free(models);
    http_script_stop(server);
}

/* Nor is it kept by a provider of credentials that never answers. */
static void ends_without_credentials(void)
{
    const struct http_answer silence = { .status = 403, .body = "no", .is_held = true };
    AUTO(report_free) struct doctor_report *report = mem_alloc(1, sizeof *report);
    struct http_script *agent = http_script_start(&silence, 1);
    struct err err = { 0 };
    struct models *models = models_builtin(&err);
    const struct aws_options options = { .region = "us-east-1",
                                         .credentials = { .container_full_uri = http_script_url(agent) } };
    struct aws *aws = aws_new(&options, &err);
    const struct doctor_settings settings = { .region = "us-east-1",
                                              .region_origin = "AWS_REGION",
                                              .model_id = "amazon.nova-lite-v1:0",
                                              .role_arn = "",
                                              .staging_uri = "",
                                              .output_uri = "",
                                              .bucket_owner = "",
                                              .missing_settings = "",
                                              .models = models,
                                              .total_ms = 150 };
    struct doctor *doctor = doctor_new(&settings, aws, &err);
    const int64_t begin_ms = clock_mono_ms();

    CHECK(doctor && doctor_examine(doctor, NULL, 0, report, &err));
    CHECK(clock_mono_ms() - begin_ms < 1500);
    CHECK_TEXT(report->checks[2].name, "credentials");
    CHECK(report->checks[2].state == DOCTOR_PROBLEM);
    http_script_release(agent);
    doctor_free(doctor);
    aws_free(aws);
    models_free(models);
    http_script_stop(agent);
}

static const struct test tests[] = {
    { "judges clocks", judges_clocks },
    { "says it in lines", says_it_in_lines },
    { "says it in JSON", says_it_in_json },
    { "more than there is room for", more_than_there_is_room_for },
    { "ends where nobody answers", ends_where_nobody_answers },
    { "ends without credentials", ends_without_credentials },
};
TEST_MAIN("doctor", tests)
