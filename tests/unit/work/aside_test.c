/* The thread beside a step: one piece of work at a time, in order, and no failure lost. */
#include "server/work/aside.h"

#include "tests/support/test.h"

#include <string.h>
#include <unistd.h>

struct work {
    struct work *before; /* must have ended when this one begins */
    bool fails;
    bool ended;
    bool out_of_turn;
};

static bool do_work(struct db *db, void *arg, struct err *err)
{
    struct work *work = arg;

    work->out_of_turn = db != NULL || (work->before && !work->before->ended);
    usleep(2000); /* long enough for the next to be asked for meanwhile */
    work->ended = true;
    return !work->fails || err_set(err, ERR_CONFLICT, true, HERE, "it failed");
}

enum { WORKS = 20 };

static void one_after_the_other(void)
{
    struct step step = { .aside_db = NULL };
    struct work works[WORKS] = { 0 };
    struct aside *aside = NULL;
    struct err err = { 0 };

    if (!CHECK(aside_start(&step, &aside, &err)))
        return;
    for (size_t i = 0; i < WORKS; i++) {
        works[i].before = i > 0 ? &works[i - 1] : NULL;
        CHECK(aside_run(aside, do_work, &works[i], &err));
    }
    CHECK(aside_wait(aside, &err));
    CHECK(works[WORKS - 1].ended);
    for (size_t i = 0; i < WORKS; i++)
        CHECK(!works[i].out_of_turn);
    aside_end(aside);
}

/* The cause comes with the next call, once, and what was asked for by that call is not begun. */
static void a_failure_is_told(void)
{
    struct step step = { .aside_db = NULL };
    struct work bad = { .fails = true }, next = { 0 };
    struct aside *aside = NULL;
    struct err err = { 0 };

    if (!CHECK(aside_start(&step, &aside, &err)))
        return;
    CHECK(aside_run(aside, do_work, &bad, &err));
    CHECK(!aside_run(aside, do_work, &next, &err));
    CHECK(err.kind == ERR_CONFLICT && err.retryable);
    CHECK_TEXT(err.what, "it failed");
    CHECK(!next.ended);
    CHECK(aside_wait(aside, NULL)); /* told already */
    CHECK(aside_run(aside, do_work, &bad, NULL));
    err = (struct err){ 0 };
    CHECK(!aside_wait(aside, &err));
    CHECK_TEXT(err.what, "it failed");
    aside_end(aside);
}

/* Nothing that the work still uses is let go before it has ended. */
static void the_end_waits(void)
{
    struct step step = { .aside_db = NULL };
    struct work works[2] = { { .fails = true }, { 0 } };
    struct aside *aside = NULL;
    struct err err = { 0 };

    aside_end(NULL);
    for (size_t i = 0; i < 2; i++) {
        if (!CHECK(aside_start(&step, &aside, &err)))
            return;
        CHECK(aside_run(aside, do_work, &works[i], &err));
        aside_end_auto(&aside);
        CHECK(works[i].ended && !aside);
    }
}

static const struct test tests[] = {
    { "one_after_the_other", one_after_the_other },
    { "a_failure_is_told", a_failure_is_told },
    { "the_end_waits", the_end_waits },
};

TEST_MAIN("aside", tests)
