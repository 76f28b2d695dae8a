#include "tests/emulator/jobs.h"

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/json_writer.h"
#include "server/base/mem.h"
#include "server/base/text.h"
#include "tests/emulator/bedrock.h"
#include "tests/emulator/journal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* How long the counters of a finished job may lag where its script asks for it. */
enum { LAG_MS = 2000 };

struct jobs {
    struct emulator *emu;
    pthread_mutex_t lock; /* guards the table; jobs have their own */
    struct job **table;
    size_t count;
    atomic_bool stopping;
};

struct jobs *jobs_new(struct emulator *emu)
{
    struct jobs *jobs = emu_alloc(1, sizeof *jobs);

    jobs->emu = emu;
    pthread_mutex_init(&jobs->lock, NULL);
    return jobs;
}

bool jobs_are_stopping(const struct jobs *jobs)
{
    return atomic_load(&jobs->stopping);
}

void jobs_stop(struct jobs *jobs)
{
    atomic_store(&jobs->stopping, true);
    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = jobs->table[i];
        pthread_mutex_lock(&job->lock);
        pthread_cond_broadcast(&job->changed);
        pthread_mutex_unlock(&job->lock);
        pthread_join(job->thread, NULL);
    }
}

const char *job_status_name(enum job_status status)
{
    static const char *const names[] = { "Submitted", "Validating",         "Scheduled", "InProgress", "Stopping",
                                         "Completed", "PartiallyCompleted", "Failed",    "Stopped",    "Expired" };

    return names[status];
}

bool job_place_read(const char *uri, struct job_place *out)
{
    struct span rest = span_of(uri);
    struct span bucket = { "", 0 };

    memset(out, 0, sizeof *out);
    if (!span_starts(rest, SPAN_LIT("s3://")))
        return false;
    rest = span_tail(rest, 5);
    bucket = span_head(rest, span_find(rest, '/'));
    rest = span_tail(rest, bucket.len + 1);
    if (span_ends(rest, SPAN_LIT("/")))
        rest = span_head(rest, rest.len - 1);
    if (bucket.len >= sizeof out->bucket || rest.len >= sizeof out->prefix)
        return false;
    memcpy(out->bucket, bucket.ptr, bucket.len);
    if (rest.len > 0)
        memcpy(out->prefix, rest.ptr, rest.len);
    return true;
}

static void make_id(char id[13])
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    unsigned char noise[12];

    text_random(noise, sizeof noise);
    for (int i = 0; i < 12; i++)
        id[i] = digits[noise[i] % 36];
    id[12] = '\0';
}

/* The config as it was sent, with the owner filled in as AWS does. */
static char *config_text(struct emulator *emu, json_t *config, const char *inner)
{
    json_t *copy = json_deep_copy(config);
    json_t *s3 = json_object_get(copy, inner);
    char *dump = NULL;
    char *text = NULL;

    if (!json_object_get(s3, "s3BucketOwner"))
        json_object_set_new(s3, "s3BucketOwner", json_string(emu->config.account));
    dump = json_dumps(copy, JSON_COMPACT);
    if (!dump)
        emu_die("out of memory");
    text = emu_copy(span_of(dump));
    free(dump);
    json_decref(copy);
    return text;
}

static void set_model(struct job *job, const char *model_id)
{
    if (strncmp(model_id, "amazon.", 7) == 0)
        snprintf(job->model_id, sizeof job->model_id, "arn:aws:bedrock:%s::foundation-model/%s",
                 job->emu->config.region, model_id);
    else
        snprintf(job->model_id, sizeof job->model_id, "%s", model_id);
}

static struct job *make_job(struct jobs *jobs, const struct job_request *rq)
{
    struct job *job = emu_alloc(1, sizeof *job);
    pthread_condattr_t attributes;
    json_t *vpc = json_object_get(rq->json, "vpcConfig");

    job->emu = jobs->emu;
    make_id(job->id);
    snprintf(job->arn, sizeof job->arn, "arn:aws:bedrock:%s:%s:model-invocation-job/%s", jobs->emu->config.region,
             jobs->emu->config.account, job->id);
    snprintf(job->name, sizeof job->name, "%s", rq->name);
    snprintf(job->token, sizeof job->token, "%s", rq->token ? rq->token : "");
    snprintf(job->type, sizeof job->type, "%s", rq->type ? rq->type : "InvokeModel");
    snprintf(job->role_arn, sizeof job->role_arn, "%s", rq->role_arn);
    snprintf(job->input_uri, sizeof job->input_uri, "%s", rq->input_uri);
    snprintf(job->output_uri, sizeof job->output_uri, "%s", rq->output_uri);
    set_model(job, rq->model_id);
    if (!job_place_read(rq->input_uri, &job->input) || !job_place_read(rq->output_uri, &job->output))
        emu_die("a checked URI does not parse");
    job->input_config = config_text(jobs->emu, json_object_get(rq->json, "inputDataConfig"), "s3InputDataConfig");
    job->output_config = config_text(jobs->emu, json_object_get(rq->json, "outputDataConfig"), "s3OutputDataConfig");
    if (vpc)
        job->vpc_config = json_dumps(vpc, JSON_COMPACT);
    job->timeout_hours = rq->timeout_hours;
    job->submit_ms = job->modified_ms = emu_now_ms(jobs->emu);
    job->created_mono_ms = clock_mono_ms();
    faults_job_script(jobs->emu->faults, span_of(job->name), &job->script);
    job->create_calls = 1;
    pthread_mutex_init(&job->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&job->changed, &attributes);
    return job;
}

static void log_created(struct job *job)
{
    AUTO(buf_done) struct buf line = { 0 };
    struct json_writer w = json_writer_on(&line);

    buf_init(&line, 0);
    json_begin_object(&w);
    json_put_time(&w, "time", job->submit_ms);
    json_put_text(&w, "event", "job.created");
    json_put_text(&w, "arn", job->arn);
    json_put_text(&w, "name", job->name);
    json_put_text(&w, "token", job->token);
    json_put_text(&w, "input", job->input_uri);
    json_put_text(&w, "output", job->output_uri);
    json_end_object(&w);
    journal_line(job->emu->journal, &line);
}

static bool same_model(const struct job *job, const char *model_id)
{
    return emu_contains(span_of(job->model_id), span_of(model_id));
}

static bool knows_token(const struct job *job, const char *token)
{
    const int64_t lives_ms = job->emu->config.token_ms;

    return token && strcmp(job->token, token) == 0 &&
           (lives_ms == 0 || emu_now_ms(job->emu) - job->submit_ms < lives_ms);
}

/* What stands against a new job; JOBS_CREATED: nothing. Under the table's lock. */
static enum jobs_create_result judge(struct jobs *jobs, const struct job_request *rq, struct job **out)
{
    int64_t running = 0;

    for (size_t i = 0; i < jobs->count; i++) {
        struct job *job = jobs->table[i];
        bool same_name = strcmp(job->name, rq->name) == 0;
        bool is_running = false;

        if (knows_token(job, rq->token)) {
            *out = job;
            return same_name ? JOBS_REPEATED : JOBS_TOKEN_TAKEN;
        }
        pthread_mutex_lock(&job->lock);
        is_running = job->status < JOB_COMPLETED;
        pthread_mutex_unlock(&job->lock);
        if (same_name && (is_running || !jobs->emu->config.names_are_freed))
            return JOBS_NAME_TAKEN;
        running += is_running && same_model(job, rq->model_id);
    }
    return running >= jobs->emu->config.concurrent_jobs ? JOBS_TOO_MANY : JOBS_CREATED;
}

enum jobs_create_result jobs_create(struct jobs *jobs, const struct job_request *rq, struct job **out)
{
    enum jobs_create_result result = JOBS_CREATED;

    pthread_mutex_lock(&jobs->lock);
    result = judge(jobs, rq, out);
    if (result == JOBS_REPEATED) {
        pthread_mutex_lock(&(*out)->lock);
        (*out)->create_calls++;
        pthread_mutex_unlock(&(*out)->lock);
    }
    if (result == JOBS_CREATED) {
        struct job *job = make_job(jobs, rq);
        jobs->table = emu_resize(jobs->table, jobs->count + 1, sizeof(struct job *));
        jobs->table[jobs->count++] = job;
        job->number = (int64_t)jobs->count;
        log_created(job);
        if (pthread_create(&job->thread, NULL, job_run, job) != 0)
            emu_die("job thread");
        *out = job;
    }
    pthread_mutex_unlock(&jobs->lock);
    return result;
}

struct job *jobs_find(struct jobs *jobs, const char *arn)
{
    struct job *found = NULL;

    pthread_mutex_lock(&jobs->lock);
    for (size_t i = 0; i < jobs->count && !found; i++)
        if (strcmp(jobs->table[i]->arn, arn) == 0)
            found = jobs->table[i];
    pthread_mutex_unlock(&jobs->lock);
    return found;
}

struct job *jobs_at(struct jobs *jobs, size_t index)
{
    struct job *job = NULL;

    pthread_mutex_lock(&jobs->lock);
    if (index < jobs->count)
        job = jobs->table[index];
    pthread_mutex_unlock(&jobs->lock);
    return job;
}

bool job_stop(struct job *job)
{
    bool can = false;

    pthread_mutex_lock(&job->lock);
    can = job->status < JOB_COMPLETED;
    if (can) {
        job->stop_wanted = true;
        job->status = JOB_STOPPING;
        job->modified_ms = emu_now_ms(job->emu);
        pthread_cond_broadcast(&job->changed);
    }
    pthread_mutex_unlock(&job->lock);
    return can;
}

int64_t jobs_release(struct jobs *jobs, struct span name_contains)
{
    int64_t released = 0;
    struct job *job = NULL;

    for (size_t i = 0; (job = jobs_at(jobs, i)) != NULL; i++) {
        if (!emu_contains(span_of(job->name), name_contains))
            continue;
        pthread_mutex_lock(&job->lock);
        released += job->script.hold && !job->released;
        job->released = true;
        pthread_cond_broadcast(&job->changed);
        pthread_mutex_unlock(&job->lock);
    }
    return released;
}

/* Counters while the job runs: they climb with time to what they will be. */
static struct job_counts counts_now(const struct job *job)
{
    struct job_counts c = job->counts;
    int64_t now = clock_mono_ms();
    double share = 1;

    if (job->status < JOB_COMPLETED)
        share = job->status < JOB_IN_PROGRESS || now <= job->progress_from_ms ? 0
                : job->progress_to_ms <= job->progress_from_ms                ? 0
                : now >= job->progress_to_ms
                    ? 1
                    : (double)(now - job->progress_from_ms) / (double)(job->progress_to_ms - job->progress_from_ms);
    if (job->script.lagging_counters && (job->status < JOB_COMPLETED || emu_now_ms(job->emu) < job->ended_ms + LAG_MS))
        share /= 2;
    c.success = (int64_t)((double)c.success * share);
    c.error = (int64_t)((double)c.error * share);
    c.processed = c.success + c.error;
    c.total = job->status < JOB_IN_PROGRESS || job->status == JOB_EXPIRED ? 0 : job->total;
    return c;
}

void job_look(struct job *job, struct job_view *out)
{
    pthread_mutex_lock(&job->lock);
    out->status = job->status;
    memcpy(out->message, job->message, sizeof out->message);
    out->modified_ms = job->modified_ms;
    out->ended_ms = job->ended_ms;
    out->create_calls = job->create_calls;
    out->counts = counts_now(job);
    pthread_mutex_unlock(&job->lock);
}
