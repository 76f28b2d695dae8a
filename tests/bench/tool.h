/* What the measuring programs share: the clock, the peak of memory, and the one line of JSON that they print. */
#ifndef VIDBATCH_BENCH_TOOL_H
#define VIDBATCH_BENCH_TOOL_H

#include "aws/client.h"

#include <stdbool.h>
#include <stdint.h>

/* Monotonic, in seconds. */
double tool_now_s(void);
/* {"count":..,"seconds":..,"bytes":..,"peak_kib":..} on standard output. */
void tool_report(int64_t count, double seconds, int64_t bytes);
/* Prints err and gives the exit status 1. */
int tool_fail(const struct err *err);
/* A client for the endpoint and the keys in the environment (AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY). Gives: aws_client_free, then aws_free. */
MUST_CHECK bool tool_client(struct aws **aws, struct aws_client **client, struct err *err);

#endif
