/* Checks a CreateModelInvocationJob request as AWS's model demands. */
#include "tests/emulator/bedrock.h"

#include <inttypes.h>
#include <pthread.h>
#include <regex.h>
#include <string.h>

/* AWS's patterns as POSIX writes them; lengths are checked apart, so that counts inside them may be dropped. */
#define MODEL_NAME "[a-z0-9-]{1,63}[.][a-z0-9-]{1,63}([.]?[a-z0-9-]{1,63})(:[a-z0-9-]{1,63}){0,2}"
static const char *const patterns[PATTERN_COUNT] = {
    [PATTERN_JOB_NAME] = "^[a-zA-Z0-9](-*[a-zA-Z0-9+.-])*$",
    [PATTERN_ROLE] = "^arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+$",
    [PATTERN_MODEL] =
        "^(arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:("
        "[0-9]{12}:custom-model/[a-z0-9-]{1,63}[.][a-z0-9:-]{1,63}/[a-z0-9]{12}"
        "|:foundation-model/" MODEL_NAME "|[0-9]{12}:(inference-profile|application-inference-profile)/[a-zA-Z0-9:.-]+)"
        "|" MODEL_NAME "|([0-9a-zA-Z][_-]?)+)$",
    [PATTERN_URI] = "^s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](/[-!_*'().a-z0-9A-Z]+(/[-!_*'().a-z0-9A-Z]+)*)?/?$",
    [PATTERN_TOKEN] = "^[a-zA-Z0-9](-*[a-zA-Z0-9])*$",
    [PATTERN_ARN] = "^arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:model-invocation-job/[a-z0-9]{12}$",
};
static regex_t compiled[PATTERN_COUNT];
static regex_t account_id, vpc_id, tag_text, kms_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void compile(regex_t *out, const char *pattern)
{
    if (regcomp(out, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        emu_die(pattern);
}

static void compile_all(void)
{
    for (int i = 0; i < PATTERN_COUNT; i++)
        compile(&compiled[i], patterns[i]);
    compile(&account_id, "^[0-9]{12}$");
    compile(&vpc_id, "^[-0-9a-zA-Z]+$");
    compile(&tag_text, "^[a-zA-Z0-9[:space:]._:/=+@-]*$");
    compile(&kms_key, "^(arn:aws(-[^:]+)?:kms:[a-zA-Z0-9-]*:[0-9]{12}:(key/[a-zA-Z0-9-]{36}|alias/[a-zA-Z0-9/_-]+)"
                      "|[a-zA-Z0-9-]{36}|alias/[a-zA-Z0-9/_-]+)$");
}

bool bedrock_matches(enum bedrock_pattern pattern, const char *text)
{
    pthread_once(&once, compile_all);
    return regexec(&compiled[pattern], text, 0, NULL, 0) == 0;
}

static bool invalid(struct request *rq, const char *at, const char *value, const char *constraint)
{
    return bedrock_error(rq, 400, "ValidationException",
                         "1 validation error detected: Value '%.200s' at '%s' failed to satisfy constraint: %s", value,
                         at, constraint);
}

/* A string member: present if required, of the length, matching. *out NULL where it is absent. */
static bool take_text(struct request *rq, json_t *object, const char *name, bool required, size_t max,
                      const regex_t *pattern, const char **out)
{
    json_t *value = json_object_get(object, name);

    *out = NULL;
    if (!value)
        return !required || invalid(rq, name, "null", "Member must not be null");
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
        return bedrock_error(rq, 400, "ValidationException", "The value of %s is not a string", name);
    *out = json_string_value(value);
    if (json_string_length(value) > max)
        return invalid(rq, name, *out, "Member must have length less than or equal to the maximum");
    if (pattern && regexec(pattern, *out, 0, NULL, 0) != 0)
        return invalid(rq, name, *out, "Member must satisfy regular expression pattern");
    return true;
}

/* names: NULL at the end. */
static bool check_names(struct request *rq, json_t *object, const char *at, const char *const *names)
{
    const char *name = NULL;
    json_t *value = NULL;

    if (!json_is_object(object))
        return bedrock_error(rq, 400, "ValidationException", "The value of %s is not an object", at);
    json_object_foreach(object, name, value)
    {
        size_t i = 0;
        while (names[i] && strcmp(names[i], name) != 0)
            i++;
        if (!names[i])
            return bedrock_error(rq, 400, "ValidationException", "Unknown field '%s' in %s", name, at);
    }
    return true;
}

static bool check_input(struct request *rq, json_t *config, const char **uri)
{
    static const char *const outer[] = { "s3InputDataConfig", NULL };
    static const char *const inner[] = { "s3InputFormat", "s3Uri", "s3BucketOwner", NULL };
    json_t *s3 = json_object_get(config, "s3InputDataConfig");
    const char *text = NULL;

    if (!config || !s3)
        return invalid(rq, "inputDataConfig", "null", "Member must not be null");
    return check_names(rq, config, "inputDataConfig", outer) && check_names(rq, s3, "s3InputDataConfig", inner) &&
           take_text(rq, s3, "s3Uri", true, 1024, &compiled[PATTERN_URI], uri) &&
           take_text(rq, s3, "s3BucketOwner", false, 12, &account_id, &text) &&
           take_text(rq, s3, "s3InputFormat", false, 10, NULL, &text) &&
           (!text || strcmp(text, "JSONL") == 0 ||
            invalid(rq, "s3InputFormat", text, "Member must satisfy enum value set: [JSONL]"));
}

static bool check_output(struct request *rq, json_t *config, const char **uri)
{
    static const char *const outer[] = { "s3OutputDataConfig", NULL };
    static const char *const inner[] = { "s3Uri", "s3EncryptionKeyId", "s3BucketOwner", NULL };
    json_t *s3 = json_object_get(config, "s3OutputDataConfig");
    const char *text = NULL;

    if (!config || !s3)
        return invalid(rq, "outputDataConfig", "null", "Member must not be null");
    return check_names(rq, config, "outputDataConfig", outer) && check_names(rq, s3, "s3OutputDataConfig", inner) &&
           take_text(rq, s3, "s3Uri", true, 1024, &compiled[PATTERN_URI], uri) &&
           take_text(rq, s3, "s3EncryptionKeyId", false, 2048, &kms_key, &text) &&
           take_text(rq, s3, "s3BucketOwner", false, 12, &account_id, &text);
}

static bool check_tags(struct request *rq, json_t *tags)
{
    static const char *const names[] = { "key", "value", NULL };
    size_t i = 0;
    json_t *tag = NULL;
    const char *text = NULL;

    if (!tags)
        return true;
    if (!json_is_array(tags) || json_array_size(tags) > 200)
        return invalid(rq, "tags", "...", "Member must be an array of length less than or equal to 200");
    json_array_foreach(tags, i, tag)
    {
        if (!check_names(rq, tag, "tags", names) || !take_text(rq, tag, "key", true, 128, &tag_text, &text))
            return false;
        if (!*text)
            return invalid(rq, "tags.key", "", "Member must have length greater than or equal to 1");
        if (!take_text(rq, tag, "value", true, 256, &tag_text, &text))
            return false;
    }
    return true;
}

static bool check_ids(struct request *rq, json_t *list, const char *at, size_t max)
{
    size_t i = 0;
    json_t *id = NULL;

    if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > max)
        return invalid(rq, at, "...", "Member must be an array of the allowed length");
    json_array_foreach(list, i,
                       id) if (!json_is_string(id) || json_string_length(id) > 32 ||
                               regexec(&vpc_id, json_string_value(id), 0, NULL, 0) !=
                                   0) return invalid(rq, at, "...",
                                                     "Member must satisfy regular expression pattern: [-0-9a-zA-Z]+");
    return true;
}

static bool check_vpc(struct request *rq, json_t *vpc)
{
    static const char *const names[] = { "subnetIds", "securityGroupIds", NULL };

    return !vpc || (check_names(rq, vpc, "vpcConfig", names) &&
                    check_ids(rq, json_object_get(vpc, "subnetIds"), "vpcConfig.subnetIds", 16) &&
                    check_ids(rq, json_object_get(vpc, "securityGroupIds"), "vpcConfig.securityGroupIds", 5));
}

static bool check_timeout(struct request *rq, json_t *value, int64_t *hours)
{
    *hours = 24;
    if (!value)
        return true;
    if (!json_is_integer(value))
        return bedrock_error(rq, 400, "ValidationException", "The value of timeoutDurationInHours is not an integer");
    *hours = json_integer_value(value);
    if (*hours >= 24 && *hours <= 168)
        return true;
    return bedrock_error(rq, 400, "ValidationException",
                         "1 validation error detected: Value '%" PRId64
                         "' at 'timeoutDurationInHours' failed to satisfy "
                         "constraint: Member must have value between 24 and 168",
                         *hours);
}

bool bedrock_check_create(struct request *rq, json_t *json, struct job_request *out)
{
    static const char *const names[] = { "jobName",
                                         "roleArn",
                                         "clientRequestToken",
                                         "modelId",
                                         "inputDataConfig",
                                         "outputDataConfig",
                                         "vpcConfig",
                                         "timeoutDurationInHours",
                                         "tags",
                                         "modelInvocationType",
                                         NULL };

    pthread_once(&once, compile_all);
    memset(out, 0, sizeof *out);
    out->json = json;
    if (!check_names(rq, json, "the request", names) ||
        !take_text(rq, json, "jobName", true, 63, &compiled[PATTERN_JOB_NAME], &out->name) ||
        !take_text(rq, json, "roleArn", true, 2048, &compiled[PATTERN_ROLE], &out->role_arn) ||
        !take_text(rq, json, "modelId", true, 2048, &compiled[PATTERN_MODEL], &out->model_id) ||
        !take_text(rq, json, "clientRequestToken", false, 256, &compiled[PATTERN_TOKEN], &out->token) ||
        !take_text(rq, json, "modelInvocationType", false, 20, NULL, &out->type))
        return false;
    if (out->type && strcmp(out->type, "InvokeModel") != 0 && strcmp(out->type, "Converse") != 0)
        return invalid(rq, "modelInvocationType", out->type,
                       "Member must satisfy enum value set: [InvokeModel, Converse]");
    return check_input(rq, json_object_get(json, "inputDataConfig"), &out->input_uri) &&
           check_output(rq, json_object_get(json, "outputDataConfig"), &out->output_uri) &&
           check_vpc(rq, json_object_get(json, "vpcConfig")) && check_tags(rq, json_object_get(json, "tags")) &&
           check_timeout(rq, json_object_get(json, "timeoutDurationInHours"), &out->timeout_hours);
}
