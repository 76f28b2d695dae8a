/* GetCallerIdentity: what is sent, and what is made of the answer; and calls that have an end. */
#include "aws/identity.h"
#include "server/base/clock.h"
#include "tests/unit/aws/client_fixture.h"

#define ANSWER(inside)                                                                                                 \
    "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>" inside  \
    "</GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></"                        \
    "GetCallerIdentityResponse>"
#define CALLER                                                                                                         \
    "<Arn>arn:aws:sts::111122223333:assumed-role/r/s</Arn><UserId>AROA:s</UserId><Account>111122223333</Account>"

static const struct {
    const char *xml, *arn, *account, *code;
} answers[] = {
    { ANSWER(CALLER), "arn:aws:sts::111122223333:assumed-role/r/s", "111122223333", "" },
    { ANSWER("<Account>111122223333</Account><Arn>a</Arn>"), "a", "111122223333", "" },
    { ANSWER("<Arn>a</Arn>"), "", "", "bad_answer" },
    { ANSWER("<Arn>a</Arn><Account>11112222333344445555</Account>"), "", "", "bad_answer" },
    { ANSWER("<Arn>a&#10;b</Arn><Account>111122223333</Account>"), "", "", "bad_answer" },
    { "<GetCallerIdentityResponse>", "", "", "bad_xml" },
    { "", "", "", "bad_xml" },
};

static void reads_answers(void)
{
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct aws_identity identity = { 0 };
        struct err err = { 0 };

        test_case("%zu", i);
        CHECK(aws_identity_read(span_of(answers[i].xml), &identity, &err) == !answers[i].code[0]);
        CHECK_TEXT(identity.arn, answers[i].arn);
        CHECK_TEXT(identity.account, answers[i].account);
        CHECK_TEXT(err.code, answers[i].code);
    }
    test_case(NULL);
}

static void asks(void)
{
    static const char answer[] = ANSWER(CALLER);
    const struct http_answer script[] = {
        { .status = 200, .headers = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", .body = answer }
    };
    struct fixture f = { 0 };
    struct aws_identity identity = { 0 };
    int64_t gap_ms = 0;

    if (start(&f, script, 1)) {
        const struct http_seen *seen;

        CHECK(!aws_clock_gap(f.aws, &gap_ms)); /* nobody has told the time yet */
        CHECK(aws_identity_get(f.client, &identity, &f.err));
        CHECK_TEXT(identity.account, "111122223333");
        seen = http_script_seen(f.script, 0);
        CHECK_TEXT(seen->method, "POST");
        CHECK_TEXT(seen->target, "/");
        CHECK_SPAN(http_seen_header(seen, "content-type"), "application/x-www-form-urlencoded; charset=utf-8");
        check_signature(seen, "sts");
        CHECK(aws_clock_gap(f.aws, &gap_ms));
        CHECK_I64((gap_ms + clock_wall_ms()) / 60000, INT64_C(784111777000) / 60000);
    }
    fixture_done(&f);
}

/* A client that has until then waits no longer, and says what it would say of a stop. */
static void until(void)
{
    const struct http_answer script[] = { { .status = 200, .is_held = true } };
    struct fixture f = { 0 };
    struct aws_identity identity = { 0 };
    const int64_t begin_ms = clock_mono_ms();

    if (start(&f, script, 1)) {
        aws_client_until(f.client, begin_ms + 100);
        CHECK(!aws_identity_get(f.client, &identity, &f.err));
        CHECK(f.err.kind == ERR_CANCELLED);
        CHECK(clock_mono_ms() - begin_ms < 2000);
    }
    fixture_done(&f);
}

static const struct test tests[] = {
    { "reads answers", reads_answers },
    { "asks", asks },
    { "until", until },
};
TEST_MAIN("identity", tests)
