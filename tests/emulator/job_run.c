/* The life of one job, from Submitted to its end. */
#include "server/base/clock.h"
#include "server/base/json_writer.h"
#include "tests/emulator/job_input.h"
#include "tests/emulator/job_output.h"
#include "tests/emulator/jobs.h"
#include "tests/emulator/journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* When, in hundredths of a job's time, it enters each status. */
enum { AT_VALIDATING = 10, AT_SCHEDULED = 25, AT_IN_PROGRESS = 35 };
/* How long, in the same measure, it then stays in Stopping. */
enum { FOR_STOPPING = 5 };

static int64_t moment(const struct job *job, int64_t percent)
{
    return job->created_mono_ms + job->emu->config.job_ms * percent / 100;
}

static bool must_leave(const struct job *job)
{
    return job->stop_wanted || jobs_are_stopping(job->emu->jobs);
}

/* Waits under the lock until the monotonic time; false: a stop came first. */
static bool wait_until(struct job *job, int64_t at_ms)
{
    struct timespec until = { at_ms / 1000, at_ms % 1000 * 1000000 };

    while (!must_leave(job) && clock_mono_ms() < at_ms)
        (void)pthread_cond_timedwait(&job->changed, &job->lock, &until);
    return !must_leave(job);
}

static void set_status(struct job *job, enum job_status status)
{
    job->status = status;
    job->modified_ms = emu_now_ms(job->emu);
}

/* Waits for its time and moves on; false: a stop came first. */
static bool advance(struct job *job, int64_t percent, enum job_status status)
{
    bool ok = false;

    pthread_mutex_lock(&job->lock);
    ok = wait_until(job, moment(job, percent));
    if (ok)
        set_status(job, status);
    pthread_mutex_unlock(&job->lock);
    return ok;
}

static void log_end(struct job *job, enum job_status status)
{
    AUTO(buf_done) struct buf line = { 0 };
    struct json_writer w = json_writer_on(&line);

    buf_init(&line, 0);
    json_begin_object(&w);
    json_put_time(&w, "time", emu_now_ms(job->emu));
    json_put_text(&w, "event", "job.ended");
    json_put_text(&w, "arn", job->arn);
    json_put_text(&w, "name", job->name);
    json_put_text(&w, "status", job_status_name(status));
    json_put_text(&w, "message", job->message);
    json_put_i64(&w, "records", job->counts.total);
    json_put_i64(&w, "success", job->counts.success);
    json_put_i64(&w, "error", job->counts.error);
    json_end_object(&w);
    journal_line(job->emu->journal, &line);
}

static void end(struct job *job, enum job_status status, const char *message)
{
    pthread_mutex_lock(&job->lock);
    if (message[0])
        snprintf(job->message, sizeof job->message, "%s", message);
    log_end(job, status);
    job->ended_ms = emu_now_ms(job->emu);
    set_status(job, status);
    pthread_mutex_unlock(&job->lock);
}

static enum job_status scripted_end(const struct job *job)
{
    const char *name = job->script.terminal;

    for (enum job_status s = JOB_COMPLETED; s <= JOB_EXPIRED; s++)
        if (strcmp(name, job_status_name(s)) == 0)
            return s;
    return JOB_COMPLETED;
}

/* Stopping is seen for a while before Stopped. */
static void linger_in_stopping(struct job *job)
{
    int64_t until_ms = clock_mono_ms() + job->emu->config.job_ms * FOR_STOPPING / 100;
    struct timespec until = { until_ms / 1000, until_ms % 1000 * 1000000 };

    pthread_mutex_lock(&job->lock);
    while (!jobs_are_stopping(job->emu->jobs) && clock_mono_ms() < until_ms)
        (void)pthread_cond_timedwait(&job->changed, &job->lock, &until);
    pthread_mutex_unlock(&job->lock);
}

/* The share of the records that is worked on before the job ends in this way. */
static double share_of(const struct job *job, enum job_status status)
{
    if (job->script.process_fraction >= 0)
        return job->script.process_fraction > 1 ? 1 : job->script.process_fraction;
    if (status == JOB_PARTIALLY_COMPLETED || status == JOB_STOPPED)
        return 0.6;
    return status == JOB_COMPLETED ? 1 : 0;
}

static const char *default_message(enum job_status status)
{
    switch (status) {
    case JOB_FAILED:
        return "Customer doesn't have permissions to invokeModel";
    case JOB_PARTIALLY_COMPLETED:
        return "The job reached its timeout before all records were processed";
    case JOB_EXPIRED:
        return "The job expired before it was started";
    default:
        return "";
    }
}

/* The share that a user's stop leaves: what the time until now allows. */
static double share_until_now(const struct job *job)
{
    int64_t whole = job->progress_to_ms - job->progress_from_ms;
    int64_t passed = clock_mono_ms() - job->progress_from_ms;

    if (job->script.process_fraction >= 0)
        return share_of(job, JOB_STOPPED);
    return whole <= 0 || passed >= whole ? 1 : (double)passed / (double)whole;
}

/* InProgress: the output is made at once and shown at the end, or made anew, shorter, when a stop comes. */
static void work(struct job *job, const struct job_input *input)
{
    enum job_status status = scripted_end(job);
    struct job_output output = { .objects = NULL };
    double share = share_of(job, status);
    bool stopped = false;

    pthread_mutex_lock(&job->lock);
    job->total = (int64_t)input->line_count;
    job->progress_from_ms = clock_mono_ms();
    job->progress_to_ms = moment(job, 100);
    pthread_mutex_unlock(&job->lock);
    if (share > 0)
        job_output_write(job, input, share, &output);
    pthread_mutex_lock(&job->lock);
    job->counts = output.counts;
    while (job->script.hold && !job->released && !must_leave(job))
        pthread_cond_wait(&job->changed, &job->lock);
    stopped = !wait_until(job, moment(job, 100)) && job->stop_wanted;
    pthread_mutex_unlock(&job->lock);
    if (jobs_are_stopping(job->emu->jobs)) {
        job_output_done(&output);
        return;
    }
    if (stopped) {
        double now_share = share_until_now(job);
        status = JOB_STOPPED;
        linger_in_stopping(job);
        if (now_share < share) {
            job_output_done(&output);
            job_output_write(job, input, now_share, &output);
        }
    }
    job_output_publish(job, &output);
    pthread_mutex_lock(&job->lock);
    job->counts = output.counts;
    job->counts.total = job->total;
    pthread_mutex_unlock(&job->lock);
    job_output_done(&output);
    end(job, status, job->script.message[0] && !stopped ? job->script.message : stopped ? "" : default_message(status));
}

/* Scheduled and onwards; false: a stop came before any work. */
static bool run_valid(struct job *job, const struct job_input *input)
{
    if (scripted_end(job) == JOB_EXPIRED) {
        if (!advance(job, 100, JOB_SCHEDULED))
            return false;
        end(job, JOB_EXPIRED, job->script.message[0] ? job->script.message : default_message(JOB_EXPIRED));
        return true;
    }
    if (!advance(job, AT_IN_PROGRESS, JOB_IN_PROGRESS))
        return false;
    work(job, input);
    return true;
}

static bool run(struct job *job, struct job_input *input)
{
    AUTO(buf_done) struct buf why = { 0 };
    bool valid = false;

    buf_init(&why, 0);
    if (!advance(job, AT_VALIDATING, JOB_VALIDATING))
        return false;
    valid = job_input_read(job, input, &why);
    if (!advance(job, AT_SCHEDULED, valid ? JOB_SCHEDULED : JOB_VALIDATING))
        return false;
    if (valid)
        return run_valid(job, input);
    end(job, JOB_FAILED, buf_cstr(&why));
    return true;
}

void *job_run(void *arg)
{
    struct job *job = arg;
    struct job_input input = { .files = NULL };

    if (!run(job, &input) && !jobs_are_stopping(job->emu->jobs)) {
        linger_in_stopping(job);
        end(job, JOB_STOPPED, "");
    }
    job_input_done(&input);
    return NULL;
}
