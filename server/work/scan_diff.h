/* Inside server/work: what a scan found, held against what is known, and the differences written in batches, one while
 * the next is filled. A batch is one transaction; since a difference is a fact by itself, a scan that is killed has
 * lost nothing, and the next one finds the rest. */
#ifndef VIDBATCH_WORK_SCAN_DIFF_H
#define VIDBATCH_WORK_SCAN_DIFF_H

#include "server/base/buf.h"
#include "server/work/aside.h"
#include "server/work/step.h"

struct scan_found { /* an object that is a video; texts borrowed */
    struct span name;
    int64_t size_bytes, modified_ms;
    struct span etag;
    const char *reason; /* static text; NULL: eligible */
};

struct scan_batch { /* rows that wait, or are being written by the other thread */
    const struct step *step;
    int64_t prefix_id;
    struct scan_row *fresh, *changed;
    size_t fresh_count, changed_count;
    struct buf texts; /* of the rows */
};

struct scan_held { /* the last stretch; the database looks for what is known of it while the next one is listed */
    struct buf texts;
    struct scan_found *found; /* into texts */
    size_t count, capacity;
    bool has_after, is_asked;
    struct span after, through; /* into texts */
};

struct scan_diff {
    struct step *step;
    int64_t prefix_id;
    bool is_first; /* nothing was known when the scan began: nothing needs to be asked */
    struct scan_batch batches[2], *filling;
    struct aside *aside; /* writes the other one */
    struct scan_held held;
    int64_t inserted, updated, vanished;
};

/* scan_diff_done frees, also after a failure. */
MUST_CHECK bool scan_diff_init(struct scan_diff *diff, struct step *step, int64_t prefix_id, struct err *err);
void scan_diff_done(struct scan_diff *diff);
/* All videos whose names lie in (after, through], in their order; has_after false: from the first name on. Each stretch
 * of a prefix once, in any order of stretches. The texts may go afterwards. step->db is busy until scan_diff_settle. */
MUST_CHECK bool scan_diff_stretch(struct scan_diff *diff, bool has_after, struct span after, struct span through,
                                  const struct scan_found *found, size_t count, struct err *err);
/* What was found is compared, and step->db free for other queries. */
MUST_CHECK bool scan_diff_settle(struct scan_diff *diff, struct err *err);
/* Everything that was found is stored. */
MUST_CHECK bool scan_diff_flush(struct scan_diff *diff, struct err *err);

#endif
