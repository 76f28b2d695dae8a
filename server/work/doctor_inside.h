/* What the files of the doctor share; only doctor*.c include it. */
#ifndef VIDBATCH_WORK_DOCTOR_INSIDE_H
#define VIDBATCH_WORK_DOCTOR_INSIDE_H

#include "aws/client.h"
#include "aws/cure.h"
#include "aws/identity.h"
#include "server/work/doctor.h"
#include "server/work/iam_policy.h"

enum { DOCTOR_SERVICES = 6 };

/* One examination. */
struct examination {
    const struct doctor_settings *settings;
    struct aws *aws;
    struct aws_client *client;
    struct doctor_report *report;
    struct iam_facts facts; /* for the statements */
    int64_t until_ms;       /* monotonic */
    int64_t check_ms;
    const char *blocked_by;                         /* the check that found that no call can succeed; NULL: none did */
    const char *unreachable_since[DOCTOR_SERVICES]; /* the same for one service's endpoint */
    struct aws_identity identity;                   /* arn "" where not known */
};

/* What one check tries. */
struct attempt {
    const char *name;      /* of the check */
    const char *operation; /* of the call, for its IAM action */
    enum aws_service service;
    char tried[1400];                 /* "Listing s3://videos/in/" */
    const struct iam_location *where; /* for the statement; NULL: place */
    bool of_bucket;
    enum iam_place place;
};

/* Is there still time, and any sense in trying? Else adds the check as not known. Starts the check's clock. */
bool doctor_may_try(struct examination *x, const struct attempt *attempt);
/* Adds the check that failed: cause, remedy, missing action and statement. */
struct doctor_check *doctor_failed(struct examination *x, const struct attempt *attempt, const struct err *err);

/* doctor_caller.c: credentials and identity; the clock, after all calls: each answer tells the time */
void doctor_caller(struct examination *x);
void doctor_clock(struct examination *x);
/* doctor_bedrock.c: model, list of jobs, service role */
void doctor_bedrock(struct examination *x);
/* doctor_iam.c: trust and iam:PassRole as IAM tells. True: the check is added. False: IAM did not tell, *silence says
 * why, where there is anything to say. */
struct iam_silence {
    char why[400];    /* a clause: "IAM may not be asked (...)" */
    char remedy[200]; /* a further sentence, with a blank before it */
};
MUST_CHECK bool doctor_iam_trust(struct examination *x, struct iam_silence *silence);
MUST_CHECK bool doctor_iam_pass(struct examination *x, struct iam_silence *silence);
/* doctor_places.c: one registered prefix, the staging location, the output location */
void doctor_prefix(struct examination *x, const struct iam_location *where);
void doctor_staging(struct examination *x);
void doctor_output(struct examination *x);

#endif
