/* Any bytes as a page of a listing. The same page serves all inputs, as in a scan. */
#include "aws/s3.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static volatile unsigned char sink; /* so that reading is not optimised away */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct s3_page page;
    struct err err = { 0 };
    bool ok = s3_parse_listing((struct span){ (const char *)data, len }, &page, &err);

    if (!ok && (page.object_count != 0 || err.kind == ERR_NONE))
        abort();
    if (ok && page.is_truncated && page.next_token.len == 0)
        abort();
    for (size_t i = 0; i < page.object_count; i++) { /* every span can be read to its end */
        const struct s3_object *o = &page.objects[i];
        const struct span spans[] = { o->key, o->etag, o->storage_class };

        if (o->key.len == 0 || o->key.len > 1024 || o->size_bytes < 0)
            abort();
        for (size_t s = 0; s < 3; s++)
            for (size_t n = 0; n < spans[s].len; n++)
                sink = (unsigned char)spans[s].ptr[n];
    }
    return 0;
}
