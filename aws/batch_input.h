/* The input of a batch job: one JSONL line a video, in Nova's "messages-v1" form, from a template that is built once.
 * Media first, instruction last, in one user message (Nova prompting guide). Pure. */
#ifndef VIDBATCH_AWS_BATCH_INPUT_H
#define VIDBATCH_AWS_BATCH_INPUT_H

#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct batch_inference { /* what the user did not set is not sent */
    bool has_max_tokens, has_temperature, has_top_p, has_top_k;
    int64_t max_tokens, top_k;
    double temperature, top_p;
};

struct batch_input; /* a prepared template */
/* prompt: required; system may be empty; owner: s3Location.bucketOwner or empty. Gives: batch_input_free. */
MUST_CHECK struct batch_input *batch_input_new(struct span prompt, struct span system,
                                               const struct batch_inference *inference, struct span owner,
                                               struct err *err);
void batch_input_free(struct batch_input *in);
/* Appends one line with its line feed. format: Nova's word ("mp4", "three_gp"). uri: s3://bucket/key. */
void batch_input_line(const struct batch_input *in, struct buf *out, const char *record_id, const char *format,
                      struct span uri);

/* Appends the line's modelInput alone: the body of an InvokeModel call about the same video. */
void batch_input_model(const struct batch_input *in, struct buf *out, const char *format, struct span uri);

/* Nova's format word and MIME type for a key's suffix (letter case ignored); NULL where Nova takes no such video.
 * Nova user guide, "video understanding", table of formats. Static text. */
struct video_format {
    const char *suffix; /* ".mp4" */
    const char *format;
    const char *mime;
};
const struct video_format *video_format_of(struct span key);
const struct video_format *video_formats(size_t *count);

/* May Bedrock read an object under this key as it is? Every segment after the bucket must match [-!_*'().a-zA-Z0-9]+
 * (the charset that the job's own s3Uri accepts; keys with blanks and commas were refused in the field). */
bool batch_key_is_clean(struct span key);

#endif
