/* The IAM side: GetRole and SimulatePrincipalPolicy, which answer what the control endpoint has set, and say that they
 * are emulated: no policy is evaluated. Until it is set, the caller lacks both permissions. */
#ifndef VIDBATCH_EMULATOR_IAM_H
#define VIDBATCH_EMULATOR_IAM_H

#include "server/base/attr.h"
#include "server/base/buf.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/faults.h"
#include "tests/emulator/request.h"

#include <jansson.h>

struct iam;
struct iam *iam_new(void);
/* Takes {"role_arn", "trust", "decision", "missing", "principal"} in the place of all that was set; {}: nothing is. */
MUST_CHECK bool iam_set(struct iam *iam, json_t *json, struct buf *why);

/* By the scope of the signature. */
bool iam_is_for(const struct request *rq);
/* Fills op, once the body is there: the action stands in it. */
void iam_route(struct request *rq);
void iam_handle(struct emulator *emu, struct request *rq);
void iam_fault(struct request *rq, const struct fault_action *fault);

#endif
