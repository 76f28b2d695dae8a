/* All summaries of a job as one long answer, whatever its form: rows are fetched a few at a time, so that neither a
 * million rows nor a client that stops reading costs more than a buffer. */
#ifndef VIDBATCH_HANDLERS_SUMMARY_STREAM_H
#define VIDBATCH_HANDLERS_SUMMARY_STREAM_H

#include "server/base/buf.h"
#include "server/http/http.h"
#include "sql/summary_store.h"

#include <stdbool.h>
#include <stdint.h>

enum { SUMMARY_STREAM_STATES = 4 };

struct summary_stream {
    int64_t job_id;
    const char *states[SUMMARY_STREAM_STATES]; /* passes over the job, one after the other; static words, "" any state,
                                                  NULL ends */
    void (*row)(struct summary_stream *stream, struct buf *out, const struct summary_row *row);
    void (*end)(struct summary_stream *stream, struct buf *out); /* what comes last; may be NULL */
    int64_t seen, failures;                                      /* for row and end */
    struct buf head; /* what comes first: filled by the caller, after summary_stream_new */

    /* its own */
    int pass;
    int64_t after;
    size_t row_bytes; /* of the rows seen lately, on average */
    size_t sent;      /* of head, which later holds the rows that wait */
    bool finished;
};
/* NULL: no memory. Gives: to summary_stream_reply, or summary_stream_free. */
struct summary_stream *summary_stream_new(int64_t job_id);
void summary_stream_free(void *stream);
/* Takes stream. */
void summary_stream_reply(struct reply *rp, const char *content_type, struct summary_stream *stream);

#endif
