/* Which models there are, and which of them batch takes where. */
#include "tests/emulator/bedrock.h"

#include <string.h>

/* Bare model ids with the Regions where they run in batch without a profile; everywhere else it must be a profile. */
static const char *const lite[] = { "us-east-1", "me-central-1", "us-gov-west-1", NULL };
static const char *const pro[] = { "us-east-1", "ap-southeast-3", "me-central-1", "us-gov-west-1", NULL };
static const char *const micro[] = { "us-east-1", "us-gov-west-1", NULL };
static const char *const nowhere[] = { NULL };
static const struct known_model {
    const char *id;
    const char *const *regions;
} known[] = { { "amazon.nova-lite-v1:0", lite },
              { "amazon.nova-pro-v1:0", pro },
              { "amazon.nova-micro-v1:0", micro },
              { "amazon.nova-premier-v1:0", nowhere },
              { "amazon.nova-2-lite-v1:0", nowhere } };
enum { KNOWN = sizeof known / sizeof known[0] };

/* The id behind the ARN of a foundation model; anything else is its own. */
static const char *bare_id(const char *model)
{
    static const char mark[] = "::foundation-model/";
    const char *arn_id = strstr(model, mark);

    return arn_id ? arn_id + sizeof mark - 1 : model;
}

static const struct known_model *find_bare(const char *bare)
{
    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(bare, known[i].id) == 0)
            return &known[i];
    return NULL;
}

/* us.amazon.nova-lite-v1:0, alone or at the end of an ARN, or a profile of the account's own. */
static bool is_profile(const char *model)
{
    if (strstr(model, "application-inference-profile/"))
        return true;
    for (size_t i = 0; i < KNOWN; i++)
        if (span_ends(span_of(model), span_of(known[i].id)) && strlen(model) > strlen(known[i].id) &&
            model[strlen(model) - strlen(known[i].id) - 1] == '.')
            return true;
    return false;
}

bool bedrock_is_model(const char *model)
{
    return find_bare(bare_id(model)) || is_profile(model);
}

bool bedrock_check_batch_model(struct emulator *emu, struct request *rq, const char *model)
{
    const char *bare = bare_id(model);
    const struct known_model *it = find_bare(bare);

    for (const char *const *region = it ? it->regions : nowhere; *region; region++)
        if (strcmp(*region, emu->config.region) == 0)
            return true;
    if (it)
        return bedrock_error(rq, 400, "ValidationException",
                             "Batch inference is not supported for model %s in region %s", bare, emu->config.region);
    return is_profile(model) ||
           bedrock_error(rq, 400, "ValidationException", "The provided model identifier is invalid.");
}
