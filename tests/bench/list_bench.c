/* Lists a prefix with the service's own S3 layer and nothing behind it.
 *   usage: list_bench BUCKET PREFIX CONNECTIONS      (endpoint and keys from the environment) */
#include "aws/s3_list_many.h"
#include "tests/bench/tool.h"

#include <stdlib.h>

struct sums {
    int64_t keys, bytes;
};

static bool add(void *arg, const struct s3_stretch *stretch, struct err *err)
{
    struct sums *sums = arg;

    (void)err;
    sums->keys += (int64_t)stretch->object_count;
    for (size_t i = 0; i < stretch->object_count; i++)
        sums->bytes += stretch->objects[i].size_bytes;
    return true;
}

int main(int argc, char **argv)
{
    struct aws *aws = NULL;
    struct aws_client *client = NULL;
    struct err err = { 0 };
    struct sums sums = { 0 };
    struct s3_list_many many = { .stretch = add, .arg = &sums };
    double start;

    if (argc != 4)
        return 2;
    if (!tool_client(&aws, &client, &err))
        return tool_fail(&err);
    many.bucket = span_of(argv[1]);
    many.prefix = span_of(argv[2]);
    many.concurrency = (int)strtol(argv[3], NULL, 10);
    start = tool_now_s();
    if (!s3_list_many(client, &many, &err))
        return tool_fail(&err);
    tool_report(sums.keys, tool_now_s() - start, sums.bytes);
    aws_client_free(client);
    aws_free(aws);
    return 0;
}
