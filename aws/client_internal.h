/* What the files of the client share: client.c (life, counters), client_settings.c, signing.c (URL and signed headers),
 * transport.c (libcurl), exchange.c (one call over its attempts), region_follow.c, call_many.c,
 * stream.c. Nobody but they and their
 * tests include this. */
#ifndef VIDBATCH_AWS_CLIENT_INTERNAL_H
#define VIDBATCH_AWS_CLIENT_INTERNAL_H

#include "aws/bucket_regions.h"
#include "aws/client.h"
#include "aws/endpoint.h"
#include "aws/governor.h"
#include "aws/profile_file.h"
#include "aws/retry.h"
#include "aws/sigv4.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

enum { AWS_MAX_STATS = 32, AWS_IDLE_HANDLES = 8, AWS_POLL_MS = 200 };
enum { AWS_MAX_ERROR_BODY = 64 * 1024, AWS_MAX_HEADER_BYTES = 256 * 1024 };

struct stat_counters {
    _Atomic(const char *) operation; /* set once */
    atomic_uint_fast64_t calls, attempts, failures, throttles, total_ms;
};

struct aws {                    /* fixed after aws_new, but for what is atomic or has its own lock */
    struct aws_options options; /* text pointers are cleared: only the numbers and functions are used */
    char region[AWS_REGION_SIZE];
    char *ca_bundle;
    bool use_fips, use_dualstack;
    bool ignores_endpoint_urls; /* AWS_IGNORE_CONFIGURED_ENDPOINT_URLS */
    bool sums_requests, checks_answers;
    struct endpoint endpoints[AWS_SERVICES];
    struct bucket_regions bucket_regions;
    struct retry_budget budgets[AWS_SERVICES];
    struct governor governors[AWS_SERVICES];
    struct creds_chain *credentials;
    _Atomic int64_t skew_ms;      /* AWS's clock minus ours */
    _Atomic int64_t clock_gap_ms; /* the same by the newest answer, whether it was refused or not */
    atomic_bool has_clock_gap;
    pthread_mutex_t stats_lock; /* only for taking a new entry of stats */
    struct stat_counters stats[AWS_MAX_STATS];
};

struct aws_client {
    struct aws *aws;
    CURLM *multi;
    CURL *idle[AWS_IDLE_HANDLES]; /* handles kept for reuse; their connections live in the multi */
    int idle_count;
    int64_t until_ms; /* monotonic; 0: no end */
    struct sigv4_keys keys;
};

/* One call over all its attempts. Zeroed memory is empty; the owner fills client, rq and rs, then exchange_start. */
struct exchange {
    struct aws_client *client;
    struct aws_request rq;     /* text borrowed until exchange_done */
    struct aws_response *rs;   /* caller's */
    struct aws_stream *stream; /* gets the body of a success; NULL: it goes into rs->body */

    /* over all attempts */
    int64_t started_ms; /* monotonic */
    int attempts;
    char invocation_id[37];         /* the same in all attempts */
    int retries;                    /* of them counted ones */
    int taken;                      /* what the last retry cost */
    bool skew_fixed, creds_renewed; /* the special retries were used */
    bool was_throttled;             /* the last attempt */
    bool region_followed;           /* to the bucket's Region */
    bool is_lost;                   /* the bucket's Region was looked for in vain */
    bool is_probe;                  /* rq asks where the bucket is ... */
    struct aws_request asked;       /* ... and this is what was asked for */

    struct creds creds; /* that signed the present attempt */
    int64_t skew_ms;    /* that signed the present attempt */

    /* the present attempt */
    struct endpoint endpoint; /* where it goes */
    bool is_inside;           /* the governor counts it as under way ... */
    int crowd;                /* ... with so many, itself among them: the most of when it was sent and when it ended */
    int64_t sent_ms;          /* monotonic */
    CURL *easy;               /* NULL: nothing is on its way */
    struct curl_slist *header_list;
    struct buf url;
    bool is_finished;               /* libcurl is done with it, `result` says how */
    struct exchange *also_finished; /* in the same round of libcurl; only while that is looked through */
    CURLcode result;
    bool is_head_done; /* the final answer's headers are complete */
    bool is_too_large;
    bool is_cut;        /* all of the body that is wanted is there: we ended the transfer */
    bool has_no_memory; /* for the body */
    size_t header_bytes;
    char error_type[128]; /* x-amzn-errortype */
    int64_t date_ms;      /* of the answer; 0: none */
    int64_t arrived_ms;   /* wall clock when it came */
    int64_t hint_ms;      /* when AWS wants to be asked again; 0: it did not say */
    char transport_error[CURL_ERROR_SIZE];
};

/* ---- client.c ---- */
bool client_is_stopping(const struct aws_client *client);
/* Never NULL: when the table is full the last entry takes all other operations. */
struct stat_counters *client_stat(struct aws *aws, const char *operation);

/* ---- client_settings.c ---- */
/* Fills in all that environment and profile say of endpoints, trust, retries and checksums; aws->region is there.
 * ERR_INPUT, codes "bad_endpoint", "bad_profile_file", "bad_ca_bundle". */
MUST_CHECK bool client_settings_read(struct aws *aws, const struct aws_options *options, const struct profile *profile,
                                     struct err *err);

/* Where a request goes: to the service's endpoint, or to that of the bucket's Region where it is another one. */
MUST_CHECK bool client_endpoint(struct aws *aws, enum aws_service service, struct span bucket, struct endpoint *out,
                                struct err *err);

/* ---- region_follow.c ---- */
struct aws_error;
enum region_move {
    REGION_STAY,  /* the refusal is not about the Region */
    REGION_MOVED, /* make the next attempt at once: it goes to the bucket's Region, or asks which that is */
    REGION_LOST,  /* it is about the Region, and following it once did not help */
};
/* After an attempt that S3 refused. */
enum region_move region_follow(struct exchange *x, const struct aws_error *said);
/* Does the answer name the bucket's Region? It may, whatever else it says. */
bool region_is_named(const struct exchange *x);
/* After the last attempt of a probe, whatever came of it: the call itself is next, where the Region is named. */
void region_end_probe(struct exchange *x);
/* After any other answer: keeps what it says of the bucket's Region. */
void region_learn(struct exchange *x);
/* Fills err, code "wrong_region". Always false. */
bool region_describe(const struct exchange *x, const struct aws_error *said, struct err *err);

/* ---- signing.c ---- */
/* Fills x->url and x->header_list for one attempt, signed now with x->creds and x->skew_ms. */
MUST_CHECK bool signing_prepare(struct exchange *x, struct err *err);

/* ---- transport.c ---- */
/* Puts the prepared attempt on its way. */
MUST_CHECK bool transport_start(struct exchange *x, struct err *err);
/* Takes it off again, finished or not. */
void transport_end(struct exchange *x);
/* Moves all exchanges of the client on; waits at most wait_ms for something to happen. */
MUST_CHECK bool transport_pump(struct aws_client *client, int64_t wait_ms, struct err *err);
/* stream.c: keeps body bytes; false: hold the answer back for now. */
bool stream_take(struct aws_stream *stream, struct span bytes);

/* ---- exchange.c ---- */
enum exchange_state {
    EXCHANGE_GOOD,  /* ended well: rs is filled */
    EXCHANGE_BAD,   /* ended for good: err is filled */
    EXCHANGE_AGAIN, /* start it again at *again_at_ms (monotonic) */
};
/* Empties rs for the answer of rq, and fills in the default bound of that answer. */
void exchange_prepare_response(struct aws_request *rq, struct aws_response *rs);
/* May an attempt be sent now, as far as the governor of its endpoint is concerned? Takes its place there. False: ask
 * again after EXCHANGE_ASK_MS. */
enum { EXCHANGE_ASK_MS = 10 };
MUST_CHECK bool exchange_may_start(struct exchange *x);
/* The answer is there: how many places are taken, its own among them? */
void exchange_note_crowd(struct exchange *x);
/* Gives the place back, where it has one. */
void exchange_leave(struct exchange *x);
/* Signs and sends one attempt, once it may start. One that fails to has given its place back. */
MUST_CHECK bool exchange_start(struct exchange *x, struct err *err);
/* Judges the finished attempt, or for a stream the complete head of an answer that went well. */
enum exchange_state exchange_settle(struct exchange *x, int64_t *again_at_ms, struct err *err);
/* Runs attempts until the exchange has ended, or until a stream's head is there. */
MUST_CHECK bool exchange_run(struct exchange *x, struct err *err);
/* A stream's body broke off: fills err, always false. */
bool exchange_describe_cut(const struct exchange *x, struct err *err);
/* Counts the call's end, ended well or not. */
void exchange_count(struct exchange *x, bool is_good);
/* ERR_CANCELLED. Always false. */
bool exchange_cancelled(struct err *err);
/* Ends what is on its way and wipes. */
void exchange_done(struct exchange *x);

#endif
