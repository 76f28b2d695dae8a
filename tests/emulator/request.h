/* One HTTP request as it came in: raw target, headers in order, decoded query; and what was made of it on the way.
 * All its text lives in its own arena and dies with it. One thread at a time. */
#ifndef VIDBATCH_EMULATOR_REQUEST_H
#define VIDBATCH_EMULATOR_REQUEST_H

#include "server/base/attr.h"
#include "server/base/span.h"
#include "tests/emulator/body.h"
#include "tests/emulator/reply.h"
#include "tests/emulator/sigv4_check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct emulator;
struct arena_block;

struct request_param {
    struct span raw_name, raw_value; /* as on the wire */
    struct span name, value;         /* decoded, '+' read as a blank */
};

enum request_kind { REQUEST_S3, REQUEST_BEDROCK, REQUEST_STS, REQUEST_IAM, REQUEST_CONTROL };

struct request {
    struct arena_block *arena;
    char id[36]; /* x-amz-request-id */
    char method[16];
    struct span target;   /* raw, with the query */
    struct span raw_path; /* raw, before the '?' */
    struct span raw_query;
    struct sig_header *headers; /* names in lower case */
    size_t header_count;
    struct request_param *params;
    size_t param_count;
    bool well_formed; /* every escape in target decodes */

    enum request_kind kind;
    const char *op; /* "S3.GetObject"; static text */
    struct span bucket;
    struct span key;   /* decoded */
    struct span model; /* of InvokeModel, decoded; bucket and key are then those of the video */
    struct sig_claim claim;
    struct body body;
    struct reply reply;

    int64_t started_mono_ms;
    bool has_body_plan; /* the first call is behind us */
    bool handled;       /* reply is filled */
    bool drop_answer;   /* close instead of answering */
    bool counted;
    const char *fault; /* name of the fault applied, or NULL */
    int64_t delay_ms;
    int64_t cut_at;         /* bytes of body to send before closing; -1: all */
    char told_checksum[16]; /* a fault's, in the place of the object's own; empty: none */
    int64_t slow_bytes_per_s;
};

/* raw_target is copied. Gives: free with request_free. */
struct request *request_new(const char *raw_target);
void request_free(struct request *rq);
/* Memory of the request's life; zeroed, never NULL. */
void *request_alloc(struct request *rq, size_t size);
char *request_copy(struct request *rq, struct span s);
/* Percent-decodes into the arena; rq->well_formed turns false on a broken escape. */
struct span request_decode(struct request *rq, struct span s, bool plus_is_blank);

void request_add_header(struct request *rq, const char *name, const char *value);
/* First value of a header (name in lower case), NULL if absent. */
const char *request_header(const struct request *rq, const char *name);
/* A query parameter's decoded value; ptr NULL if absent. */
struct span request_param(const struct request *rq, const char *name);
bool request_has_param(const struct request *rq, const char *name);

#endif
