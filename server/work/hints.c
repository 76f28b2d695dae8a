#include "server/work/hints.h"

#include "aws/bedrock_event.h"
#include "aws/sqs.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "sql/shard_store.h"
#include "sql/task_store.h"

#include <pthread.h>
#include <time.h>

enum { FIRST_PAUSE_MS = 1000, MAX_PAUSE_MS = 60000, NAP_MS = 100 };

struct hints {
    const char *queue_url;
    const atomic_bool *stopping;
    struct aws_client *client; /* the thread's */
    struct db *db;             /* the thread's */
    pthread_t thread;
    atomic_uint_fast64_t received, foreign, failures;
};

/* Is the message about a job that this database follows? */
static bool is_wanted(struct hints *hints, const struct sqs_message *message, bool *wanted, struct err *err)
{
    char arn[BEDROCK_ARN_SIZE];

    *wanted = false;
    return !bedrock_event_read(message->body, arn) || shard_store_is_followed(hints->db, arn, wanted, err);
}

/* The watch is asked for before the messages go: whoever dies in between asks twice. */
static bool one_turn(struct hints *hints, struct err *err)
{
    AUTO(sqs_batch_done) struct sqs_batch batch = { 0 };
    bool is_any = false;
    int kept;

    if (!sqs_receive(hints->client, hints->queue_url, SQS_MAX_WAIT_S, &batch, err))
        return false;
    for (int i = 0; i < batch.count; i++) {
        bool wanted;

        if (!is_wanted(hints, &batch.messages[i], &wanted, err))
            return false;
        is_any = is_any || wanted;
        atomic_fetch_add(&hints->received, 1);
        atomic_fetch_add(&hints->foreign, wanted ? 0 : 1);
    }
    if (is_any && !task_store_add(hints->db, "watch", 0, 0, err))
        return false;
    if (is_any)
        log_info("hints.watch", "messages=%d", batch.count);
    return sqs_delete(hints->client, hints->queue_url, &batch, &kept, err);
}

/* Short naps: the end must not wait for it. */
static void pause_for(const struct hints *hints, int64_t ms)
{
    const int64_t until = clock_mono_ms() + ms;

    while (!atomic_load(hints->stopping) && clock_mono_ms() < until)
        (void)nanosleep(&(struct timespec){ 0, NAP_MS * 1000000L }, NULL);
}

static void *run(void *arg)
{
    struct hints *hints = arg;
    int64_t pause_ms = FIRST_PAUSE_MS;

    while (!atomic_load(hints->stopping)) {
        struct err err = { 0 };

        if (one_turn(hints, &err)) {
            pause_ms = FIRST_PAUSE_MS;
            continue;
        }
        if (atomic_load(hints->stopping))
            break;
        atomic_fetch_add(&hints->failures, 1);
        log_warn("hints.failed", "again_in_ms=%lld note='jobs are followed by looking at them meanwhile' cause=%s",
                 (long long)pause_ms, LOGQ(err.what));
        pause_for(hints, pause_ms);
        pause_ms = pause_ms * 2 < MAX_PAUSE_MS ? pause_ms * 2 : MAX_PAUSE_MS;
    }
    return NULL;
}

static void hints_free(struct hints *hints)
{
    aws_client_free(hints->client);
    db_close(hints->db);
    mem_free(hints);
}

bool hints_start(const char *queue_url, struct aws *aws, const struct db_options *database, const atomic_bool *stopping,
                 struct hints **out, struct err *err)
{
    struct hints *hints = mem_alloc(1, sizeof *hints);

    if (!hints)
        return err_memory(err, HERE);
    hints->queue_url = queue_url;
    hints->stopping = stopping;
    hints->db = db_open(database, err);
    hints->client = hints->db ? aws_client_new(aws, err) : NULL;
    if (hints->client && pthread_create(&hints->thread, NULL, run, hints) == 0) {
        *out = hints;
        return true;
    }
    if (hints->client)
        err_set(err, ERR_MEMORY, false, HERE, "cannot start the thread that reads the queue of events");
    hints_free(hints);
    return false;
}

bool hints_stop(struct hints *hints, int64_t deadline_mono_ms)
{
    if (!hints)
        return true;
    if (!clock_join(hints->thread, deadline_mono_ms))
        return false;
    hints_free(hints);
    return true;
}

struct hint_counts hints_counts(const struct hints *hints)
{
    if (!hints)
        return (struct hint_counts){ 0 };
    return (struct hint_counts){ atomic_load(&hints->received), atomic_load(&hints->foreign),
                                 atomic_load(&hints->failures) };
}
