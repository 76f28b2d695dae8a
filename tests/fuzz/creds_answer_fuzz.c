/* What credentials come in: JSON of agents, processes and SSO, the cached token of SSO, the answer of STS; and the
 * texts of settings that are taken apart: a command line, a container's URL, a zone. First byte: which of them. */
#include "aws/creds_internal.h"
#include "aws/creds_json.h"
#include "aws/region.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Fields end, and hold nothing that could break a header. */
static void check_field(const char *field, size_t size, bool is_needed)
{
    const size_t len = strnlen(field, size);

    if (len == size || (is_needed && !len))
        abort();
    for (size_t i = 0; i < len; i++)
        if (field[i] <= ' ' || field[i] == 127)
            abort();
}

static void check_creds(bool ok, const struct creds *got, const struct err *err)
{
    if (ok != (err->kind == ERR_NONE))
        abort();
    check_field(got->access_key_id, sizeof(got->access_key_id), ok);
    check_field(got->secret_access_key, sizeof(got->secret_access_key), ok);
    check_field(got->session_token, sizeof(got->session_token), false);
    if (!ok && (got->access_key_id[0] || got->secret_access_key[0] || got->expires_at_s))
        abort();
}

static void check_token(struct span text)
{
    struct sso_token token = { .expires_at_s = 0 };
    struct err err = { 0 };

    if (sso_token_read(text, &token, &err) != (err.kind == ERR_NONE))
        abort();
    check_field(token.token, sizeof(token.token), err.kind == ERR_NONE);
}

/* As many words as counted, each ended. */
static void check_command(struct span text)
{
    AUTO(buf_done) struct buf words = { 0 };
    struct err err = { 0 };
    size_t count = 0, ends = 0;

    if (!creds_split_command(text, &words, &count, &err))
        return;
    for (size_t i = 0; i < words.len; i++)
        ends += words.data[i] == '\0';
    if (!count || ends != count || words.data[words.len - 1])
        abort();
}

/* Plain http leads only to where it may. */
static void check_url(struct span text)
{
    AUTO(buf_done) struct buf copy = { 0 };
    AUTO(buf_done) struct buf url = { 0 };
    struct creds_settings settings = { .container_relative_uri = "" };
    struct err err = { 0 };
    bool is_near = false;

    buf_span(&copy, text);
    settings.container_full_uri = buf_cstr(&copy);
    if (creds_container_url(&settings, &url, &is_near, &err) && !is_near &&
        span_eq_nocase(span_head(buf_view(&url), 5), SPAN_LIT("http:")))
        abort();
}

static void check_zone(struct span text)
{
    char region[AWS_REGION_SIZE];

    if (region_of_zone(text, region) && !endpoint_region_ok(span_of(region)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct span text = span_tail((struct span){ (const char *)data, len }, 1);
    struct creds got = { .access_key_id = "" };
    struct err err = { 0 };

    if (!len)
        return 0;
    switch (data[0] % 8) {
    case 0:
    case 1:
    case 2:
        check_creds(creds_json_read((enum creds_json)(data[0] % 8), text, &got, &err), &got, &err);
        break;
    case 3:
        check_creds(sts_read_credentials(text, &got, &err), &got, &err);
        break;
    case 4:
        check_token(text);
        break;
    case 5:
        check_command(text);
        break;
    case 6:
        check_url(text);
        break;
    default:
        check_zone(text);
    }
    return 0;
}
