#include "aws/batch_input.h"

#include "server/base/mem.h"
#include "tests/support/test.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static const char *line_of(const struct batch_input *in, struct buf *out, const char *format, const char *uri)
{
    buf_reset(out);
    batch_input_line(in, out, "0000000000A", format, span_of(uri));
    return buf_cstr(out);
}

static void lines(void)
{
    static const struct {
        const char *name, *prompt, *system, *owner;
        struct batch_inference inference;
        const char *uri, *want;
    } cases[] = {
        { "least",
          "Sum up.",
          "",
          "",
          { 0 },
          "s3://bucket/v/a.mp4",
          "{\"recordId\":\"0000000000A\",\"modelInput\":{\"schemaVersion\":\"messages-v1\",\"messages\":[{\"role\":"
          "\"user\","
          "\"content\":[{\"video\":{\"format\":\"mp4\",\"source\":{\"s3Location\":{\"uri\":\"s3://bucket/v/a.mp4\"}}}},"
          "{\"text\":\"Sum up.\"}]}]}}\n" },
        { "most",
          "P \"q\"\n",
          "Be \\ terse.",
          "111122223333",
          { .has_max_tokens = true,
            .max_tokens = 600,
            .has_temperature = true,
            .temperature = 0,
            .has_top_p = true,
            .top_p = 0.9,
            .has_top_k = true,
            .top_k = 1 },
          "s3://bucket/a \"b\".mp4",
          "{\"recordId\":\"0000000000A\",\"modelInput\":{\"schemaVersion\":\"messages-v1\",\"system\":[{\"text\":"
          "\"Be \\\\ "
          "terse.\"}],\"messages\":[{\"role\":\"user\",\"content\":[{\"video\":{\"format\":\"mp4\",\"source\":"
          "{\"s3Location\":{\"uri\":\"s3://bucket/a \\\"b\\\".mp4\",\"bucketOwner\":\"111122223333\"}}}},{\"text\":"
          "\"P "
          "\\\"q\\\"\\n\"}]}],\"inferenceConfig\":{\"maxTokens\":600,\"temperature\":0,\"topP\":0.9,\"topK\":1}}}\n" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO(buf_done) struct buf out = { 0 };
        AUTO(buf_done) struct buf whole = { 0 };
        struct err err = { 0 };
        struct batch_input *in = batch_input_new(span_of(cases[i].prompt), span_of(cases[i].system),
                                                 &cases[i].inference, span_of(cases[i].owner), &err);

        test_case("%s", cases[i].name);
        buf_init(&out, 1 << 16);
        buf_init(&whole, 1 << 16);
        if (CHECK(in != NULL)) {
            CHECK_TEXT(line_of(in, &out, "mp4", cases[i].uri), cases[i].want);
            /* the model is asked the same on its own */
            buf_text(&whole, "{\"recordId\":\"0000000000A\",\"modelInput\":");
            batch_input_model(in, &whole, "mp4", span_of(cases[i].uri));
            buf_text(&whole, "}\n");
            CHECK_TEXT(buf_cstr(&whole), cases[i].want);
        }
        batch_input_free(in);
    }
    test_case(NULL);
}

/* A JSON parser reads back what went in, and each line is one line. */
static void reads_back(void)
{
    AUTO(buf_done) struct buf out = { 0 };
    const char prompt[] = "line\nline\t\"\\ \x01 \xe2\x80\xa8 \xf0\x9f\x98\x80";
    struct batch_input *in = batch_input_new(span_of(prompt), span_of(""), NULL, span_of(""), NULL);
    json_t *root = NULL;
    const char *text = NULL;

    buf_init(&out, 1 << 16);
    if (!CHECK(in != NULL))
        return;
    (void)line_of(in, &out, "three_gp", "s3://bucket/\xc3\xa9");
    CHECK(strchr(buf_cstr(&out), '\n') == buf_cstr(&out) + out.len - 1);
    root = json_loads(buf_cstr(&out), JSON_REJECT_DUPLICATES, NULL);
    json_unpack(root, "{s:{s:[{s:[{},{s:s}]}]}}", "modelInput", "messages", "content", "text", &text);
    if (CHECK(text != NULL))
        CHECK_TEXT(text, prompt);
    json_decref(root);
    batch_input_free(in);
}

static void refusals(void)
{
    static const struct {
        const char *name, *prompt, *system, *owner;
        struct batch_inference inference;
        const char *code;
    } cases[] = {
        { "no prompt", "", "", "", { 0 }, "bad_text" },
        { "bad UTF-8", "\xff", "", "", { 0 }, "bad_text" },
        { "bad UTF-8 in system", "p", "\xc3", "", { 0 }, "bad_text" },
        { "short owner", "p", "", "11112222333", { 0 }, "bad_bucket_owner" },
        { "owner with letters", "p", "", "11112222333x", { 0 }, "bad_bucket_owner" },
        { "maxTokens 0", "p", "", "", { .has_max_tokens = true }, "bad_inference" },
        { "temperature", "p", "", "", { .has_temperature = true, .temperature = 1.1 }, "bad_inference" },
        { "temperature NaN", "p", "", "", { .has_temperature = true, .temperature = NAN }, "bad_inference" },
        { "topP", "p", "", "", { .has_top_p = true, .top_p = -0.1 }, "bad_inference" },
        { "topK", "p", "", "", { .has_top_k = true, .top_k = 129 }, "bad_inference" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = { 0 };

        test_case("%s", cases[i].name);
        CHECK(!batch_input_new(span_of(cases[i].prompt), span_of(cases[i].system), &cases[i].inference,
                               span_of(cases[i].owner), &err));
        CHECK_I64(err.kind, ERR_INPUT);
        CHECK_TEXT(err.code, cases[i].code);
    }
    test_case(NULL);
}

static void out_of_memory(void)
{
    bool done = false;

    for (unsigned n = 1; !done && n < 50; n++) {
        struct err err = { 0 };
        struct batch_input *in = NULL;

        mem_fail_at(n);
        in = batch_input_new(span_of("prompt"), span_of("system"), NULL, span_of(""), &err);
        mem_fail_never();
        done = in != NULL;
        if (!done)
            CHECK_I64(err.kind, ERR_MEMORY);
        batch_input_free(in);
    }
    CHECK(done);
}

static const struct test tests[] = {
    { "lines", lines }, { "reads_back", reads_back }, { "refusals", refusals }, { "out_of_memory", out_of_memory }
};

TEST_MAIN("batch_input", tests)
