#include "server/work/links.h"

#include "aws/batch_input.h"
#include "aws/client.h"
#include "aws/s3.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/base/text.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_EXPIRES_S = 604800, MAX_SUFFIXES = 32 };

struct links {
    struct aws *aws;
    int64_t expires_s;
};

struct links *links_new(struct aws *aws, int64_t expires_s, struct err *err)
{
    struct links *links = NULL;

    if (expires_s < 1 || expires_s > MAX_EXPIRES_S) {
        err_set(err, ERR_INPUT, false, HERE, "a link must live from 1 second to 7 days, not %" PRId64 " seconds",
                expires_s);
        return NULL;
    }
    links = mem_alloc(1, sizeof *links);
    if (!links) {
        err_memory(err, HERE);
        return NULL;
    }
    links->aws = aws;
    links->expires_s = expires_s;
    return links;
}

void links_free(struct links *links)
{
    mem_free(links);
}

int64_t links_expires_s(const struct links *links)
{
    return links->expires_s;
}

/* Without credentials nothing can be signed. That is the operator's to cure, not the client's: the client learns no
 * more of it than that, for the cause names the server's own files. */
static bool have_credentials(struct aws *aws, struct err *err)
{
    AUTO(creds_wipe) struct creds creds = { 0 };
    struct err cause = { 0 };

    if (aws_credentials_soon(aws, &creds, &cause))
        return true;
    if (cause.kind == ERR_CANCELLED || cause.kind == ERR_MEMORY)
        return err_pass(err, &cause);
    log_error("links.no_credentials", "code=%s at=%s cause=%s", err_code_of(&cause), cause.where, LOGQ(cause.what));
    err_set(err, ERR_UPSTREAM, cause.retryable, HERE,
            "The service has no usable AWS credentials; its operator finds the reason in its log.");
    return err_code(err, "no_credentials");
}

static bool presign(struct aws *aws, const struct links_object *object, struct s3_presign *what, struct buf *url,
                    struct err *err)
{
    what->ref = (struct s3_ref){ .bucket = object->bucket, .key = object->key, .owner = { "", 0 } };
    aws_tell_bucket_region(aws, object->bucket, object->region);
    return have_credentials(aws, err) && s3_presign(aws, what, url, err);
}

/* RFC 6266: the name in UTF-8 and, for old clients, with '_' for what is not plain ASCII. */
static void put_disposition(struct buf *out, struct span filename)
{
    buf_text(out, "inline; filename=\"");
    for (size_t i = 0; i < filename.len; i++) {
        unsigned char c = (unsigned char)filename.ptr[i];
        buf_char(out, c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '%' ? '_' : (char)c);
    }
    buf_text(out, "\"; filename*=UTF-8''");
    text_percent_encode(out, filename, false);
}

bool links_get(struct links *links, const struct links_object *object, struct span filename, struct buf *url,
               struct err *err)
{
    AUTO(buf_done) struct buf disposition = { .max = 8192 };
    struct s3_presign what = {
        .method = "GET",
        .expires_s = links->expires_s,
    };

    put_disposition(&disposition, filename);
    if (!buf_check(&disposition, "a file name for the browser", err))
        return false;
    what.response_disposition = buf_cstr(&disposition);
    return presign(links->aws, object, &what, url, err);
}

bool links_put(struct links *links, const struct links_object *object, const char *content_type, struct buf *url,
               struct err *err)
{
    struct s3_presign what = {
        .method = "PUT",
        .expires_s = links->expires_s,
        .content_type = content_type,
    };

    return presign(links->aws, object, &what, url, err);
}

const char *links_video_mime(struct span key)
{
    const struct video_format *format = video_format_of(key);

    return format ? format->mime : NULL;
}

const char *const *links_video_suffixes(void)
{
    static _Thread_local const char *suffixes[MAX_SUFFIXES + 1];
    size_t count = 0;
    const struct video_format *formats = video_formats(&count);

    for (size_t i = 0; i < count && i < MAX_SUFFIXES; i++)
        suffixes[i] = formats[i].suffix;
    return suffixes;
}

bool links_bucket_name_ok(struct span bucket)
{
    return s3_bucket_name_ok(bucket);
}
