/* A whole prefix listed over many connections at a time. The keys are cut into ranges (low, high]; each range is a
 * listing of its own that begins at start-after=low. Whenever a connection is free, the range with the most ahead of it
 * is cut in two, so no idea of how the keys are spread is needed, and none is trusted. A prefix of one page costs one
 * request. Rules: Amazon S3 API reference, ListObjectsV2 (order of keys, start-after); SlowDown: S3 user guide,
 * "Optimizing performance". */
#ifndef VIDBATCH_AWS_S3_LIST_MANY_H
#define VIDBATCH_AWS_S3_LIST_MANY_H

#include "aws/s3.h"

/* A stretch of the prefix: all of its keys that lie in (after, through], in order. Borrowed during the call. */
struct s3_stretch {
    struct span after;   /* exclusive; empty: from the beginning on */
    struct span through; /* inclusive; ptr NULL: to the end */
    const struct s3_object *objects;
    size_t object_count; /* may be 0 */
};

enum { S3_LIST_CONCURRENCY = 32, S3_LIST_MAX_CONCURRENCY = 128 };

struct s3_list_many {
    struct span bucket;
    struct span prefix;
    struct span owner;
    int concurrency;    /* requests at a time at most, up to S3_LIST_MAX_CONCURRENCY; 0 = S3_LIST_CONCURRENCY */
    int max_keys;       /* a page; 0 = 1000 */
    bool prefers_order; /* stretches had better come in the order of keys: as long as all wait for `stretch` anyway,
                           fewer requests at a time cost nothing, and come nearer to it */
    /* Gets every stretch once, in any order; together they are the whole prefix, and each key comes once. False with
     * err filled stops the listing. */
    bool (*stretch)(void *arg, const struct s3_stretch *stretch, struct err *err);
    void *arg;
};

/* Memory: an answer (about 350 KB for ordinary keys) per connection, and one page. Requests at a time begin at one and
 * double while all goes well; SlowDown halves them. Refuses what s3_list_page refuses, and keys that are out of order
 * or outside of what was asked for (ERR_UPSTREAM, code "listing_goes_back"). The client's thread only. */
MUST_CHECK bool s3_list_many(struct aws_client *client, const struct s3_list_many *many, struct err *err);

#endif
