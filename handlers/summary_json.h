/* The forms of a summary: JSON, CSV. Pure. */
#ifndef VIDBATCH_HANDLERS_SUMMARY_JSON_H
#define VIDBATCH_HANDLERS_SUMMARY_JSON_H

#include "server/base/buf.h"
#include "server/base/json_writer.h"
#include "sql/summary_store.h"

/* The members of a summary, inside an object that the caller began. */
void summary_json_members(struct json_writer *w, const struct summary_row *row);
/* "provenance": what was asked, of which version of the object, and by which Bedrock job. */
void summary_json_provenance(struct json_writer *w, const struct summary_row *row);
/* "snippet": HTML-escaped text with <mark> around hits, or null. */
void summary_json_snippet(struct json_writer *w, const char *snippet);
/* "error": {"reason", "code", "message", "retryable"}, or null where reason and message are NULL. */
void record_error_json(struct json_writer *w, const char *reason, bool has_code, int64_t code, const char *message,
                       bool retryable);

/* A line of NDJSON, with its line feed. */
void summary_ndjson(struct buf *out, const struct summary_row *row);
/* RFC 4180: a header line, then one a summary, each ended by CR LF. */
void summary_csv_header(struct buf *out);
void summary_csv(struct buf *out, const struct summary_row *row);
/* About how many bytes the row's texts have. */
size_t summary_weight(const struct summary_row *row);

#endif
