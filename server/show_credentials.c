#include "server/show_credentials.h"

#include "aws/client.h"
#include "server/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 4 };

/* The end of the key id; of one that is hardly longer, nothing. */
static const char *last_of(const char *id)
{
    const size_t len = strlen(id);

    return len >= 2 * SHOWN ? id + len - SHOWN : "";
}

static void add_expiry(const struct creds *creds, int64_t now_s, struct buf *out)
{
    const int64_t left_s = creds->expires_at_s - now_s;
    char at[CLOCK_RFC3339_SIZE];

    if (!creds->expires_at_s) {
        buf_text(out, "expires:   never, as far as they tell\n");
        return;
    }
    clock_rfc3339(creds->expires_at_s * 1000, at);
    buf_fmt(out, "expires:   %s (in %" PRId64 " min; fetched anew before that)\n", at, left_s / 60);
}

void describe_credentials(const struct creds *creds, const struct config *config, int64_t now_s, struct buf *out)
{
    buf_fmt(out, "provider:  %s\n", creds->provider);
    buf_fmt(out, "source:    %s\n", creds->detail);
    buf_fmt(out, "key id:    ...%s\n", last_of(creds->access_key_id));
    add_expiry(creds, now_s, out);
    buf_fmt(out, "Region:    %s (%s)\n", config->aws_region, config->region_origin);
}

static int refuse(const struct err *err)
{
    fprintf(stderr, "vidbatchd: %s\n", err->what);
    if (err->upstream_message[0])
        fprintf(stderr, "AWS says: %s\n", err->upstream_message);
    if (strcmp(err_code_of(err), "no_credentials") == 0)
        fprintf(stderr,
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name by AWS_PROFILE a profile that has keys "
                "or a role, or run where AWS gives a role (EC2, ECS, EKS).\n");
    return 1;
}

int show_credentials(const struct config *config)
{
    const struct aws_options options = config_aws_options(config);
    AUTO(creds_wipe) struct creds creds = { .access_key_id = "" };
    AUTO(buf_done) struct buf text = { 0 };
    struct err err = { 0 };
    struct aws *aws = aws_new(&options, &err);
    const bool ok = aws && aws_credentials(aws, &creds, &err);

    aws_free(aws);
    if (!ok)
        return refuse(&err);
    describe_credentials(&creds, config, clock_wall_ms() / 1000, &text);
    printf("%s", buf_cstr(&text));
    return 0;
}
