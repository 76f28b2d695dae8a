/* Every operation that the service asks of AWS, times every answer that may come: whether and how often it is tried
 * again, and what the user is told. The rules are written down here a second time, apart from the code. */
#include "aws/bedrock.h"
#include "aws/bedrock_runtime.h"
#include "aws/client_internal.h"
#include "aws/iam.h"
#include "aws/iam_actions.h"
#include "aws/identity.h"
#include "aws/s3.h"
#include "aws/s3_multipart.h"
#include "aws/sqs.h"
#include "tests/unit/aws/client_fixture.h"
#include "tests/unit/aws/fault_matrix_rows.h"

#define ARN "arn:aws:bedrock:us-east-1:111122223333:model-invocation-job/abcdefghij12"

enum { ATTEMPTS = 3 };
static const struct s3_ref ref = { SPAN_LIT("bucket-name"), SPAN_LIT("folder/k"), SPAN_LIT("") };
static const struct s3_ref folder = { SPAN_LIT("bucket-name"), SPAN_LIT("folder/"), SPAN_LIT("") };

/* ---- the operations ---- */

static bool list(struct aws_client *client, struct err *err)
{
    AUTO(s3_page_done) struct s3_page page = { 0 };
    const struct s3_list_request rq = { .bucket = ref.bucket };

    return s3_list_page(client, &rq, &page, err);
}

static bool head_object(struct aws_client *client, struct err *err)
{
    struct s3_head head;

    return s3_head(client, &ref, &head, err);
}

static bool get(struct aws_client *client, struct err *err)
{
    struct s3_reader *reader = NULL;
    bool ok = s3_reader_open(client, &ref, 0, "", &reader, err);

    s3_reader_close(reader);
    return ok;
}

/* One item through a function that takes many. */
struct single {
    bool is_taken, is_good;
    struct err err;
};

static bool take_single(struct single *one, void **item)
{
    *item = one;
    return !one->is_taken && (one->is_taken = true);
}

static bool end_single(struct single *one, const struct err *call_err)
{
    one->is_good = !call_err;
    if (call_err)
        one->err = *call_err;
    return true;
}

static bool next_range(void *arg, struct s3_range *range, void **item)
{
    *range = (struct s3_range){ .ref = ref, .len = 10 };
    return take_single(arg, item);
}

static bool range_done(void *arg, void *item, const struct s3_range_got *got, const struct err *range_err,
                       struct err *err)
{
    (void)item, (void)got, (void)err;
    return end_single(arg, range_err);
}

static bool get_range(struct aws_client *client, struct err *err)
{
    struct single one = { 0 };
    const struct s3_range_many many = { next_range, range_done, &one, 1 };

    return s3_read_ranges(client, &many, err) && (one.is_good || err_pass(err, &one.err));
}

static bool next_copy(void *arg, struct s3_copy *copy, void **item)
{
    *copy = (struct s3_copy){ .from = ref, .to = ref, .content_type = "video/mp4" };
    return take_single(arg, item);
}

static bool copy_done(void *arg, void *item, const struct err *copy_err, struct err *err)
{
    (void)item, (void)err;
    return end_single(arg, copy_err);
}

static bool copy_object(struct aws_client *client, struct err *err)
{
    struct single one = { 0 };
    const struct s3_copy_many many = { next_copy, copy_done, &one, 1 };

    return s3_copy_objects(client, &many, err) && (one.is_good || err_pass(err, &one.err));
}

static bool put(struct aws_client *client, struct err *err)
{
    return s3_put(client, &ref, "text/plain", SPAN_LIT("hello"), err);
}

static bool delete (struct aws_client *client, struct err *err)
{
    return s3_delete(client, &ref, err);
}

static bool delete_many(struct aws_client *client, struct err *err)
{
    int64_t deleted;

    return s3_delete_prefix(client, &folder, NULL, NULL, &deleted, err);
}

static bool create_upload(struct aws_client *client, struct err *err)
{
    AUTO(s3_upload_done) struct s3_upload up = { 0 };

    s3_upload_init(&up);
    return s3_upload_begin(&up, client, &ref, "text/plain", err);
}

static bool upload_part(struct aws_client *client, struct err *err)
{
    AUTO(s3_upload_done) struct s3_upload up = { 0 };
    struct s3_part part = { 0 };

    s3_upload_init(&up);
    buf_text(&up.id, "u");
    up.sum = CHECKSUM_SHA256;
    return s3_part_begin(&part, &up, client, &ref, SPAN_LIT("hello"), err) && s3_part_end(&part, &up, err);
}

static bool complete_upload(struct aws_client *client, struct err *err)
{
    AUTO(s3_upload_done) struct s3_upload up = { 0 };

    s3_upload_init(&up);
    buf_text(&up.id, "u");
    return s3_upload_complete(&up, client, &ref, 5, err);
}

static bool abort_upload(struct aws_client *client, struct err *err)
{
    return s3_upload_abort(client, &ref, SPAN_LIT("u"), err);
}

static bool list_uploads(struct aws_client *client, struct err *err)
{
    int aborted = 0;

    return s3_abort_uploads(client, &ref, &aborted, err);
}

static bool create_job(struct aws_client *client, struct err *err)
{
    const struct bedrock_create rq = { .job_name = "job-1",
                                       .client_token = "token-1",
                                       .role_arn = "arn:aws:iam::111122223333:role/Batch",
                                       .model_id = "amazon.nova-lite-v1:0",
                                       .input_uri = "s3://bucket-in/jobs/1/",
                                       .output_uri = "s3://bucket-out/jobs/1/" };
    char arn[BEDROCK_ARN_SIZE];

    return bedrock_create_job(client, &rq, arn, err);
}

static bool get_job(struct aws_client *client, struct err *err)
{
    struct bedrock_job job;

    return bedrock_get_job(client, ARN, &job, err);
}

static bool stop_job(struct aws_client *client, struct err *err)
{
    return bedrock_stop_job(client, ARN, err);
}

static bool each_job(void *arg, const struct bedrock_job *job)
{
    (void)arg, (void)job;
    return true;
}

static bool list_jobs(struct aws_client *client, struct err *err)
{
    const struct bedrock_list rq = { 0 };

    return bedrock_list_jobs(client, &rq, each_job, NULL, err);
}

static bool next_call(void *arg, struct span *body, void **item)
{
    *body = SPAN_LIT("{}");
    return take_single(arg, item);
}

static bool call_done(void *arg, void *item, const struct batch_line *answer, const struct err *call_err,
                      struct err *err)
{
    (void)item, (void)answer, (void)err;
    return end_single(arg, call_err);
}

static bool invoke(struct aws_client *client, struct err *err)
{
    struct single one = { 0 };
    const struct bedrock_invoke_many many = { "amazon.nova-lite-v1:0", next_call, call_done, &one, 1, 60000 };

    return bedrock_invoke(client, &many, err) && (one.is_good || err_pass(err, &one.err));
}

static bool identity(struct aws_client *client, struct err *err)
{
    struct aws_identity who;

    return aws_identity_get(client, &who, err);
}

#define ROLE "arn:aws:iam::111122223333:role/r"

static bool get_role(struct aws_client *client, struct err *err)
{
    AUTO(aws_iam_role_done) struct aws_iam_role role = { .arn = "" };

    return aws_iam_get_role(client, ROLE, &role, err);
}

static bool simulate(struct aws_client *client, struct err *err)
{
    struct aws_iam_decision decision;

    return aws_iam_simulate_pass(client, ROLE, ROLE, &decision, err);
}

static bool receive(struct aws_client *client, struct err *err)
{
    AUTO(sqs_batch_done) struct sqs_batch batch = { 0 };

    return sqs_receive(client, "https://sqs.us-east-1.amazonaws.com/111122223333/q", 0, &batch, err);
}

static bool delete_messages(struct aws_client *client, struct err *err)
{
    struct sqs_batch batch = { .messages = { { SPAN_LIT("b"), SPAN_LIT("r") } }, .count = 1 };
    int kept = 0;

    return sqs_delete(client, "https://sqs.us-east-1.amazonaws.com/111122223333/q", &batch, &kept, err);
}

#define ONE_KEY                                                                                                        \
    "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>folder/k</Key><Size>1</"                         \
    "Size><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>e</ETag></Contents>"                              \
    "</ListBucketResult>"

static const struct operation {
    const char *name;
    bool (*run)(struct aws_client *client, struct err *err);
    int by;             /* who answers */
    bool is_head;       /* no body says why */
    bool doubts_200;    /* a 200 may hold an error */
    bool is_once;       /* sent once, whatever comes */
    const char *before; /* body of a good answer to another request, which comes first */
} operations[] = {
    { .name = "S3.ListObjectsV2", .run = list, .by = BY_S3, .doubts_200 = true },
    { .name = "S3.HeadObject", .run = head_object, .by = BY_S3, .is_head = true },
    { .name = "S3.GetObject", .run = get, .by = BY_S3 },
    { .name = "S3.GetObjectRange", .run = get_range, .by = BY_S3 },
    { .name = "S3.CopyObject", .run = copy_object, .by = BY_S3, .doubts_200 = true },
    { .name = "S3.PutObject", .run = put, .by = BY_S3 },
    { .name = "S3.DeleteObject", .run = delete, .by = BY_S3 },
    { .name = "S3.DeleteObjects", .run = delete_many, .by = BY_S3, .doubts_200 = true, .before = ONE_KEY },
    { .name = "S3.CreateMultipartUpload", .run = create_upload, .by = BY_S3, .doubts_200 = true },
    { .name = "S3.UploadPart", .run = upload_part, .by = BY_S3 },
    { .name = "S3.CompleteMultipartUpload", .run = complete_upload, .by = BY_S3, .doubts_200 = true },
    { .name = "S3.AbortMultipartUpload", .run = abort_upload, .by = BY_S3 },
    { .name = "S3.ListMultipartUploads", .run = list_uploads, .by = BY_S3, .doubts_200 = true },
    { .name = "Bedrock.CreateModelInvocationJob", .run = create_job, .by = BY_JSON, .is_once = true },
    { .name = "Bedrock.GetModelInvocationJob", .run = get_job, .by = BY_JSON },
    { .name = "Bedrock.StopModelInvocationJob", .run = stop_job, .by = BY_JSON },
    { .name = "Bedrock.ListModelInvocationJobs", .run = list_jobs, .by = BY_JSON },
    { .name = "BedrockRuntime.InvokeModel", .run = invoke, .by = BY_JSON },
    { .name = "STS.GetCallerIdentity", .run = identity, .by = BY_QUERY },
    { .name = "IAM.GetRole", .run = get_role, .by = BY_QUERY },
    { .name = "IAM.SimulatePrincipalPolicy", .run = simulate, .by = BY_QUERY },
    { .name = "SQS.ReceiveMessage", .run = receive, .by = BY_JSON },
    { .name = "SQS.DeleteMessageBatch", .run = delete_messages, .by = BY_JSON },
};

/* ---- what is expected ---- */

struct outcome {
    bool is_good;
    int requests; /* without the one before */
    enum err_kind kind;
    bool is_retryable;
    const char *code, *upstream_code;
    char words[160];
};

static void expect_common(const struct operation *op, const struct answer_row *row, struct outcome *want)
{
    const bool is_named = row->code && !op->is_head;
    const char *action = iam_action_of(op->name);

    *want = (struct outcome){ .requests = row->fate == FATE_FINAL || op->is_once ? 1
                                          : row->fate == FATE_RENEWED            ? 2
                                                                                 : ATTEMPTS,
                              .kind = row->kind,
                              .is_retryable = row->fate != FATE_FINAL,
                              .code = "",
                              .upstream_code = is_named ? row->code : "" };
    if (row->words && strcmp(row->words, DENIAL) != 0)
        snprintf(want->words, sizeof(want->words), "%s", row->words);
    else if (row->words && action)
        snprintf(want->words, sizeof(want->words), "the permission %s is missing", action);
    else if (row->words)
        snprintf(want->words, sizeof(want->words), "AWS denies the permission");
    else
        snprintf(want->words, sizeof(want->words), "AWS answered %d %s: %s", row->status, want->upstream_code,
                 is_named ? "said so" : "");
}

static bool is_row(const struct answer_row *row, const char *code)
{
    return row->code && !strcmp(row->code, code);
}

/* Absent things that were to be removed are as wanted; what S3 says in one word is told apart. */
static void expect_s3(const struct operation *op, const struct answer_row *row, struct outcome *want)
{
    const char *name = op->name;

    if ((!strcmp(name, "S3.DeleteObject") && is_row(row, "NoSuchKey")) ||
        (!strcmp(name, "S3.AbortMultipartUpload") && is_row(row, "NoSuchUpload")) ||
        (!strcmp(name, "S3.GetObjectRange") && row->status == 416)) /* behind the end there are no bytes */
        want->is_good = true;
    if (!strcmp(name, "S3.CompleteMultipartUpload") && is_row(row, "NoSuchUpload"))
        want->requests = 2; /* HEAD asks whether an earlier attempt completed it */
    if (!strcmp(name, "S3.GetObject") && row->status == 416) {
        want->requests = 2; /* HEAD asks whether it is the end; it is refused too */
        want->upstream_code = "";
        snprintf(want->words, sizeof(want->words), "AWS answered 416");
    }
    if (!strcmp(name, "S3.GetObject") && row->status == 412) {
        want->code = "object_changed";
        want->upstream_code = "";
        snprintf(want->words, sizeof(want->words), "was replaced while it was being read");
    }
}

static void expect_bedrock(const struct operation *op, const struct answer_row *row, struct outcome *want)
{
    const bool is_invoke = !strcmp(op->name, "BedrockRuntime.InvokeModel");

    if (row->kind == ERR_BUSY)
        want->code = is_row(row, "ServiceQuotaExceededException") && !is_invoke ? "bedrock_quota" : "bedrock_throttled";
    if (op->is_once && is_row(row, "ConflictException"))
        want->code = "bedrock_name_in_use";
    if (is_invoke && is_row(row, "ModelErrorException"))
        want->code = "bedrock_model";
    if (is_invoke && row->status == 400 && row->kind == ERR_INPUT)
        want->code = "bedrock_refused";
}

static void expect(const struct operation *op, const struct answer_row *row, struct outcome *want)
{
    expect_common(op, row, want);
    if (op->by == BY_S3)
        expect_s3(op, row, want);
    else if (!strncmp(op->name, "Bedrock", 7))
        expect_bedrock(op, row, want);
}

/* Names that say the same as their status do not reach a HEAD: only answers without a name are asked of it. */
static bool is_possible(const struct operation *op, const struct answer_row *row)
{
    return (op->by & row->by) && !(row->in_200 && !op->doubts_200) && !(op->is_head && row->code);
}

/* ---- the cells ---- */

static void write_body(const struct operation *op, const struct answer_row *row, char *out, size_t size)
{
    out[0] = '\0';
    if (!row->code)
        return;
    if (op->by == BY_S3)
        snprintf(out, size, "<Error><Code>%s</Code><Message>said so</Message></Error>", row->code);
    else if (op->by == BY_JSON)
        snprintf(out, size, "{\"__type\":\"a.b#%s\",\"message\":\"said so\"}", row->code);
    else
        snprintf(out, size,
                 "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>said so</Message></Error>"
                 "</ErrorResponse>",
                 row->code);
}

static void run_cell(const struct operation *op, const struct answer_row *row)
{
    AUTO(fixture_done) struct fixture f = { 0 };
    struct http_answer answers[2] = { { .status = 200, .body = op->before, .end = HTTP_CLOSE } };
    const size_t at = op->before ? 1 : 0;
    struct outcome want;
    char body[512];
    bool ok;

    write_body(op, row, body, sizeof(body));
    answers[at] = (struct http_answer){
        .status = row->status, .body = body, .end = row->status ? HTTP_CLOSE : row->end, .is_head = op->is_head
    };
    if (!start_with(&f, answers, at + 1, (struct aws_options){ .max_attempts = ATTEMPTS }))
        return;
    f.aws->options.backoff_cap_ms = 1;
    expect(op, row, &want);
    ok = op->run(f.client, &f.err);
    CHECK(ok == want.is_good);
    CHECK_I64(http_script_count(f.script), want.requests + (int)at);
    if (want.is_good)
        return;
    CHECK_I64(f.err.kind, want.kind);
    CHECK(f.err.retryable == want.is_retryable);
    CHECK_TEXT(f.err.code, want.code);
    CHECK_TEXT(f.err.upstream_code, want.upstream_code);
    if (!CHECK(strstr(f.err.what, want.words) != NULL))
        fprintf(stderr, "  wanted '%s' in '%s'\n", want.words, f.err.what);
    CHECK(!strstr(f.err.what, FIXTURE_SECRET));
}

static void test_matrix(void)
{
    size_t cells = 0;

    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        for (size_t k = 0; k < sizeof(answer_rows) / sizeof(answer_rows[0]); k++) {
            if (!is_possible(&operations[i], &answer_rows[k]))
                continue;
            test_case("%s %d %s", operations[i].name, answer_rows[k].status,
                      answer_rows[k].code ? answer_rows[k].code : "-");
            run_cell(&operations[i], &answer_rows[k]);
            cells++;
        }
    test_case(NULL);
    CHECK(cells > 700);
    printf("     %zu cells\n", cells);
}

/* A new operation must come here too: those that permissions are known for are all there are. */
static void test_all_operations_are_here(void)
{
    static const char *const elsewhere[] = { "S3.HeadBucket" }; /* client_region_test.c; a refusal of it is no error */
    size_t count;
    const struct iam_action *actions = iam_actions(&count);

    for (size_t i = 0; i < count; i++) {
        bool is_here = !strcmp(actions[i].operation, elsewhere[0]);

        for (size_t k = 0; k < sizeof(operations) / sizeof(operations[0]); k++)
            is_here |= !strcmp(actions[i].operation, operations[k].name);
        test_case("%s", actions[i].operation);
        CHECK(is_here);
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "matrix", test_matrix },
    { "all_operations_are_here", test_all_operations_are_here },
};
TEST_MAIN("fault_matrix", tests)
