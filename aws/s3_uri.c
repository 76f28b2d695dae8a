#include "aws/s3.h"

#include "server/base/text.h"

#include <string.h>

enum { BUCKET_MIN = 3, BUCKET_MAX = 63, KEY_MAX_BYTES = 1024 };

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Four dotted groups of digits: S3 refuses names that look like an address. */
static bool looks_like_ipv4(struct span s)
{
    int dots = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '.')
            dots++;
        else if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    }
    return dots == 3;
}

/* Amazon S3 user guide, "general purpose bucket naming rules". Names that end in "-s3alias" pass: nobody can create
 * such a bucket, but an access point alias is used wherever a bucket name is. */
bool s3_bucket_name_ok(struct span bucket)
{
    static const char *const reserved_heads[] = { "xn--", "sthree-", "amzn-s3-demo-" };
    static const char *const reserved_tails[] = { "--ol-s3", ".mrap", "--x-s3", "--table-s3" };

    if (bucket.len < BUCKET_MIN || bucket.len > BUCKET_MAX)
        return false;
    if (!is_label_char(bucket.ptr[0]) || !is_label_char(bucket.ptr[bucket.len - 1]))
        return false;
    for (size_t i = 0; i < bucket.len; i++) {
        char c = bucket.ptr[i];

        if (!is_label_char(c) && c != '-' && c != '.')
            return false;
        if (c == '.' && bucket.ptr[i - 1] == '.') /* i > 0: the first is no dot */
            return false;
    }
    for (size_t i = 0; i < sizeof(reserved_heads) / sizeof(reserved_heads[0]); i++) {
        if (span_starts(bucket, span_of(reserved_heads[i])))
            return false;
    }
    for (size_t i = 0; i < sizeof(reserved_tails) / sizeof(reserved_tails[0]); i++) {
        if (span_ends(bucket, span_of(reserved_tails[i])))
            return false;
    }
    return !looks_like_ipv4(bucket);
}

bool s3_parse_uri(struct span uri, struct span *bucket, struct span *path, struct err *err)
{
    const struct span scheme = SPAN_LIT("s3://");
    const char *broken = NULL;
    struct span rest = { 0 }, name = { 0 }, key = { 0 };

    if (!span_starts(uri, scheme)) {
        broken = "must start with s3://";
    } else {
        rest = span_tail(uri, scheme.len);
        name = span_head(rest, span_find(rest, '/'));
        key = span_tail(rest, name.len + 1);
        if (!s3_bucket_name_ok(name))
            broken = "names a bucket that breaks S3's naming rules (3 to 63 of a-z 0-9 - .)";
        else if (key.len > KEY_MAX_BYTES)
            broken = "has a path of more than 1024 bytes";
        else if (!text_is_utf8(key) || memchr(key.len ? key.ptr : "", 0, key.len))
            broken = "has a path that is not valid UTF-8 text";
    }
    if (broken) {
        err_set(err, ERR_INPUT, false, HERE, "the S3 URI '%.*s' %s", SPAN_ARG(span_head(uri, 120)), broken);
        return err_code(err, "bad_s3_uri");
    }
    *bucket = name;
    *path = key;
    return true;
}
