/* The Bedrock jobs: a table, and a thread per job that takes it through its life. Any thread. */
#ifndef VIDBATCH_EMULATOR_JOBS_H
#define VIDBATCH_EMULATOR_JOBS_H

#include "server/base/attr.h"
#include "server/base/span.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/faults.h"

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum job_status {
    JOB_SUBMITTED,
    JOB_VALIDATING,
    JOB_SCHEDULED,
    JOB_IN_PROGRESS,
    JOB_STOPPING,
    JOB_COMPLETED, /* from here on terminal */
    JOB_PARTIALLY_COMPLETED,
    JOB_FAILED,
    JOB_STOPPED,
    JOB_EXPIRED
};

struct job_counts {
    int64_t total, processed, success, error, input_tokens, output_tokens;
};

/* s3://bucket/prefix taken apart; prefix without a slash at its end. */
struct job_place {
    char bucket[64];
    char prefix[1024];
};

struct job {
    /* never changed after it is in the table */
    struct emulator *emu;
    int64_t number; /* 1, 2, ... in order of creation */
    char id[13];
    char arn[160];
    char name[64];
    char token[257];
    char model_id[2100]; /* as Get shows it */
    char type[16];
    char role_arn[2049];
    char input_uri[1025], output_uri[1025];
    struct job_place input, output;
    char *input_config, *output_config, *vpc_config; /* as JSON */
    int64_t timeout_hours;
    int64_t submit_ms;
    int64_t created_mono_ms;
    struct job_script script;
    pthread_t thread;

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    enum job_status status;
    char message[1024];
    int64_t modified_ms, ended_ms;
    int64_t total;            /* known after validation */
    int64_t progress_from_ms; /* monotonic; counters move between these two */
    int64_t progress_to_ms;
    struct job_counts counts; /* at the end */
    bool stop_wanted, released;
    int64_t create_calls;
};

/* A moment's picture of what moves. */
struct job_view {
    enum job_status status;
    char message[1024];
    int64_t modified_ms, ended_ms;
    struct job_counts counts; /* as Get shows them now */
    int64_t create_calls;
};

struct job_request;
enum jobs_create_result { JOBS_CREATED, JOBS_REPEATED, JOBS_NAME_TAKEN, JOBS_TOKEN_TAKEN, JOBS_TOO_MANY };

struct jobs *jobs_new(struct emulator *emu);
/* Ends all threads. */
void jobs_stop(struct jobs *jobs);
/* *out stays valid until jobs_stop. */
enum jobs_create_result jobs_create(struct jobs *jobs, const struct job_request *rq, struct job **out);
struct job *jobs_find(struct jobs *jobs, const char *arn);
/* By position of creation, NULL beyond the last. */
struct job *jobs_at(struct jobs *jobs, size_t index);
/* False: it has ended already. */
bool job_stop(struct job *job);
/* Lets held jobs of which the name contains the text go on; how many. */
int64_t jobs_release(struct jobs *jobs, struct span name_contains);
void job_look(struct job *job, struct job_view *out);

const char *job_status_name(enum job_status status);
/* s3://bucket or s3://bucket/prefix[/] */
MUST_CHECK bool job_place_read(const char *uri, struct job_place *out);

/* The thread's work, in job_run.c. */
void *job_run(void *job);
/* The emulator is ending: threads leave at once. */
bool jobs_are_stopping(const struct jobs *jobs);

#endif
