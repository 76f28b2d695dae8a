/* The record of what happened: JSON lines in a file, and counts for the control endpoint. Any thread. */
#ifndef VIDBATCH_EMULATOR_JOURNAL_H
#define VIDBATCH_EMULATOR_JOURNAL_H

#include "server/base/buf.h"

#include <stdint.h>

struct emulator;
struct request;

/* path NULL: counts only. */
struct journal *journal_new(const char *path);
/* Once per request that goes to S3 or Bedrock, before its answer can be seen. */
void journal_request(struct emulator *emu, const struct request *rq);
/* One line; json is an object without the line feed. */
void journal_line(struct journal *journal, const struct buf *json);
/* A request has come in, has ended. */
void journal_enter(struct journal *journal);
void journal_leave(struct journal *journal);
/* All counts as a JSON object; drops them where reset is set. */
void journal_stats(struct journal *journal, struct buf *out, bool reset);

#endif
