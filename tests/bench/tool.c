#include "tests/bench/tool.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double tool_now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Not getrusage: its peak includes what the process was before exec. */
static long peak_kib(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    long kib = -1;

    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "VmHWM:", 6))
            kib = strtol(line + 6, NULL, 10);
    if (status)
        fclose(status);
    return kib;
}

void tool_report(int64_t count, double seconds, int64_t bytes)
{
    printf("{\"count\":%" PRId64 ",\"seconds\":%.6f,\"bytes\":%" PRId64 ",\"peak_kib\":%ld}\n", count, seconds, bytes,
           peak_kib());
}

int tool_fail(const struct err *err)
{
    fprintf(stderr, "%s: %s\n", err->where ? err->where : "", err->what);
    return 1;
}

bool tool_client(struct aws **aws, struct aws_client **client, struct err *err)
{
    const struct aws_options options = { .region = getenv("AWS_REGION"),
                                         .endpoint_url = getenv("AWS_ENDPOINT_URL"),
                                         .credentials = { .access_key_id = getenv("AWS_ACCESS_KEY_ID"),
                                                          .secret_access_key = getenv("AWS_SECRET_ACCESS_KEY") } };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    *aws = aws_new(&options, err);
    if (!*aws)
        return false;
    *client = aws_client_new(*aws, err);
    return *client != NULL;
}
