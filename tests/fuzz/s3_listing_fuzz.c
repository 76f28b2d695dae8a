/* Any bytes as a page of a listing. The same pages serve all inputs, as in a scan. The two readers must agree: what the
 * scanner takes, Expat takes too, and reads the same from it. */
#include "aws/s3_listing.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static volatile unsigned char sink; /* so that reading is not optimised away */

static void check_page(const struct s3_page *page)
{
    if (page->is_truncated && page->next_token.len == 0)
        abort();
    for (size_t i = 0; i < page->object_count; i++) { /* every span can be read to its end */
        const struct s3_object *o = &page->objects[i];
        const struct span spans[] = { o->key, o->etag, o->storage_class };

        if (o->key.len == 0 || o->key.len > 1024 || o->size_bytes < 0)
            abort();
        for (size_t s = 0; s < 3; s++)
            for (size_t n = 0; n < spans[s].len; n++)
                sink = (unsigned char)spans[s].ptr[n];
    }
}

static void compare(const struct s3_page *a, const struct s3_page *b)
{
    if (a->object_count != b->object_count || a->is_truncated != b->is_truncated ||
        !span_eq(buf_view(&a->next_token), buf_view(&b->next_token)))
        abort();
    for (size_t i = 0; i < a->object_count; i++) {
        const struct s3_object *x = &a->objects[i], *y = &b->objects[i];

        if (!span_eq(x->key, y->key) || !span_eq(x->etag, y->etag) || !span_eq(x->storage_class, y->storage_class) ||
            x->size_bytes != y->size_bytes || x->last_modified_ms != y->last_modified_ms ||
            x->is_restored != y->is_restored)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct s3_page scanned, parsed;
    const struct span xml = { (const char *)data, len };
    struct err err = { 0 };
    bool by_scanner = s3_listing_by_scanner(xml, &scanned);
    bool by_expat = s3_listing_by_expat(xml, &parsed, &err);

    if (!by_expat && (parsed.object_count != 0 || err.kind == ERR_NONE))
        abort();
    if (by_expat)
        check_page(&parsed);
    if (by_scanner && !by_expat)
        abort();
    if (by_scanner)
        compare(&scanned, &parsed);
    return 0;
}
