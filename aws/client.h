/* The AWS client: one `struct aws` for the process (settings, credentials, clock skew, retry budgets), one `struct
 * aws_client` a thread (libcurl handles and their connections). Requests are described by value; signing, retries and
 * the reading of errors happen here and nowhere else. */
#ifndef VIDBATCH_AWS_CLIENT_H
#define VIDBATCH_AWS_CLIENT_H

#include "aws/checksum.h"
#include "aws/credentials.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum aws_addressing { AWS_ADDRESSING_AUTO, AWS_ADDRESSING_PATH, AWS_ADDRESSING_VIRTUAL };

/* Each with its endpoint, its budget of retries and its way to say what went wrong. */
enum aws_service { AWS_S3, AWS_BEDROCK, AWS_BEDROCK_RUNTIME, AWS_STS, AWS_IAM, AWS_SQS };
enum { AWS_SERVICES = AWS_SQS + 1, AWS_REGION_SIZE = 64 };

struct aws_options { /* all text borrowed during aws_new */
    const char *region;
    const char *endpoint_url;                /* AWS_ENDPOINT_URL; "" or NULL = AWS's own */
    const char *endpoint_urls[AWS_SERVICES]; /* AWS_ENDPOINT_URL_S3 and so on, win over endpoint_url */
    /* "true" or "false"; NULL or "": as the profile says. */
    const char *use_fips, *use_dualstack, *ignore_endpoint_urls;
    /* AWS_REQUEST_CHECKSUM_CALCULATION and AWS_RESPONSE_CHECKSUM_VALIDATION: "when_supported" or "when_required"; NULL
     * or "": as the profile says, else when_supported. */
    const char *request_checksum, *response_checksum;
    enum aws_addressing addressing; /* auto: path style with a custom endpoint and for names that are no DNS label */
    const char *ca_bundle;          /* AWS_CA_BUNDLE, certificates trusted beside the system's */
    int max_attempts;               /* first try included; 0: as the profile says, else 5 */
    const char *retry_mode;         /* AWS_RETRY_MODE: standard, adaptive or legacy, which differ in nothing here */
    int64_t connect_timeout_ms;     /* 0 = 5000 */
    int64_t low_speed_timeout_ms;   /* less than 1 byte/s for so long ends a transfer; 0 = 60000 */
    int64_t call_timeout_ms;        /* whole attempt of a small call; 0 = 60000 */
    int64_t backoff_cap_ms;         /* longest pause before a retry; 0 = 20000 */
    struct creds_settings credentials;
    bool (*is_stopping)(
        void *arg); /* asked between attempts and while waiting: true ends with ERR_CANCELLED; may be NULL */
    void *is_stopping_arg;
};

struct aws;
MUST_CHECK struct aws *aws_new(const struct aws_options *options,
                               struct err *err); /* after curl_global_init; gives: aws_free */
void aws_free(struct aws *aws);
const char *aws_region(const struct aws *aws);
/* What requests are signed with now, as creds_chain_get gives it: the caller wipes it. Any thread. */
MUST_CHECK bool aws_credentials(struct aws *aws, struct creds *out, struct err *err);
/* The same for a thread that must not wait for AWS, as creds_chain_get_soon gives it, within two seconds. Any thread.
 */
MUST_CHECK bool aws_credentials_soon(struct aws *aws, struct creds *out, struct err *err);

/* The same within wait_ms. */
MUST_CHECK bool aws_credentials_within(struct aws *aws, int64_t wait_ms, struct creds *out, struct err *err);

struct aws_client;
MUST_CHECK struct aws_client *aws_client_new(struct aws *aws, struct err *err); /* keeps aws; gives: aws_client_free */
void aws_client_free(struct aws_client *client);
/* From until_ms (monotonic) on, this client's calls end with ERR_CANCELLED, those under way too; 0: never. */
void aws_client_until(struct aws_client *client, int64_t until_ms);

/* AWS's clock minus ours, by the newest answer that any client got; false: none had a Date yet. Any thread. */
bool aws_clock_gap(struct aws *aws, int64_t *gap_ms);
/* Shall uploads carry a checksum where S3 does not demand one, shall downloads be held against S3's, and does this
 * client talk to S3 over TLS? Any thread. */
bool aws_sums_requests(const struct aws_client *client);
bool aws_checks_answers(const struct aws_client *client);
bool aws_s3_is_https(const struct aws_client *client);

/* The process-wide counters for /metrics, by operation name ("S3.GetObject"). */
struct aws_stat {
    const char *operation; /* static text */
    uint64_t calls, attempts, failures, throttles;
    uint64_t total_ms;
};
/* Copies at most max entries, returns how many. Any thread. */
size_t aws_stats(struct aws *aws, struct aws_stat *out, size_t max);

/* ---- for the service files of aws/ only: the request pipeline ---- */

struct aws_header {
    const char *name; /* static, lower case */
    struct span value;
};
enum { AWS_MAX_HEADERS = 16 };

struct aws_request {
    const char *operation; /* "S3.GetObject": for logs and counters; static */
    enum aws_service service;
    const char *method; /* static */
    struct span bucket; /* S3 only; decides host or first path segment */
    struct span path;   /* S3: "/" + percent-encoded key, or "/"; others: encoded path, "/" for STS, IAM and SQS */
    struct span query;  /* canonical: encoded, sorted, every name with '=' ("uploads=") */
    struct aws_header
        headers[AWS_MAX_HEADERS]; /* beside host, x-amz-date, x-amz-content-sha256, token, authorization */
    size_t header_count;
    struct span body;                 /* from memory, so that it can be sent again */
    const unsigned char *body_sha256; /* 32 bytes, where the caller knows them already; NULL: they are computed */
    const char *content_type;         /* NULL: none is sent (never libcurl's form type) */
    bool has_body;                    /* POST and PUT with an empty body still have one */
    bool send_once;                   /* new connection, no silent resend, one attempt: the caller judges */
    bool is_paid;              /* every time it is carried out costs money: new connection, no silent resend, and no
                                  second attempt after one that was sent and whose time ran out */
    bool error_in_200;         /* a 200 of S3 whose root is Error, or that is cut or blank, is a retryable 500 */
    bool may_be_cut;           /* read up to max_response_bytes; the rest of a longer answer is not waited for */
    size_t max_response_bytes; /* 0 = 4 MiB */
    int64_t timeout_ms;        /* 0: options.call_timeout_ms */
};

struct aws_response {
    int status;
    struct buf body; /* whole answer; bounded by max_response_bytes */
    char etag[136];  /* with its quotes, as sent */
    char content_type[128];
    char request_id[80];
    char bucket_region[32]; /* x-amz-bucket-region */
    char last_modified[40];
    char content_range[80];
    char storage_class[32]; /* x-amz-storage-class */
    char upload_marker[40]; /* x-amz-meta-vidbatch-upload: which multipart upload made the object (s3_writer.c) */
    enum checksum_kind
        checksum_kind; /* of the whole object, where S3 gave one that can be computed from its bytes ... */
    char checksum[CHECKSUM_TEXT_SIZE]; /* ... and its value */
    int64_t content_length;            /* -1 unknown */
};
void aws_response_done(struct aws_response *rs);

/* Sends, signs anew on every attempt, retries by the one judge (aws/retry.h), reads the error document. Success = 2xx
 * (and 304). On failure err holds kind, retryable, AWS's name, words and request id; rs->status is set when there was
 * an answer. Kinds: 404 -> ERR_NOT_FOUND, 403 -> ERR_DENIED, 409/412 -> ERR_CONFLICT, throttling -> ERR_BUSY, other 4xx
 * -> ERR_INPUT, 5xx and transport -> ERR_UPSTREAM, deadline -> ERR_TIMEOUT. A bucket in another Region is asked there,
 * once a call, and from then on at once (AWS's own endpoints only). Codes: "wrong_region" (its Region cannot be found),
 * "response_too_large" (ERR_UPSTREAM, not retryable). Without credentials: ERR_UPSTREAM, always with a code
 * ("credentials" or the provider's: "no_credentials", "role_refused" ...) and without any upstream field, for the call
 * was not sent; retryable as the provider says. rs: the caller's, overwritten, to be ended with aws_response_done on
 * success and failure. The client's thread only. */
MUST_CHECK bool aws_call(struct aws_client *client, const struct aws_request *rq, struct aws_response *rs,
                         struct err *err);

/* Many calls at a time on the client's multi handle, each with the same signing, retries and error reading as aws_call.
 * next: fills rq (text it points to must live until done is called) and *item, or returns false when there are no more
 * for now. done: gets each finished call once, in any order; returning false stops taking new ones, lets the running
 * ones end, and makes aws_call_many return false with the err that done filled. call_err is NULL for a call that went
 * well. When the service is stopping, every call still out gets its done with ERR_CANCELLED, and aws_call_many returns
 * false with that. */
struct aws_many {
    bool (*next)(void *arg, struct aws_request *rq, void **item);
    bool (*done)(void *arg, void *item, const struct aws_response *rs, const struct err *call_err, struct err *err);
    /* An attempt of this item was throttled and will be made again: fewer calls at a time would be wise. May be NULL.
     */
    void (*throttled)(void *arg, void *item);
    void *arg;
    int concurrency;
};
MUST_CHECK bool aws_call_many(struct aws_client *client, const struct aws_many *many, struct err *err);

/* One call in the background: it moves on whenever its client is at work, and by aws_later_poll, which never waits.
 * rq's text, rq's body and rs must live until it is ended. Gives: aws_later_end, which waits and tells what aws_call
 * would have told; or aws_later_drop, which breaks it off (NULL is fine). rs: to be ended with aws_response_done after
 * either. */
struct aws_later;
MUST_CHECK struct aws_later *aws_later_begin(struct aws_client *client, const struct aws_request *rq,
                                             struct aws_response *rs, struct err *err);
MUST_CHECK bool aws_later_poll(struct aws_later *later, struct err *err);
MUST_CHECK bool aws_later_end(struct aws_later *later, struct err *err);
void aws_later_drop(struct aws_later *later);

/* A streamed answer, pulled: the body is held back by libcurl's pause while nobody reads. Opening retries like aws_call
 * until the head of a good answer is there; the body is one attempt, the caller resumes. *head (without a body) is
 * filled on failure too, as far as there was an answer. Other calls may be made with the client meanwhile. Gives:
 * aws_stream_close, before the client is freed. rq's text must live until then. */
struct aws_stream;
MUST_CHECK bool aws_stream_open(struct aws_client *client, const struct aws_request *rq, struct aws_response *head,
                                struct aws_stream **out, struct err *err);
/* *piece borrowed until the next call; len 0 at the end of a complete body. A body that ends early is a retryable
 * ERR_UPSTREAM. */
MUST_CHECK bool aws_stream_read(struct aws_stream *stream, struct span *piece, struct err *err);
void aws_stream_close(struct aws_stream *stream);

/* For presigned URLs: scheme, host and path prefix that a client would use for this bucket ("https://host/prefix"
 * appended to out), and the host alone with its port as signed. path_prefix gets "/bucket" or "". region: to sign for;
 * the bucket's own where it is known to lie in another one. */
MUST_CHECK bool aws_s3_address(struct aws *aws, struct span bucket, struct buf *origin, struct buf *host,
                               struct buf *path_prefix, char region[AWS_REGION_SIZE], struct err *err);
/* The Region of a bucket as S3's answers have told it to this process. False, region untouched: not known. Any thread.
 */
bool aws_bucket_region(struct aws *aws, struct span bucket, char region[AWS_REGION_SIZE]);
/* What somebody else knows of it, from an earlier run of the process: believed until S3 says otherwise. Any thread. */
void aws_tell_bucket_region(struct aws *aws, struct span bucket, struct span region);
/* Wall clock plus the skew learned from AWS's answers, in seconds. */
int64_t aws_now_s(struct aws *aws);

#endif
