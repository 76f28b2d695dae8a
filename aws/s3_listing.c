#include "aws/s3_listing.h"

#include "aws/s3_call.h"
#include "server/base/mem.h"

#include <string.h>

bool s3_listing_begin(struct s3_page *page, size_t room)
{
    if (page->text.max == 0) {
        buf_init(&page->text, S3_LISTING_MAX_BYTES + 1);
        buf_init(&page->next_token, 64 * 1024);
        buf_init(&page->last_key, S3_KEY_MAX_BYTES);
    }
    buf_reset(&page->text);
    buf_reset(&page->next_token);
    page->object_count = 0;
    page->is_truncated = false;
    return buf_room(&page->text, room) != NULL;
}

bool s3_listing_keep(struct s3_page *page, const struct s3_object *object)
{
    if (page->object_count == page->capacity) {
        size_t capacity = page->capacity ? page->capacity * 2 : 256;
        struct s3_object *more = mem_resize(page->objects, capacity, sizeof(*more));

        if (!more)
            return false;
        page->objects = more;
        page->capacity = capacity;
    }
    page->objects[page->object_count++] = *object;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* '+' and %XX, in place: the key's bytes lie in page->text, which is ours, and decoding only shortens. */
static bool decode_key(struct span *key)
{
    char *to = (char *)key->ptr;
    const char *from = key->ptr, *end = key->ptr + key->len;

    if (!memchr(from, '%', key->len) && !memchr(from, '+', key->len))
        return true;
    while (from < end) {
        char c = *from++;

        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = end - from < 2 ? -1 : hex_digit(from[0]);
            int low = end - from < 2 ? -1 : hex_digit(from[1]);

            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            from += 2;
        }
        *to++ = c;
    }
    key->len = (size_t)(to - key->ptr);
    return true;
}

const char *s3_listing_finish(struct s3_page *page, bool is_url_encoded)
{
    if (!buf_ok(&page->next_token) || !buf_ok(&page->text))
        return "a continuation token of more than 64 KiB";
    for (size_t i = 0; i < page->object_count; i++) {
        struct span *key = &page->objects[i].key;

        if (is_url_encoded && !decode_key(key))
            return "a key with a broken percent-encoding";
        if (key->len == 0 || key->len > S3_KEY_MAX_BYTES)
            return "a key that is empty or longer than 1024 bytes";
    }
    if (page->is_truncated && page->next_token.len == 0)
        return "it is truncated, but has no continuation token";
    return NULL;
}

bool s3_parse_listing(struct span xml, struct s3_page *page, struct err *err)
{
    return s3_listing_by_scanner(xml, page) || s3_listing_by_expat(xml, page, err);
}

void s3_page_done(struct s3_page *page)
{
    mem_free(page->objects);
    buf_done(&page->text);
    buf_done(&page->next_token);
    buf_done(&page->last_key);
    *page = (struct s3_page){ 0 };
}
