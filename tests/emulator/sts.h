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
/* The query protocol, which IAM speaks too: an error as the answer (always false), and the check of the signature,
 * which answers where it fails. */
bool sts_refuse(struct request *rq, int status, const char *code, const char *message);
bool sts_check_signature(struct emulator *emu, struct request *rq);

#endif
