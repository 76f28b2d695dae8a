/* The one catalogue of causes: why a video is not taken, why a record has no summary, why a Bedrock job ended badly. It
 * explains plans, videos, failures and job errors, decides which failures a retry takes, and is docs/failures.md
 * (`vidbatchd causes`; a check refuses a difference). Static data: any thread.
 *
 * Sources: AWS's documentation of batch output and of Nova's stop reasons, and messages that users of the real service
 * met. Nothing but explanations and the choice of a retry depends on a message's words. */
#ifndef VIDBATCH_WORK_CAUSES_H
#define VIDBATCH_WORK_CAUSES_H

#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cause_about {
    CAUSE_VIDEO,  /* video.reason, video_media.refusal, plan_skip.reason: the word is the code */
    CAUSE_RECORD, /* summary.error_reason: the word is the code */
    CAUSE_ANSWER, /* the same, of answers without a word of text; a stop reason of Nova's, where it has one */
    CAUSE_ERROR,  /* an error record of Bedrock's (summary.error_reason 'bedrock'), told by code and message */
    CAUSE_JOB     /* a Bedrock job, told by its message: of its records the reason is no_result or not_submitted */
};

enum cause_retry { CAUSE_RETRY_NO /* hopeless */, CAUSE_RETRY_AFTER_CURE, CAUSE_RETRY_YES };

struct cause {
    const char *code; /* stable; of rows with one code, the first explains it */
    enum cause_about about;
    enum cause_retry retry;
    int32_t error_min, error_max; /* CAUSE_ERROR: Bedrock's number lies between; 0, 0: whatever it is */
    bool if_retryable;            /* CAUSE_ERROR: only where Bedrock says "retryable": true */
    const char *pattern;          /* the message has these words, ASCII letter case ignored; NULL: whatever it says */
    const char *rule;             /* what it means: one or more sentences */
    const char *remedy;           /* what to do about it */
};

/* All, in the order in which they are tried: of those that fit, the first counts. */
const struct cause *causes_all(size_t *count);
/* By its code; NULL: no such cause. */
const struct cause *cause_find(const char *code);
/* What a stored failure means. reason may be NULL; message may be empty. Never NULL: "unknown" at last. */
const struct cause *cause_of_failure(const char *reason, int64_t error_code, bool retryable, struct span message);
/* What a Bedrock job's message means; NULL where the catalogue does not know. */
const struct cause *cause_of_job_message(struct span message);
/* Adds the catalogue's remedy to err->what where AWS's words are those of a Bedrock job's trouble and aws/cure.h has
 * not spoken already. Always false. err may be NULL. */
bool cause_explain(struct err *err);
/* The cause of an answer without text: a stop reason's own, else "empty_answer". */
const struct cause *cause_of_empty_answer(struct span stop_reason);
/* "yes", "after_cure", "no". */
const char *cause_retry_word(enum cause_retry retry);

/* The catalogue for SQL: [{"code", "reason", "min", "max", "retryable", "pattern", "hopeless"}], the pattern in lower
 * case and '' where there is none, min and max 0 where the number does not matter. There cause_of_failure is: the first
 * element whose reason equals, whose numbers hold the code, whose `retryable` is not more than the row's, and whose
 * pattern is in the message in ASCII lower case. Appends; false: it did not fit. */
bool causes_for_sql(struct buf *out);

/* docs/failures.md. Appends. */
void causes_markdown(struct buf *out);

#endif
