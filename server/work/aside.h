/* Inside server/work: a second thread of a step, with a database connection of its own. It stores one batch while the
 * step reads the next: a database that takes rows and a program that makes them each have a core to work on. */
#ifndef VIDBATCH_WORK_ASIDE_H
#define VIDBATCH_WORK_ASIDE_H

#include "server/work/step.h"

struct aside;
typedef bool aside_fn(struct db *db, void *arg, struct err *err);

/* Uses step->aside_db: one for a step at a time. Gives: aside_end. */
MUST_CHECK bool aside_start(struct step *step, struct aside **out, struct err *err);
/* Waits for the work before this one, and begins work(db, arg) in the other thread; arg is its own until the next call.
 * False, with the cause: the work before failed, and this was not begun. */
MUST_CHECK bool aside_run(struct aside *aside, aside_fn *work, void *arg, struct err *err);
/* Waits until nothing is left to do. False: the last work failed. */
MUST_CHECK bool aside_wait(struct aside *aside, struct err *err);
/* Waits, whatever came of it, and frees. NULL is fine. */
void aside_end(struct aside *aside);
void aside_end_auto(struct aside **aside);

#endif
