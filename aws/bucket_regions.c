#include "aws/bucket_regions.h"

#include <string.h>

void bucket_regions_init(struct bucket_regions *regions)
{
    *regions = (struct bucket_regions){ 0 };
    pthread_mutex_init(&regions->lock, NULL);
}

void bucket_regions_done(struct bucket_regions *regions)
{
    pthread_mutex_destroy(&regions->lock);
}

/* -1: not there. Under the lock. */
static int position_of(const struct bucket_regions *regions, struct span bucket)
{
    for (int i = 0; i < regions->count; i++)
        if (span_eq_text(bucket, regions->entries[i].bucket))
            return i;
    return -1;
}

static int room(struct bucket_regions *regions)
{
    int i = regions->next;

    if (regions->count < BUCKET_REGIONS_MOST)
        return regions->count++;
    regions->next = (i + 1) % BUCKET_REGIONS_MOST;
    return i;
}

bool bucket_regions_put(struct bucket_regions *regions, struct span bucket, struct span region)
{
    bool is_news;
    int i;

    if (!bucket.len || bucket.len >= BUCKET_REGIONS_NAME || !region.len || region.len >= AWS_REGION_SIZE)
        return false;
    pthread_mutex_lock(&regions->lock);
    i = position_of(regions, bucket);
    is_news = i < 0 || !span_eq_text(region, regions->entries[i].region);
    if (is_news) {
        i = i < 0 ? room(regions) : i;
        memset(&regions->entries[i], 0, sizeof(regions->entries[i]));
        memcpy(regions->entries[i].bucket, bucket.ptr, bucket.len);
        memcpy(regions->entries[i].region, region.ptr, region.len);
    }
    pthread_mutex_unlock(&regions->lock);
    return is_news;
}

bool bucket_regions_find(struct bucket_regions *regions, struct span bucket, char region[AWS_REGION_SIZE])
{
    int i;

    pthread_mutex_lock(&regions->lock);
    i = position_of(regions, bucket);
    if (i >= 0)
        memcpy(region, regions->entries[i].region, AWS_REGION_SIZE);
    pthread_mutex_unlock(&regions->lock);
    return i >= 0;
}
