/* The doctor: looks whether the service can do its work, check by check, and says what is missing and how to cure it.
 * `vidbatchd doctor` and POST /v1/prefixes/{id}/check are this one thing. Nothing that it does is charged for but a few
 * S3 requests; it writes only small objects named vidbatch-doctor-*.txt under the staging and output locations, and
 * removes them. */
#ifndef VIDBATCH_WORK_DOCTOR_H
#define VIDBATCH_WORK_DOCTOR_H

#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/json_writer.h"
#include "server/base/span.h"
#include "server/work/models.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum doctor_state { DOCTOR_OK, DOCTOR_PROBLEM, DOCTOR_CANNOT_KNOW };

struct doctor_check {
    const char *name; /* static: "credentials", "staging.write" ... */
    enum doctor_state state;
    char sentence[1200];  /* what was found */
    char remedy[600];     /* what to do; "" where nothing is to be done */
    char action[64];      /* the IAM action that is missing; "" where none is */
    char statement[1400]; /* JSON of the policy statement to add; "" where there is none */
};

struct doctor_place { /* a registered prefix; borrowed */
    struct span bucket, prefix;
    struct span owner; /* account, or empty */
};

enum { DOCTOR_MAX_PLACES = 5, DOCTOR_MAX_CHECKS = 48 };
struct doctor_report { /* about 150 KB: for the heap */
    size_t count;
    struct doctor_check checks[DOCTOR_MAX_CHECKS];
};
/* The next check, ok, with its sentence. Never NULL: what is beyond the last goes into the last. */
struct doctor_check *doctor_add(struct doctor_report *report, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* Turns a check into a problem, or into something that cannot be known, with its remedy. */
void doctor_mark(struct doctor_check *check, enum doctor_state state, const char *fmt, ...) PRINTF(3, 4);
bool doctor_has_problem(const struct doctor_report *report);

/* {"result", "checks": [...]}, the members alone: the caller opens and closes the object. */
void doctor_json(const struct doctor_report *report, struct json_writer *w);
/* A line a check, remedies beneath it. */
void doctor_text(const struct doctor_report *report, struct buf *out);

struct doctor_settings { /* kept; texts "" where not set, URIs without trailing slash */
    const char *region, *model_id, *role_arn, *staging_uri, *output_uri, *bucket_owner;
    const char *region_origin;    /* where it is from, for people: "AWS_REGION" */
    const char *missing_settings; /* what a job needs and is not set, as config_missing_for_jobs names it */
    const struct models *models;
    int64_t check_ms; /* longest check; 0 = 5000 */
    int64_t total_ms; /* longest examination; 0 = 25000, and at most as much again for removing what was written */
};

struct doctor;
struct aws;
/* Keeps settings and aws. Gives: doctor_free. */
MUST_CHECK struct doctor *doctor_new(const struct doctor_settings *settings, struct aws *aws, struct err *err);
void doctor_free(struct doctor *doctor);
/* Examines AWS, the settings, and up to DOCTOR_MAX_PLACES prefixes; adds to report. What it finds is no failure: false
 * only for lack of memory, and with ERR_BUSY, code "check_running", where one of this process is under way (each holds
 * up its thread). Any thread. */
MUST_CHECK bool doctor_examine(struct doctor *doctor, const struct doctor_place *places, size_t place_count,
                               struct doctor_report *report, struct err *err);

/* The judgement of a clock: AWS's minus ours. Pure. */
void doctor_judge_clock(struct doctor_report *report, bool is_known, int64_t gap_ms);

#endif
