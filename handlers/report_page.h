/* The pieces of the report page. Pure: all text of users, videos and models is escaped here. */
#ifndef VIDBATCH_HANDLERS_REPORT_PAGE_H
#define VIDBATCH_HANDLERS_REPORT_PAGE_H

#include "server/base/buf.h"
#include "sql/job_store.h"
#include "sql/prefix_store.h"
#include "sql/summary_store.h"

#include <stdint.h>

/* The page's only style sheet, without its <style> tag: the Content-Security-Policy names it by its hash. */
extern const char report_css[];

/* From the doctype to the counts. cost: decimal text with its currency, or NULL. */
void report_head(struct buf *out, const struct job_row *job, const struct prefix_row *prefix, const char *cost);
/* One video and what the model said of it; number: its place in the page, from 1. */
void report_summary(struct buf *out, int64_t number, const struct summary_row *row);
/* Before the first video that has no summary. */
void report_failures_head(struct buf *out);
/* One video without a summary, and why. */
void report_failure(struct buf *out, const struct summary_row *row);
/* The end; shown: how many videos the page has. */
void report_foot(struct buf *out, int64_t shown);

/* Free text as paragraphs: an empty line begins a new one, other line breaks are kept. */
void report_text(struct buf *out, const char *text);
/* 1234567 as 1,234,567. */
void report_number(struct buf *out, int64_t n);

#endif
