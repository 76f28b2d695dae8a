/* A look into videos before they are planned: how long, how large, and whether they can be read at all. */
#ifndef VIDBATCH_WORK_PREFLIGHT_H
#define VIDBATCH_WORK_PREFLIGHT_H

#include "server/work/step.h"
#include "sql/db.h"
#include "sql/prefix_store.h"

struct preflight_tally { /* of all pages of a look; zeroed before the first */
    int64_t looks, denied, unreadable;
    struct err cause; /* the first of these refusals */
};

/* Looks into a page of videos of one prefix (columns: id int8, key text (the whole key), etag text, size_bytes int8;
 * each video once) and stores what it found in video_media, valid at the ETag given. At most two small GETs with Range
 * and If-Match a video, settings->preflight_concurrency at a time; videos of which it is known already are not asked
 * for. All of the page is stored in one transaction that fences the step's task.
 *
 * What can't be run gets a refusal there: not_a_video, empty, archived, denied, vanished, changed, and unreadable where
 * S3 refuses the request for another reason of its own (400: a key that the customer holds, a KMS key that is
 * disabled). What fails otherwise (throttled, cut off, no such bucket) is the error of the page, retryable or not:
 * pages before it stay stored. Adds what it met to tally. The step's thread. */
MUST_CHECK bool preflight_page(struct step *step, const struct prefix_row *prefix, const struct db_rows *videos,
                               struct preflight_tally *tally, struct err *err);
/* After the last page: fails as S3 did where it is not these videos. Where all that were looked at were denied or
 * unreadable, and no video of the prefix was ever read, it is our permissions, or the bucket's key; up to nine that are
 * denied are taken at S3's word, though. What was stored stays: it is asked for again by the next plan. */
MUST_CHECK bool preflight_judge(struct step *step, const struct prefix_row *prefix, const struct preflight_tally *tally,
                                struct err *err);

#endif
