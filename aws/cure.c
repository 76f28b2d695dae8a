#include "aws/cure.h"

#include "aws/iam_actions.h"
#include "server/base/span.h"
#include "server/base/text.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

struct known {
    const char *code; /* AWS's error name */
    const char *cause, *remedy;
    bool is_everywhere;
};

static const char renew[] =
    "Get new temporary credentials; a role, a web identity or a profile that fetches them renews "
    "them by itself.";
static const char set_clock[] =
    "Set the clock, and keep it right by NTP (timedatectl set-ntp true; on a container's host, "
    "not inside).";
static const char which_key[] =
    "Look which key is used (vidbatchd credentials): it may be deleted or inactive, of another "
    "AWS partition, or a temporary key without its AWS_SESSION_TOKEN.";
static const char use_near_bucket[] = "Use a bucket in the service's Region, or set AWS_REGION to the bucket's.";

static const struct known by_code[] = {
    { "SignatureDoesNotMatch", "the secret access key is not the one of this access key id",
      "Set the secret that was made together with this key id (AWS_SECRET_ACCESS_KEY, or the profile). A proxy that "
      "changes requests does the same harm.",
      true },
    { "InvalidSignatureException", "the secret access key is wrong, or the clock of this machine is",
      "Set the secret that was made together with this key id (AWS_SECRET_ACCESS_KEY, or the profile), and compare the "
      "clock.",
      true },
    { "IncompleteSignature", "AWS got the request without its whole signature",
      "A proxy between here and AWS changes headers: let it pass requests as they are, or go round it (NO_PROXY).",
      true },
    { "InvalidAccessKeyId", "AWS does not know this access key id", which_key, true },
    { "UnrecognizedClientException", "AWS does not know this access key id", which_key, true },
    { "InvalidClientTokenId", "AWS does not know this access key id", which_key, true },
    { "RequestTimeTooSkewed", "the clock of this machine is wrong", set_clock, true },
    { "RequestExpired", "the clock of this machine is wrong", set_clock, true },
    { "RequestInTheFuture", "the clock of this machine is wrong", set_clock, true },
    { "ExpiredToken", "the temporary credentials have expired", renew, true },
    { "ExpiredTokenException", "the temporary credentials have expired", renew, true },
    { "TokenRefreshRequired", "the temporary credentials have expired", renew, true },
    { "InvalidToken", "AWS refuses the session token", which_key, true },
    { "InvalidIdentityToken", "AWS refuses the web identity token",
      "Look at the role's trust policy and at the identity provider that it names: issuer and audience must be the "
      "token's.",
      true },
    { "IDPRejectedClaim", "the identity provider refuses the web identity token",
      "The token is expired or revoked: see that the file is renewed (AWS_WEB_IDENTITY_TOKEN_FILE).", true },
    { "RegionDisabledException", "STS is switched off in this Region for this account",
      "Enable the Region in the account's settings, or work in another one (AWS_REGION).", true },
    { "OptInRequired", "the account is not signed up for this service, or not in this Region",
      "Enable the Region, and the service, in the account's settings.", true },
    { "AllAccessDisabled", "AWS has shut this bucket or account", "Ask AWS Support.", false },
    { "AccountProblem", "AWS sees a problem with the account", "Ask AWS Support.", true },
    { "NoSuchBucket", "there is no such bucket",
      "Look at its name: buckets are known by it in all of a partition. Make the bucket, or name the one that is "
      "meant.",
      false },
    { "PermanentRedirect", "the bucket is in another Region", use_near_bucket, false },
    { "TemporaryRedirect", "the bucket is in another Region, or was made moments ago", use_near_bucket, false },
    { "AuthorizationHeaderMalformed", "the bucket is in another Region", use_near_bucket, false },
    { "IllegalLocationConstraintException", "the bucket is in another Region", use_near_bucket, false },
    { "InvalidObjectState", "the object is archived", "Restore it in S3, then try again.", false },
};

static const char denied_codes[][24] = { "AccessDenied", "AccessDeniedException", "NotAuthorized" };

static const char through_proxy[] = "Look at the network: name resolution, firewall, VPC endpoint, and the proxy "
                                    "(HTTPS_PROXY, NO_PROXY).";

static const struct {
    int transport; /* CURLcode */
    const char *cause, *remedy;
} by_transport[] = {
    { CURLE_COULDNT_RESOLVE_HOST, "the name of AWS's endpoint cannot be resolved",
      "Look at the Region's name (AWS_REGION), the endpoint (AWS_ENDPOINT_URL...) and at DNS; without a way to the "
      "internet AWS is reached through a VPC endpoint." },
    { CURLE_COULDNT_RESOLVE_PROXY, "the name of the proxy cannot be resolved", "Correct HTTPS_PROXY, or unset it." },
    { CURLE_COULDNT_CONNECT, "nothing answers where AWS's endpoint should be", through_proxy },
    { CURLE_OPERATION_TIMEDOUT, "AWS's endpoint did not answer in time", through_proxy },
    { CURLE_PEER_FAILED_VERIFICATION, "the certificate of the other side is not trusted",
      "A proxy that opens TLS needs its certificate authority trusted here: name its file with AWS_CA_BUNDLE." },
    { CURLE_SSL_CACERT_BADFILE, "the file of trusted certificates cannot be read", "Correct AWS_CA_BUNDLE." },
    { CURLE_SSL_CONNECT_ERROR, "no TLS connection comes about", through_proxy },
    { CURLE_GOT_NOTHING, "the connection is cut before the answer", through_proxy },
    { CURLE_RECV_ERROR, "the connection is cut before the answer", through_proxy },
    { CURLE_SEND_ERROR, "the connection is cut before the answer", through_proxy },
    { CURLE_PARTIAL_FILE, "the connection is cut within the answer", through_proxy },
};

static void fill(struct cure *out, const char *cause, const char *remedy, bool is_everywhere)
{
    *out = (struct cure){ .is_everywhere = is_everywhere };
    snprintf(out->cause, sizeof out->cause, "%s", cause);
    snprintf(out->remedy, sizeof out->remedy, "%s", remedy);
}

static bool is_denial(const struct err *err)
{
    for (size_t i = 0; i < sizeof denied_codes / sizeof denied_codes[0]; i++)
        if (strcmp(err->upstream_code, denied_codes[i]) == 0)
            return true;
    /* HEAD has only its status to say it with */
    return err->upstream_status == 403 && !err->upstream_code[0];
}

static void fill_denial(const struct err *err, const char *operation, struct cure *out)
{
    fill(out, "AWS denies the permission", "Look at the policies of the identity that the service works as.", false);
    iam_denied_action(operation, span_of(err->upstream_message), out->action);
    if (!out->action[0])
        return;
    snprintf(out->cause, sizeof out->cause, "the permission %s is missing", out->action);
    snprintf(
        out->remedy, sizeof out->remedy,
        "Allow the service's identity %s (vidbatchd iam-policy prints the whole policy); a bucket policy, an SCP or "
        "a permissions boundary may deny it too.",
        out->action);
}

/* AWS's error name; the answer to HEAD has none. */
static const char *code_of(const struct err *err, const char *operation)
{
    if (err->upstream_status == 404 && !err->upstream_code[0] && strcmp(operation, "S3.HeadBucket") == 0)
        return "NoSuchBucket";
    return err->upstream_code;
}

bool cure_find(const struct err *err, const char *operation, struct cure *out)
{
    const char *code = code_of(err, operation);

    for (size_t i = 0; i < sizeof by_code / sizeof by_code[0]; i++)
        if (strcmp(code, by_code[i].code) == 0) {
            fill(out, by_code[i].cause, by_code[i].remedy, by_code[i].is_everywhere);
            return true;
        }
    if (is_denial(err) && strcasestr(err->upstream_message, "have access to the model")) {
        fill(out, "the account has no access to this model",
             "Request access to the model in Bedrock's console, in this Region, and try again a few minutes later.",
             false);
        return true;
    }
    if (is_denial(err)) {
        fill_denial(err, operation, out);
        return true;
    }
    for (size_t i = 0; i < sizeof by_transport / sizeof by_transport[0]; i++)
        if (err->transport == by_transport[i].transport) {
            fill(out, by_transport[i].cause, by_transport[i].remedy, true);
            return true;
        }
    return false;
}

void cure_add(struct err *err, const char *operation)
{
    struct cure cure;
    char words[sizeof err->what];
    size_t room;
    int len;

    if (!err || !cure_find(err, operation, &cure))
        return;
    len = snprintf(words, sizeof words, ": %s. %s", cure.cause, cure.remedy);
    if (len < 0 || (size_t)len >= sizeof words)
        return;
    room = sizeof err->what - 1 - (size_t)len;
    room = text_utf8_head(span_of(err->what), room).len;
    if (room > 0 && err->what[room - 1] == '.') /* AWS's sentence goes on */
        room--;
    memcpy(err->what + room, words, (size_t)len + 1);
}
