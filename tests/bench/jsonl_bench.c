/* Builds the JSONL of a batch job and uploads it while it grows, as staging does.
 *   usage: jsonl_bench BUCKET KEY RECORDS      (endpoint and keys from the environment; the prompt is PROMPT) */
#include "aws/batch_input.h"
#include "aws/s3.h"
#include "server/base/id.h"
#include "tests/bench/tool.h"

#include <stdlib.h>
#include <string.h>

static bool write_all(struct s3_writer *writer, const struct batch_input *input, int64_t records, struct err *err)
{
    AUTO(buf_done) struct buf uri = { 0 };
    const int64_t first = 1234567890123;

    buf_init(&uri, 4096);
    for (int64_t i = 0; i < records; i++) {
        char digits[ID_SIZE];

        id_format(ID_RECORD, first + i, digits);
        buf_reset(&uri);
        buf_text(&uri, "s3://bench-videos/staging/job/shard/v/");
        buf_text(&uri, digits);
        buf_text(&uri, ".mp4");
        batch_input_line(input, s3_writer_out(writer), digits, "mp4", buf_view(&uri));
        if (!s3_writer_wrote(writer, err))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    const struct batch_inference inference = {
        .has_max_tokens = true, .has_temperature = true, .max_tokens = 500, .temperature = 0.3
    };
    struct aws *aws = NULL;
    struct aws_client *client = NULL;
    struct s3_writer *writer = NULL;
    struct batch_input *input = NULL;
    struct err err = { 0 };
    struct s3_ref ref = { 0 };
    int64_t records, bytes = 0;
    double start;

    if (argc != 4 || !getenv("PROMPT"))
        return 2;
    ref.bucket = span_of(argv[1]);
    ref.key = span_of(argv[2]);
    records = strtoll(argv[3], NULL, 10);
    if (!tool_client(&aws, &client, &err))
        return tool_fail(&err);
    start = tool_now_s();
    input = batch_input_new(span_of(getenv("PROMPT")), SPAN_LIT(""), &inference, SPAN_LIT("111122223333"), &err);
    if (!input || !s3_writer_new(client, &ref, "application/x-ndjson", 0, &writer, &err) ||
        !write_all(writer, input, records, &err) || !s3_writer_finish(writer, &bytes, &err))
        return tool_fail(&err);
    tool_report(records, tool_now_s() - start, bytes);
    s3_writer_free(writer);
    batch_input_free(input);
    aws_client_free(client);
    aws_free(aws);
    return 0;
}
