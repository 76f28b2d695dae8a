/* A look into videos before they are planned: how long, how large, and whether they can be read at all. */
#ifndef VIDBATCH_WORK_PREFLIGHT_H
#define VIDBATCH_WORK_PREFLIGHT_H

#include "server/work/step.h"
#include "sql/db.h"
#include "sql/prefix_store.h"

/* Looks into a page of videos of one prefix (columns: id int8, key text (the whole key), etag text, size_bytes int8;
 * each video once) and stores what it found in video_media, valid at the ETag given. At most two small GETs with Range
 * and If-Match a video, settings->preflight_concurrency at a time; videos of which it is known already are not asked
 * for. All of the page is stored in one transaction that fences the step's task.
 *
 * What can't be run gets a refusal there: not_a_video, empty, archived, denied, vanished, changed. That nearly all
 * videos are denied is not their fault but that of our permissions: where a page of ten or more has nothing but
 * denials, nothing is stored, and the first one is the error (ERR_DENIED). What fails otherwise (throttled, cut off, no
 * such bucket) is the error of the page, retryable or not: pages before it stay stored. The step's thread. */
MUST_CHECK bool preflight_page(struct step *step, const struct prefix_row *prefix, const struct db_rows *videos,
                               struct err *err);

#endif
