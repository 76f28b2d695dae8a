/* What several resources need: optional query parameters, ETags, and the rules that a text must keep. Any handler
 * thread. */
#ifndef VIDBATCH_HANDLERS_COMMON_H
#define VIDBATCH_HANDLERS_COMMON_H

#include "server/base/span.h"
#include "server/http/http.h"

#include <stdbool.h>
#include <stdint.h>

struct db_rows;

/* ?name=: absent leaves *out as it is; a bad one fills a 400 problem, code "invalid_parameter", and returns false. */
bool query_id(struct request *rq, struct reply *rp, const char *name, const char *id_prefix, int64_t *out);
bool query_time(struct request *rq, struct reply *rp, const char *name, int64_t *wall_ms);
/* The problem of a query parameter that breaks a rule. Always false. */
bool query_refuse(struct request *rq, struct reply *rp, const char *name, const char *fmt, ...) PRINTF(4, 5);
/* One of NULL-terminated words; *out gets the static word. */
bool query_word(struct request *rq, struct reply *rp, const char *name, const char *const words[], const char **out);

/* Ends a single resource: an ETag from the body, answered 304 where the client has it. A body that did not fit is a
 * 500. */
void reply_resource(struct request *rq, struct reply *rp);
/* A page of a list: {"data": [...], "next": ...} of the first `limit` rows; that there is one more says that there is
 * another page. put writes a row and gives what the cursor of that kind holds after it. */
void reply_list(struct request *rq, struct reply *rp, const struct db_rows *rows, int limit, const char *cursor,
                int64_t (*put)(struct json_writer *w, const struct db_rows *rows, int row, void *arg), void *arg);
/* For a page: a body that did not fit is a 500. */
void reply_page(struct request *rq, struct reply *rp);
/* As reply_error; but what was not found is called by the id that the path gave. */
void reply_failure(struct request *rq, struct reply *rp, const struct err *err);
/* Adds errors[] with one JSON Pointer to the problem just made. */
void reply_pointer(struct reply *rp, const char *pointer, const char *detail);

/* A value that the database gives as JSON text; NULL writes null. */
void json_put_json(struct json_writer *w, const char *name, const char *json);

bool text_has_control(struct span s); /* below U+0020, or U+007F */
bool text_is_account(struct span s);  /* 12 digits */

/* Does the key lie under an S3 location ("s3://bucket/path", no slash at the end; "" holds nothing)? */
bool location_holds(const char *uri, struct span bucket, struct span key);

#endif
