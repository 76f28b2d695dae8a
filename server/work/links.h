/* Presigned URLs for handlers, which never see AWS. May wait for a credentials provider: not for I/O threads. Any other
 * thread. Without usable credentials: ERR_UPSTREAM, code "no_credentials", in words for the client; the cause is logged
 * here. */
#ifndef VIDBATCH_WORK_LINKS_H
#define VIDBATCH_WORK_LINKS_H

#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdint.h>

struct links; /* made by the pool's owner; see links_new */
struct aws;
MUST_CHECK struct links *links_new(struct aws *aws, int64_t expires_s,
                                   struct err *err); /* keeps aws; gives: links_free */
void links_free(struct links *links);
int64_t links_expires_s(const struct links *links);
/* What is linked to; region: of the bucket, as it is known in the database. */
struct links_object {
    struct span bucket, region, key;
};
/* Appends a URL that GETs the object, named `filename` for a browser. */
MUST_CHECK bool links_get(struct links *links, const struct links_object *object, struct span filename, struct buf *url,
                          struct err *err);
/* Appends a URL that PUTs it; the client must send Content-Type: content_type. */
MUST_CHECK bool links_put(struct links *links, const struct links_object *object, const char *content_type,
                          struct buf *url, struct err *err);

/* What Nova says of a key's suffix: MIME type, or NULL where no model takes such a video. Static text. */
const char *links_video_mime(struct span key);
/* The suffixes that Nova takes (".mp4" ...), NULL-terminated; and S3's rule for bucket names. */
const char *const *links_video_suffixes(void);
bool links_bucket_name_ok(struct span bucket);

#endif
