/* A page of summaries as JSON. Texts may be long, so rows are fetched a few at a time and a page ends early when it is
 * full. */
#ifndef VIDBATCH_HANDLERS_SUMMARY_PAGE_H
#define VIDBATCH_HANDLERS_SUMMARY_PAGE_H

#include "server/http/http.h"
#include "sql/summary_store.h"

#include <stdbool.h>
#include <stdint.h>

struct summary_page {
    /* Rows in the page's order beyond `after`. */
    bool (*fetch)(struct db *db, void *arg, int64_t after, int limit, struct db_rows *rows, struct err *err);
    void *arg;
    /* Asked where there is not a row to show: false, with err, where what the page is of does not exist. May be NULL.
     */
    bool (*when_empty)(struct db *db, void *arg, struct err *err);
    const char *cursor; /* kind */
    int64_t after;
    int64_t rest; /* where the next page begins although fetch has no more rows; 0: nowhere */
    bool is_only; /* there is no next page, come what may */
    int limit;
    bool with_snippet;
    void (*head)(struct json_writer *w, void *arg); /* more members of the answer; may be NULL */
};
void summary_page_reply(struct request *rq, struct reply *rp, const struct summary_page *page);

#endif
