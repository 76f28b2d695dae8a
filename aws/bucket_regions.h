/* Which Region each bucket lies in, as S3's answers have told: shared by all threads of the process, bounded, forgotten
 * at its end. Any thread. */
#ifndef VIDBATCH_AWS_BUCKET_REGIONS_H
#define VIDBATCH_AWS_BUCKET_REGIONS_H

#include "aws/client.h"
#include "server/base/span.h"

#include <pthread.h>
#include <stdbool.h>

enum { BUCKET_REGIONS_MOST = 128, BUCKET_REGIONS_NAME = 64 };

struct bucket_regions {
    pthread_mutex_t lock; /* guards all below; never held during a network call */
    struct {
        char bucket[BUCKET_REGIONS_NAME];
        char region[AWS_REGION_SIZE];
    } entries[BUCKET_REGIONS_MOST];
    int count;
    int next; /* to be replaced once all are taken */
};
void bucket_regions_init(struct bucket_regions *regions);
void bucket_regions_done(struct bucket_regions *regions);
/* Remembers, in the place of what was known before; the oldest gives way. Names that are too long are not kept. True
 * where that is news. */
bool bucket_regions_put(struct bucket_regions *regions, struct span bucket, struct span region);
/* False, region untouched, where nothing is known. */
bool bucket_regions_find(struct bucket_regions *regions, struct span bucket, char region[AWS_REGION_SIZE]);

#endif
