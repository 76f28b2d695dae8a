/* Credentials of the role of the EC2 instance that we run on. Silence, a refusal and nonsense all mean "nothing found":
 * most machines that ask are no EC2 instances. */
#include "aws/creds_internal.h"

#include "aws/creds_json.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ATTEMPTS = 2, MAX_ROLE = 128, EXTEND_BELOW_S = 15 * 60, EXTEND_BY_S = 15 * 60 };

#define ROLES "iam/security-credentials/"

/* The first line of the list of roles. */
static bool take_role(struct span list, char role[MAX_ROLE], struct err *err)
{
    struct span name = span_trim(span_head(list, span_find(list, '\n')));

    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.ptr[i]) && (!name.ptr[i] || !strchr("_+=,.@-", name.ptr[i])))
            name.len = 0;
    if (!name.len || name.len >= MAX_ROLE)
        return err_set(err, ERR_UPSTREAM, true, HERE, "the instance's metadata name no role");
    memcpy(role, name.ptr, name.len);
    role[name.len] = '\0';
    return true;
}

static bool fetch(struct imds *imds, struct creds *out, char role[MAX_ROLE], struct err *err)
{
    AUTO(buf_wipe) struct buf body = { 0 };
    char path[sizeof(ROLES) + MAX_ROLE];
    struct err cause = { 0 };

    buf_init(&body, CREDS_HTTP_MAX_BODY);
    if (!imds_get(imds, ROLES, &body, err) || !take_role(buf_view(&body), role, err))
        return false;
    (void)snprintf(path, sizeof(path), ROLES "%s", role);
    for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
        err_clear(&cause);
        if (!imds_get(imds, path, &body, err))
            return false;
        if (creds_json_read(CREDS_JSON_METADATA, buf_view(&body), out, &cause))
            return true;
    }
    return creds_blame(err, &cause, "role %s of the instance", role);
}

/* Metadata that give a set which has (nearly) run out have trouble of their own; the set is mostly still taken, so it
 * is used on, and asked for again soon (as botocore does). */
static void extend(struct creds *out, int64_t now_s)
{
    uint32_t bits;

    if (out->expires_at_s - now_s > EXTEND_BELOW_S)
        return;
    text_random(&bits, sizeof(bits));
    log_warn("aws.credentials.extended",
             "provider=EC2_metadata left_s=%" PRId64 " note='the metadata gave old credentials; they are used on'",
             out->expires_at_s - now_s);
    out->expires_at_s = now_s + EXTEND_BY_S + 120 + bits % 481;
}

bool creds_imds_load(void *state, struct creds *out, bool *found, struct err *err)
{
    struct creds_shared *shared = state;
    char role[MAX_ROLE];

    *found = fetch(&shared->imds, out, role, err);
    if (!*found)
        return err->kind != ERR_CANCELLED && err->kind != ERR_MEMORY && err->kind != ERR_INPUT;
    extend(out, clock_wall_ms() / 1000);
    (void)snprintf(out->detail, sizeof(out->detail), "role %s of this EC2 instance", role);
    return true;
}
