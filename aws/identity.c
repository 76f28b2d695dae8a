#include "aws/identity.h"

#include "aws/xml.h"

#include <string.h>

enum { ANSWER_MAX_BYTES = 64 * 1024 };

/* False: it does not fit, or is no plain text. */
static bool put(char *field, size_t size, struct span value)
{
    value = span_trim(value);
    if (value.len >= size)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < ' ' || value.ptr[i] > '~')
            return false;
    memset(field, 0, size);
    if (value.len)
        memcpy(field, value.ptr, value.len);
    return true;
}

static bool on_end(void *arg, const char *name, int depth, struct span text, struct err *err)
{
    struct aws_identity *out = arg;

    (void)depth;
    if ((strcmp(name, "Arn") == 0 && !put(out->arn, sizeof out->arn, text)) ||
        (strcmp(name, "Account") == 0 && !put(out->account, sizeof out->account, text))) {
        err_set(err, ERR_UPSTREAM, false, HERE, "STS gave a %s that is none", name);
        return err_code(err, "bad_answer");
    }
    return true;
}

bool aws_identity_read(struct span xml, struct aws_identity *out, struct err *err)
{
    struct aws_identity read = { 0 };
    const struct xml_handler handler = { .end = on_end, .arg = &read };

    if (!xml_read(xml, &handler, err))
        return false;
    if (!read.arn[0] || !read.account[0]) {
        err_set(err, ERR_UPSTREAM, false, HERE, "the answer of STS names no caller");
        return err_code(err, "bad_answer");
    }
    *out = read;
    return true;
}

bool aws_identity_get(struct aws_client *client, struct aws_identity *out, struct err *err)
{
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    const struct aws_request call = { .operation = "STS.GetCallerIdentity",
                                      .service = AWS_STS,
                                      .method = "POST",
                                      .path = SPAN_LIT("/"),
                                      .body = SPAN_LIT("Action=GetCallerIdentity&Version=2011-06-15"),
                                      .has_body = true,
                                      .content_type = "application/x-www-form-urlencoded; charset=utf-8",
                                      .max_response_bytes = ANSWER_MAX_BYTES };

    return aws_call(client, &call, &rs, err) && aws_identity_read(buf_view(&rs.body), out, err);
}
