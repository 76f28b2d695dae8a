/* What AWS may answer, and what becomes of it: the rows of the fault matrix. From the tables of "standard" retries, of
 * S3's error codes and of Bedrock's and STS's exceptions (S3 API, "Error responses"; botocore's standard.py). */
#ifndef VIDBATCH_TESTS_UNIT_AWS_FAULT_MATRIX_ROWS_H
#define VIDBATCH_TESTS_UNIT_AWS_FAULT_MATRIX_ROWS_H

#include "server/base/err.h"
#include "tests/support/http_script.h"

#include <stdbool.h>

/* How the error is written, and so by whom it may be sent. */
enum { BY_S3 = 1, BY_JSON = 2, BY_QUERY = 4, BY_ALL = 7 };

enum fate {
    FATE_FINAL,     /* told at once */
    FATE_AGAIN,     /* tried until there are no attempts left */
    FATE_THROTTLED, /* the same, with longer pauses */
    FATE_RENEWED,   /* once more, with credentials fetched anew */
};

struct answer_row {
    const char *code; /* AWS's name; NULL: the body says nothing */
    int status;       /* 0: no answer, the connection ends as `end` says */
    int by;
    enum fate fate;
    enum err_kind kind;
    const char *words; /* in the sentence; NULL: AWS's own; DENIAL: that the permission is missing */
    bool in_200;       /* S3 says 200, and the error is in its body */
    enum http_end end;
};

#define DENIAL "denial"
#define CLOCK "the clock of this machine is wrong"
#define EXPIRED "the temporary credentials have expired"
#define UNKNOWN_KEY "AWS does not know this access key id"
#define CUT "the connection is cut before the answer"
#define ELSEWHERE "the bucket is in another Region"

/* clang-format off */
static const struct answer_row answer_rows[] = {
    /* throttling, whoever says it */
    { "Throttling", 400, BY_ALL, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "ThrottlingException", 429, BY_ALL, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "ThrottledException", 400, BY_JSON, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "RequestThrottledException", 400, BY_JSON, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "RequestThrottled", 400, BY_ALL, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "TooManyRequestsException", 400, BY_JSON, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "ProvisionedThroughputExceededException", 400, BY_JSON, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "TransactionInProgressException", 400, BY_JSON, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "RequestLimitExceeded", 503, BY_ALL, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "BandwidthLimitExceeded", 509, BY_ALL, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "LimitExceededException", 400, BY_JSON, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "PriorRequestNotComplete", 400, BY_ALL, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "EC2ThrottledException", 400, BY_JSON, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "SlowDown", 503, BY_S3, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { "SlowDown", 200, BY_S3, FATE_THROTTLED, ERR_BUSY, NULL, true, 0 },
    { "ServiceQuotaExceededException", 400, BY_JSON, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    { NULL, 429, BY_ALL, FATE_THROTTLED, ERR_BUSY, NULL, false, 0 },
    /* what passes */
    { NULL, 500, BY_ALL, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { NULL, 502, BY_ALL, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { NULL, 503, BY_ALL, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { NULL, 504, BY_ALL, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { NULL, 0, BY_ALL, FATE_AGAIN, ERR_UPSTREAM, CUT, false, HTTP_CLOSE },
    { NULL, 0, BY_ALL, FATE_AGAIN, ERR_UPSTREAM, CUT, false, HTTP_RESET },
    { "InternalError", 500, BY_S3, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { "InternalError", 200, BY_S3, FATE_AGAIN, ERR_UPSTREAM, NULL, true, 0 },
    { "SomethingNew", 200, BY_S3, FATE_AGAIN, ERR_UPSTREAM, NULL, true, 0 },
    { "ServiceUnavailable", 503, BY_S3, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { "RequestTimeout", 400, BY_S3, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { "RequestTimeoutException", 408, BY_JSON, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { "BadDigest", 400, BY_S3, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { "IncompleteBody", 400, BY_S3, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { "OperationAborted", 409, BY_S3, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { "InternalServerException", 500, BY_JSON, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { "ServiceUnavailableException", 503, BY_JSON, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { "ModelNotReadyException", 429, BY_JSON, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { "ModelErrorException", 424, BY_JSON, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    { "IDPCommunicationError", 400, BY_QUERY, FATE_AGAIN, ERR_UPSTREAM, NULL, false, 0 },
    /* credentials */
    { "ExpiredToken", 400, BY_S3 | BY_QUERY, FATE_RENEWED, ERR_DENIED, EXPIRED, false, 0 },
    { "ExpiredTokenException", 403, BY_JSON, FATE_RENEWED, ERR_DENIED, EXPIRED, false, 0 },
    { "ExpiredTokenException", 400, BY_QUERY, FATE_RENEWED, ERR_DENIED, EXPIRED, false, 0 },
    { "TokenRefreshRequired", 400, BY_S3, FATE_RENEWED, ERR_DENIED, EXPIRED, false, 0 },
    { "InvalidToken", 400, BY_S3, FATE_RENEWED, ERR_DENIED, "AWS refuses the session token", false, 0 },
    { "RequestExpired", 400, BY_ALL, FATE_RENEWED, ERR_DENIED, CLOCK, false, 0 },
    { "InvalidAccessKeyId", 403, BY_S3, FATE_FINAL, ERR_DENIED, UNKNOWN_KEY, false, 0 },
    { "UnrecognizedClientException", 403, BY_JSON, FATE_FINAL, ERR_DENIED, UNKNOWN_KEY, false, 0 },
    { "InvalidClientTokenId", 403, BY_QUERY, FATE_FINAL, ERR_DENIED, UNKNOWN_KEY, false, 0 },
    { "SignatureDoesNotMatch", 403, BY_S3 | BY_QUERY, FATE_FINAL, ERR_DENIED, "the secret access key is not the one", false, 0 },
    { "InvalidSignatureException", 403, BY_JSON, FATE_FINAL, ERR_DENIED, "the secret access key is wrong", false, 0 },
    { "RequestTimeTooSkewed", 403, BY_S3, FATE_FINAL, ERR_DENIED, CLOCK, false, 0 },
    { "InvalidIdentityToken", 400, BY_QUERY, FATE_FINAL, ERR_INPUT, "AWS refuses the web identity token", false, 0 },
    { "IDPRejectedClaim", 403, BY_QUERY, FATE_FINAL, ERR_DENIED, "the identity provider refuses", false, 0 },
    { "RegionDisabledException", 403, BY_QUERY, FATE_FINAL, ERR_DENIED, "STS is switched off in this Region", false, 0 },
    /* permissions */
    { "AccessDenied", 403, BY_S3 | BY_QUERY, FATE_FINAL, ERR_DENIED, DENIAL, false, 0 },
    { "AccessDeniedException", 403, BY_JSON, FATE_FINAL, ERR_DENIED, DENIAL, false, 0 },
    { NULL, 403, BY_ALL, FATE_FINAL, ERR_DENIED, DENIAL, false, 0 },
    { "AllAccessDisabled", 403, BY_S3, FATE_FINAL, ERR_DENIED, "AWS has shut this bucket or account", false, 0 },
    { "AccountProblem", 403, BY_S3, FATE_FINAL, ERR_DENIED, "AWS sees a problem with the account", false, 0 },
    { "InvalidObjectState", 403, BY_S3, FATE_FINAL, ERR_DENIED, "the object is archived", false, 0 },
    /* things and their state */
    { NULL, 404, BY_ALL, FATE_FINAL, ERR_NOT_FOUND, NULL, false, 0 },
    { "NoSuchKey", 404, BY_S3, FATE_FINAL, ERR_NOT_FOUND, NULL, false, 0 },
    { "NoSuchBucket", 404, BY_S3, FATE_FINAL, ERR_NOT_FOUND, "there is no such bucket", false, 0 },
    { "NoSuchUpload", 404, BY_S3, FATE_FINAL, ERR_NOT_FOUND, NULL, false, 0 },
    { "ResourceNotFoundException", 404, BY_JSON, FATE_FINAL, ERR_NOT_FOUND, NULL, false, 0 },
    { "PreconditionFailed", 412, BY_S3, FATE_FINAL, ERR_CONFLICT, NULL, false, 0 },
    { "ConditionalRequestConflict", 409, BY_S3, FATE_FINAL, ERR_CONFLICT, NULL, false, 0 },
    { "ConflictException", 400, BY_JSON, FATE_FINAL, ERR_CONFLICT, NULL, false, 0 },
    { "InvalidRange", 416, BY_S3, FATE_FINAL, ERR_INPUT, NULL, false, 0 },
    { "AuthorizationHeaderMalformed", 400, BY_S3, FATE_FINAL, ERR_INPUT, ELSEWHERE, false, 0 },
    { "PermanentRedirect", 301, BY_S3, FATE_FINAL, ERR_UPSTREAM, ELSEWHERE, false, 0 },
    { "TemporaryRedirect", 307, BY_S3, FATE_FINAL, ERR_UPSTREAM, ELSEWHERE, false, 0 },
    /* what we did wrong */
    { NULL, 400, BY_ALL, FATE_FINAL, ERR_INPUT, NULL, false, 0 },
    { "ValidationException", 400, BY_JSON, FATE_FINAL, ERR_INPUT, NULL, false, 0 },
    { "MalformedPolicyDocument", 400, BY_QUERY, FATE_FINAL, ERR_INPUT, NULL, false, 0 },
    { "InvalidArgument", 400, BY_S3, FATE_FINAL, ERR_INPUT, NULL, false, 0 },
    { "InvalidRequest", 400, BY_S3, FATE_FINAL, ERR_INPUT, NULL, false, 0 },
    { "InvalidDigest", 400, BY_S3, FATE_FINAL, ERR_INPUT, NULL, false, 0 },
    { "EntityTooLarge", 400, BY_S3, FATE_FINAL, ERR_INPUT, NULL, false, 0 },
    { "InvalidPart", 400, BY_S3, FATE_FINAL, ERR_INPUT, NULL, false, 0 },
    { "MalformedXML", 400, BY_S3, FATE_FINAL, ERR_INPUT, NULL, false, 0 },
    { "MissingContentLength", 411, BY_S3, FATE_FINAL, ERR_INPUT, NULL, false, 0 },
    { "NotImplemented", 501, BY_S3, FATE_FINAL, ERR_UPSTREAM, NULL, false, 0 },
};
/* clang-format on */

#endif
