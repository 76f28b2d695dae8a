/* The Bedrock runtime: InvokeModel, POST /model/{modelId}/invoke. */
#ifndef VIDBATCH_EMULATOR_RUNTIME_H
#define VIDBATCH_EMULATOR_RUNTIME_H

#include "tests/emulator/emulator.h"
#include "tests/emulator/request.h"

/* By the path of an unsigned request. */
bool runtime_is_for(const struct request *rq);
/* Is it that path, with one model id in one segment? Then fills rq->model. */
bool runtime_route(struct request *rq);
/* Fills bucket and key with those of the video that the body asks about, for faults and the journal. The body is there.
 */
void runtime_name_video(struct request *rq);
/* The signature is good: judges the request and answers it. */
void runtime_handle(struct emulator *emu, struct request *rq);

#endif
