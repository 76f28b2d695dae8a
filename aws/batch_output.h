/* The output of a batch job: reads `.jsonl.out` as a stream, line by line, in any line and key order, and takes from
 * each what is wanted; the echoed modelInput is skipped, reasoningContent blocks too. One thread. */
#ifndef VIDBATCH_AWS_BATCH_OUTPUT_H
#define VIDBATCH_AWS_BATCH_OUTPUT_H

#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/json_reader.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum batch_line_kind {
    BATCH_LINE_ANSWER, /* modelOutput */
    BATCH_LINE_ERROR,  /* error (an object, or a string: its message), also where an answer stands beside it (then text
                          holds that answer) */
    BATCH_LINE_MALFORMED /* not JSON, no recordId, neither answer nor error, or a part beyond its limit; `problem` says
                            which */
};

struct batch_line { /* text borrowed until the next line */
    enum batch_line_kind kind;
    int64_t offset;      /* of the line's first byte in the file */
    int64_t next_offset; /* of the byte after its line feed: the checkpoint */
    struct span record_id;
    struct span text;                    /* the text blocks, concatenated; storable in PostgreSQL */
    bool text_altered;                   /* NUL or unpaired surrogates became U+FFFD */
    struct span stop_reason;             /* "end_turn", "max_tokens", "content_filtered", ... or empty */
    int64_t input_tokens, output_tokens; /* 0..INT32_MAX; -1 where absent or beyond */
    int64_t error_code;                  /* number, or a number in a string; 0 if absent or beyond int64 */
    struct span error_message; /* of the error; of an answer that Nova blocked: its modelOutput.error. At most 8 KiB */
    bool error_retryable;
    bool error_expired;
    struct err problem; /* of a malformed line */
};

struct batch_output;
/* more gives the file's bytes from `offset` on, a line's start; at 0 a UTF-8 byte order mark is passed over. Gives:
 * batch_output_free. */
MUST_CHECK struct batch_output *batch_output_new(int64_t offset, json_more_fn *more, void *more_arg, struct err *err);
void batch_output_free(struct batch_output *out);
/* Next line, *eof at the end. A malformed line is a line, not a failure; false only when `more` failed or memory ran
 * out. */
MUST_CHECK bool batch_output_next(struct batch_output *out, struct batch_line *line, bool *eof, struct err *err);

/* The bytes of the line just read, as they stand in the file, at most BATCH_LINE_HEAD of them. Borrowed until the next
 * line. */
enum { BATCH_LINE_HEAD = 2048 };
struct span batch_output_head(const struct batch_output *out, const struct batch_line *line);

/* A modelOutput that came alone, as the body of an InvokeModel answer: read by the same rules into an answer line
 * without record id and offsets. False: it is no such object (ERR_UPSTREAM, code "bad_answer", not retryable: it was
 * paid for) or memory ran out. A reader does one or the other: batch_output_next reads a file, this reads bodies, any
 * number of them; line's text is borrowed until the next. */
MUST_CHECK bool batch_output_answer(struct batch_output *out, struct span body, struct batch_line *line,
                                    struct err *err);

/* Splits the model's words. thinking = inside of the first <thinking>...</thinking>. summary = inside of the first
 * <answer>...</answer> that is not within thinking; without one, the text after the last thinking block, or, where
 * nothing follows it, the text before the first. Both trimmed; thinking inside an answer is left out by the same rule.
 * A tag left open (cut by max_tokens) runs to the end, open thinking only to an <answer>. Tags are lower case. Spans
 * borrow from text; without tags summary is the trimmed text. */
void batch_split_answer(struct span text, struct span *summary, struct span *thinking);

struct batch_manifest { /* -1 where absent */
    int64_t total, processed, succeeded, failed, input_tokens, output_tokens;
};
/* manifest.json.out, as it was read. */
MUST_CHECK bool batch_manifest_parse(struct span json, struct batch_manifest *out, struct err *err);

#endif
