/* How a step that is given up ends its job, with a real PostgreSQL. */
#include "server/work/step.h"

#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

static const struct {
    const char *state, *ends;
    int events; /* and dead tasks */
} cases[] = {
    { "queued", "failed", 1 },
    { "planning", "failed", 1 },
    { "cancelling", "cancelling", 0 }, /* the cancel ends it, and says so */
    { "running", "running", 0 },
};

/* A job that did fail says it in its story; one that did not does not. */
static void a_job_fails_once(void)
{
    const struct err cause = { .kind = ERR_DATABASE, .what = "it cannot be read" };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(testdb_end) struct testdb t;
        AUTO(testdb_close) struct db *db = NULL;
        struct step step = { 0 };
        struct err err = { 0 };
        bool found = false;
        int64_t job = 0;

        if (!testdb_begin(&t, true))
            return;
        test_case("%s", cases[i].state);
        step.db = db = testdb_open(&t);
        job = testdb_job(&t, testdb_prefix(&t, 0), 1, 1);
        testdb_sql(&t, "UPDATE job SET state = '%s'", cases[i].state);
        OK(task_store_add(db, "plan", job, 0, &err));
        OK(task_store_claim(db, "{plan}", "test", 60000, &step.task, &found, &err));
        OK(step_job_give_up(&step, &cause, &err));
        CHECK_I64(testdb_number(&t, "SELECT count(*) FROM event WHERE kind = 'job.failed'"), cases[i].events);
        CHECK_I64(testdb_number(&t, "SELECT count(*) FROM job WHERE state = '%s'", cases[i].ends), 1);
        CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE kind = 'plan'"), cases[i].events);
        CHECK_I64(testdb_number(&t,
                                "SELECT count(*) FROM task WHERE kind = 'plan' AND state = 'dead' AND job_id = %lld"
                                " AND last_error = 'it cannot be read' AND failing_since IS NOT NULL",
                                (long long)job),
                  cases[i].events);
    }
    test_case(NULL);
}

static const struct test tests[] = { { "a job fails once", a_job_fails_once } };
TEST_MAIN("work/give_up", tests)
