#include "aws/bedrock_check.h"

#include <string.h>

/* Character sets of the patterns. */
enum charset {
    DIGIT = 1,
    LOWER = 2,
    UPPER = 4,
    ALNUM = DIGIT | LOWER | UPPER,
    HYPHEN = 8,
    DOT = 16,
    COLON = 32,
    UNDERSCORE = 64,
    SLASH = 128,
};

static bool is_in(char c, unsigned set)
{
    if (c >= '0' && c <= '9')
        return set & DIGIT;
    if (c >= 'a' && c <= 'z')
        return set & LOWER;
    if (c >= 'A' && c <= 'Z')
        return set & UPPER;
    switch (c) {
    case '-':
        return set & HYPHEN;
    case '.':
        return set & DOT;
    case ':':
        return set & COLON;
    case '_':
        return set & UNDERSCORE;
    case '/':
        return set & SLASH;
    default:
        return false;
    }
}

static size_t run_of(struct span s, unsigned set)
{
    size_t n = 0;

    while (n < s.len && is_in(s.ptr[n], set))
        n++;
    return n;
}

static bool is_all(struct span s, unsigned set, size_t min, size_t max)
{
    return s.len >= min && s.len <= max && run_of(s, set) == s.len;
}

static bool skip(struct span *s, struct span word)
{
    if (!span_starts(*s, word))
        return false;
    *s = span_tail(*s, word.len);
    return true;
}

/* The text up to the first c, which is dropped; false where there is no c. */
static bool take_until(struct span *s, char c, struct span *before)
{
    size_t n = span_find(*s, c);

    if (n == s->len)
        return false;
    *before = span_head(*s, n);
    *s = span_tail(*s, n + 1);
    return true;
}

/* arn:aws(-[^:]+)?: */
static bool skip_partition(struct span *s)
{
    struct span partition = { 0 };

    if (!skip(s, SPAN_LIT("arn:")) || !take_until(s, ':', &partition))
        return false;
    return span_eq_text(partition, "aws") || (span_starts(partition, SPAN_LIT("aws-")) && partition.len > 4);
}

/* [a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9\+\-\.]){0,63} */
bool bedrock_is_job_name(struct span s)
{
    if (s.len < 1 || s.len > 63 || !is_in(s.ptr[0], ALNUM))
        return false;
    for (size_t i = 1; i < s.len; i++)
        if (!is_in(s.ptr[i], ALNUM | HYPHEN | DOT) && s.ptr[i] != '+')
            return false;
    return true;
}

/* [a-zA-Z0-9]{1,256}(-*[a-zA-Z0-9]){0,256} */
bool bedrock_is_token(struct span s)
{
    return is_all(s, ALNUM | HYPHEN, 1, 256) && s.ptr[0] != '-' && s.ptr[s.len - 1] != '-';
}

/* [0-9]{12} */
bool bedrock_is_account(struct span s)
{
    return is_all(s, DIGIT, 12, 12);
}

/* arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+ */
bool bedrock_is_role_arn(struct span s)
{
    struct span account = { 0 };

    if (s.len > 2048 || !skip_partition(&s) || !skip(&s, SPAN_LIT("iam::")) || !take_until(&s, ':', &account))
        return false;
    if (account.len > 0 && !bedrock_is_account(account))
        return false;
    return skip(&s, SPAN_LIT("role/")) && s.len > 0 && !memchr(s.ptr, '\n', s.len);
}

/* ([0-9a-zA-Z][_-]?)+ : no two separators in a row, none in front */
static bool is_plain_model_name(struct span s)
{
    bool may_separate = false;

    for (size_t i = 0; i < s.len; i++) {
        if (is_in(s.ptr[i], ALNUM))
            may_separate = true;
        else if (may_separate && is_in(s.ptr[i], HYPHEN | UNDERSCORE))
            may_separate = false;
        else
            return false;
    }
    return s.len > 0;
}

/* [a-z0-9-]{1,63}[.]{1}[a-z0-9-]{1,63}([.]?[a-z0-9-]{1,63})([:][a-z0-9-]{1,63}){0,2} */
static bool is_foundation_model(struct span s)
{
    const unsigned word = LOWER | DIGIT | HYPHEN;
    struct span first = { 0 }, second = { 0 }, names = { 0 };

    for (int i = 0; i < 2; i++) { /* the versions, from the right */
        const char *colon = s.len > 0 ? memrchr(s.ptr, ':', s.len) : NULL;

        if (!colon)
            break;
        if (!is_all(span_tail(s, (size_t)(colon - s.ptr) + 1), word, 1, 63))
            return false;
        s = span_head(s, (size_t)(colon - s.ptr));
    }
    names = s;
    if (!take_until(&names, '.', &first) || !is_all(first, word, 1, 63))
        return false;
    if (take_until(&names, '.', &second))
        return is_all(second, word, 1, 63) && is_all(names, word, 1, 63);
    return is_all(names, word, 2, 126); /* the optional dot left out: two runs of 1 to 63 side by side */
}

/* custom-model/[a-z0-9-]{1,63}[.]{1}[a-z0-9-:]{1,63}/[a-z0-9]{12} after its first word */
static bool is_custom_model(struct span s)
{
    struct span base = { 0 }, version = { 0 };

    return take_until(&s, '.', &base) && is_all(base, LOWER | DIGIT | HYPHEN, 1, 63) && take_until(&s, '/', &version) &&
           is_all(version, LOWER | DIGIT | HYPHEN | COLON, 1, 63) && is_all(s, LOWER | DIGIT, 12, 12);
}

static bool is_model_arn(struct span s)
{
    struct span region = { 0 }, account = { 0 };

    if (!skip_partition(&s) || !skip(&s, SPAN_LIT("bedrock:")) || !take_until(&s, ':', &region) ||
        !is_all(region, LOWER | DIGIT | HYPHEN, 1, 20))
        return false;
    if (is_plain_model_name(s)) /* AWS's pattern groups this alternative here */
        return true;
    if (!take_until(&s, ':', &account))
        return false;
    if (account.len == 0)
        return skip(&s, SPAN_LIT("foundation-model/")) && is_foundation_model(s);
    if (!bedrock_is_account(account))
        return false;
    if (skip(&s, SPAN_LIT("custom-model/")))
        return is_custom_model(s);
    return (skip(&s, SPAN_LIT("inference-profile/")) || skip(&s, SPAN_LIT("application-inference-profile/"))) &&
           is_all(s, ALNUM | HYPHEN | COLON | DOT, 1, 2048);
}

bool bedrock_is_model_id(struct span s)
{
    if (s.len < 1 || s.len > 2048)
        return false;
    return is_foundation_model(s) || is_plain_model_name(s) || is_model_arn(s);
}

/* s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](?:/[-!_*'().a-z0-9A-Z]+(?:/[-!_*'().a-z0-9A-Z]+)*)?/? */
bool bedrock_is_s3_uri(struct span s)
{
    struct span bucket = { 0 };
    size_t segment = 1; /* so that "s3://bucket" needs no path */

    if (s.len > 1024 || !skip(&s, SPAN_LIT("s3://")))
        return false;
    bucket = span_head(s, span_find(s, '/'));
    if (!is_all(bucket, LOWER | DIGIT | HYPHEN | DOT, 3, 63) || !is_in(bucket.ptr[0], LOWER | DIGIT) ||
        !is_in(bucket.ptr[bucket.len - 1], LOWER | DIGIT))
        return false;
    for (size_t i = bucket.len; i < s.len; i++) {
        char c = s.ptr[i];

        if (c == '/') {
            if (segment == 0)
                return false;
            segment = 0;
        } else if (is_in(c, ALNUM | HYPHEN | DOT | UNDERSCORE) || (c != '\0' && strchr("!*'()", c))) {
            segment++;
        } else {
            return false;
        }
    }
    return true;
}

/* alias/[a-zA-Z0-9-_/]+ or a key of 36 characters [a-zA-Z0-9-], bare or in an ARN (there key/ comes before the key) */
bool bedrock_is_kms_key(struct span s)
{
    const unsigned id = ALNUM | HYPHEN;
    struct span region = { 0 }, account = { 0 };

    if (s.len < 1 || s.len > 2048)
        return false;
    if (skip(&s, SPAN_LIT("alias/")))
        return is_all(s, id | UNDERSCORE | SLASH, 1, 2048);
    if (is_all(s, id, 36, 36))
        return true;
    if (!skip_partition(&s) || !skip(&s, SPAN_LIT("kms:")) || !take_until(&s, ':', &region) ||
        !is_all(region, id, 0, 2048) || !take_until(&s, ':', &account) || !bedrock_is_account(account))
        return false;
    if (skip(&s, SPAN_LIT("alias/")))
        return is_all(s, id | UNDERSCORE | SLASH, 1, 2048);
    return skip(&s, SPAN_LIT("key/")) && is_all(s, id, 36, 36);
}

/* [a-zA-Z0-9\s._:/=+@-]* */
bool bedrock_is_tag_text(struct span s, size_t min, size_t max)
{
    if (s.len < min || s.len > max)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!is_in(c, ALNUM | HYPHEN | DOT | COLON | UNDERSCORE | SLASH) && (c == '\0' || !strchr("=+@ \t\n\v\f\r", c)))
            return false;
    }
    return true;
}

/* arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:model-invocation-job/[a-z0-9]{12} */
bool bedrock_is_job_arn(struct span s)
{
    struct span region = { 0 }, account = { 0 };

    return s.len < BEDROCK_ARN_SIZE && skip_partition(&s) && skip(&s, SPAN_LIT("bedrock:")) &&
           take_until(&s, ':', &region) && is_all(region, LOWER | DIGIT | HYPHEN, 1, 20) &&
           take_until(&s, ':', &account) && bedrock_is_account(account) &&
           skip(&s, SPAN_LIT("model-invocation-job/")) && is_all(s, LOWER | DIGIT, 12, 12);
}

static bool refuse(struct err *err, const char *field, struct span value, const char *rule)
{
    err_set(err, ERR_INPUT, false, HERE, "%s '%.*s' is not accepted by Bedrock: it must be %s", field,
            SPAN_ARG(span_head(value, 120)), rule);
    return err_code(err, "bad_request_field");
}

static bool check_tags(const struct bedrock_create *rq, struct err *err)
{
    if (rq->tag_count > 200) {
        err_set(err, ERR_INPUT, false, HERE, "tags: Bedrock takes at most 200, not %zu", rq->tag_count);
        return err_code(err, "bad_request_field");
    }
    for (size_t i = 0; i < rq->tag_count; i++) {
        struct span key = span_of(rq->tags[i].key), value = span_of(rq->tags[i].value);

        if (!bedrock_is_tag_text(key, 1, 128))
            return refuse(err, "tags.key", key, "1 to 128 of letters, digits, blanks and ._:/=+@-");
        if (!bedrock_is_tag_text(value, 0, 256))
            return refuse(err, "tags.value", value, "at most 256 of letters, digits, blanks and ._:/=+@-");
    }
    return true;
}

bool bedrock_check_create(const struct bedrock_create *rq, struct err *err)
{
    static const char uri_rule[] =
        "s3://bucket/folder/ of at most 1024 characters, each folder of letters, digits and -!_*'().";
    static const char owner_rule[] = "an account number of 12 digits";
    const struct {
        const char *field, *value;
        bool required;
        bool (*matches)(struct span s);
        const char *rule;
    } fields[] = {
        { "jobName", rq->job_name, true, bedrock_is_job_name,
          "1 to 63 of letters, digits and + - . and start with a letter or digit" },
        { "clientRequestToken", rq->client_token, true, bedrock_is_token,
          "1 to 256 letters and digits, with hyphens only between them" },
        { "roleArn", rq->role_arn, true, bedrock_is_role_arn,
          "the ARN of an IAM role, arn:aws:iam::<account>:role/<name>" },
        { "modelId", rq->model_id, true, bedrock_is_model_id, "the id or ARN of a model or of an inference profile" },
        { "inputDataConfig.s3Uri", rq->input_uri, true, bedrock_is_s3_uri, uri_rule },
        { "inputDataConfig.s3BucketOwner", rq->input_owner, false, bedrock_is_account, owner_rule },
        { "outputDataConfig.s3Uri", rq->output_uri, true, bedrock_is_s3_uri, uri_rule },
        { "outputDataConfig.s3BucketOwner", rq->output_owner, false, bedrock_is_account, owner_rule },
        { "outputDataConfig.s3EncryptionKeyId", rq->output_kms_key, false, bedrock_is_kms_key,
          "the ARN, id or alias of a KMS key" },
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct span value = span_of(fields[i].value);

        if (value.len == 0 && !fields[i].required)
            continue;
        if (!fields[i].matches(value))
            return refuse(err, fields[i].field, value, fields[i].rule);
    }
    if (rq->timeout_hours != 0 && (rq->timeout_hours < 24 || rq->timeout_hours > 168)) {
        err_set(err, ERR_INPUT, false, HERE, "timeoutDurationInHours must be from 24 to 168, not %d",
                rq->timeout_hours);
        return err_code(err, "bad_request_field");
    }
    return check_tags(rq, err);
}
