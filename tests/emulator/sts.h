/* The STS side: GetCallerIdentity alone, which says that the caller is emulated. */
#ifndef VIDBATCH_EMULATOR_STS_H
#define VIDBATCH_EMULATOR_STS_H

#include "tests/emulator/emulator.h"
#include "tests/emulator/faults.h"
#include "tests/emulator/request.h"

/* By the scope of the signature. */
bool sts_is_for(const struct request *rq);
/* Fills op. */
void sts_route(struct request *rq);
void sts_handle(struct emulator *emu, struct request *rq);
void sts_fault(struct request *rq, const struct fault_action *fault);

#endif
