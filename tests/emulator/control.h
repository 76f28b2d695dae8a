/* The control endpoint, /_emulator/...: unsigned, for tests. */
#ifndef VIDBATCH_EMULATOR_CONTROL_H
#define VIDBATCH_EMULATOR_CONTROL_H

struct emulator;
struct request;

/* Fills rq->reply. */
void control_handle(struct emulator *emu, struct request *rq);

#endif
