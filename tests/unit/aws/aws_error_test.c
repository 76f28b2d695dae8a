#include "aws/aws_error.h"
#include "tests/support/test.h"

#include <string.h>

static const struct {
    const char *body, *code, *message, *request_id, *region, *bucket;
} xml_rows[] = {
    { "<?xml "
      "version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>gone</Message><Key>k</Key><RequestId>R</"
      "RequestId><HostId>h"
      "</HostId></Error>",
      "NoSuchKey", "gone", "R", "", "" },
    { "<Error><Code>PermanentRedirect</Code><Message>m</Message><Endpoint>e</Endpoint><Bucket>b</Bucket></Error>",
      "PermanentRedirect", "m", "", "", "b" },
    { "<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-west-2</Region></Error>",
      "AuthorizationHeaderMalformed", "", "", "us-west-2", "" },
    { "<ErrorResponse "
      "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>ExpiredTokenException"
      "</Code><Message>m</Message></Error><RequestId>R</RequestId></ErrorResponse>",
      "ExpiredTokenException", "m", "R", "", "" },
    { "<Error><Code>SlowDown</Code><Message>half a mess", "SlowDown", "", "", "", "" },
    { "<html><body>502 Bad Gateway</body></html>", "", "", "", "", "" },
    { "upstream went\naway", "", "upstream went away", "", "", "" },
    { "", "", "", "", "", "" },
    { " \n ", "", "", "", "", "" },
    { "<Error><Code>A\xFF</Code></Error>", "", "", "", "", "" },
};

static void test_xml(void)
{
    for (size_t i = 0; i < sizeof(xml_rows) / sizeof(xml_rows[0]); i++) {
        struct aws_error got;

        test_case("%.60s", xml_rows[i].body);
        aws_error_from_xml(span_of(xml_rows[i].body), &got);
        CHECK_TEXT(got.code, xml_rows[i].code);
        CHECK_TEXT(got.message, xml_rows[i].message);
        CHECK_TEXT(got.request_id, xml_rows[i].request_id);
        CHECK_TEXT(got.region, xml_rows[i].region);
        CHECK_TEXT(got.bucket, xml_rows[i].bucket);
    }
    test_case(NULL);
}

static const struct {
    const char *header, *body, *code, *message;
} json_rows[] = {
    { "ThrottlingException", "{\"message\":\"slow\"}", "ThrottlingException", "slow" },
    { "a.b#ConflictException:http://internal.amazon.com/", "{\"Message\":\"c\"}", "ConflictException", "c" },
    { "FromHeader", "{\"code\":\"FromBody\"}", "FromHeader", "" },
    { "", "{\"code\":\"A\",\"Code\":\"B\",\"__type\":\"C\"}", "A", "" },
    { "", "{\"Code\":\"B\",\"__type\":\"C\"}", "B", "" },
    { "", "{\"__type\":\"com.amazonaws#ValidationException\",\"message\":\"bad\"}", "ValidationException", "bad" },
    { "", "{\"__type\":7,\"message\":[]}", "", "" },
    { "", "<html>no</html>", "", "" },
    { "", "service unavailable", "", "service unavailable" },
    { "", "", "", "" },
    { "", "[1]", "", "[1]" },
};

static void test_json(void)
{
    for (size_t i = 0; i < sizeof(json_rows) / sizeof(json_rows[0]); i++) {
        struct aws_error got;

        test_case("%s %s", json_rows[i].header, json_rows[i].body);
        aws_error_from_json(span_of(json_rows[i].header), span_of(json_rows[i].body), &got);
        CHECK_TEXT(got.code, json_rows[i].code);
        CHECK_TEXT(got.message, json_rows[i].message);
    }
    test_case(NULL);
}

/* A long message is cut between characters, never inside one. */
static void test_cut(void)
{
    char body[1200] = "<Error><Message>x";
    struct aws_error got;
    size_t len;

    for (int i = 0; i < 400; i++)
        strcat(body, "\xC3\xA9");
    strcat(body, "</Message></Error>");
    aws_error_from_xml(span_of(body), &got);
    len = strlen(got.message);
    CHECK(len == sizeof(got.message) - 1);
    CHECK((unsigned char)got.message[len - 1] == 0xA9);
}

static const struct {
    const char *body;
    bool hides;
} rows_200[] = {
    { "", true },
    { "  \n", true },
    { "<CopyObjectResult><ETag>e</ETag></CopyObjectResult>", false },
    { "<?xml version=\"1.0\"?>\n<CopyObjectResult xmlns=\"x\"><ETag>e</ETag></CopyObjectResult>\n", false },
    { "\n\n <?xml version=\"1.0\"?> <!-- c --> <A>1</A >", false },
    { "<s:A xmlns:s=\"x\">1</s:A>", false },
    { "<DeleteResult/>", false },
    { "<DeleteResult xmlns=\"x\" />", false },
    { "<Error><Code>InternalError</Code></Error>", true },
    { "<?xml version=\"1.0\"?>\n\n<Error><Code>InternalError</Code></Error>", true },
    { "<s:Error xmlns:s=\"x\"></s:Error>", true },
    { "<Errors></Errors>", false },
    { "<A><B>1</B>", true },
    { "<A><B>1</B><", true },
    { "<A><B>1</B></A", true },
    { "<A><B/>", true },
    { "<A>", true },
    { "<A", true },
    { "<", true },
    { "<?xml version", true },
    { "<!-- never", true },
    { "text", true },
    { "</A>", true },
};

static void test_hidden(void)
{
    for (size_t i = 0; i < sizeof(rows_200) / sizeof(rows_200[0]); i++) {
        test_case("%s", rows_200[i].body);
        CHECK(aws_error_hides_in(span_of(rows_200[i].body)) == rows_200[i].hides);
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "xml", test_xml },
    { "json", test_json },
    { "cut", test_cut },
    { "hidden", test_hidden },
};
TEST_MAIN("aws_error", tests)
