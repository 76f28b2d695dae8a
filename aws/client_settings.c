/* What the environment and the profile say together of endpoints, retries and checksums: the environment wins over the
 * profile, a service's own setting over the one for all. */
#include "aws/client_internal.h"
#include "server/base/mem.h"
#include "server/base/text.h"

#include <stdio.h>
#include <string.h>

enum { DEFAULT_ATTEMPTS = 5, MOST_ATTEMPTS = 100 };

/* As the services' ids are written in a [services NAME] section. */
static const char *const section_names[AWS_SERVICES] = {
    [AWS_S3] = "s3",   [AWS_BEDROCK] = "bedrock", [AWS_BEDROCK_RUNTIME] = "bedrock_runtime",
    [AWS_STS] = "sts", [AWS_IAM] = "iam",         [AWS_SQS] = "sqs",
};

/* The setting's text: of the environment where it is set, else of the profile. */
static struct span choose(const char *from_environment, const struct profile *profile, const char *key)
{
    if (from_environment && from_environment[0])
        return span_of(from_environment);
    return profile_get(profile, key, NULL);
}

static bool refuse_profile(const struct profile *profile, const char *key, const char *rule, struct span value,
                           struct err *err)
{
    err_set(err, ERR_INPUT, false, HERE, "%s of profile %s must be %s, not '%.*s'", key, profile->name, rule,
            SPAN_ARG(span_head(value, 64)));
    return err_code(err, "bad_profile_file");
}

static bool read_switch(const char *from_environment, const struct profile *profile, const char *key, bool *out,
                        struct err *err)
{
    struct span text = choose(from_environment, profile, key);

    *out = span_eq_nocase(text, SPAN_LIT("true"));
    if (!text.len || *out || span_eq_nocase(text, SPAN_LIT("false")))
        return true;
    return refuse_profile(profile, key, "true or false", text, err);
}

static void read_addressing(struct aws *aws, const struct profile *profile)
{
    struct span style = profile_get(profile, "s3", "addressing_style");

    if (aws->options.addressing != AWS_ADDRESSING_AUTO)
        return;
    if (span_eq_text(style, "path"))
        aws->options.addressing = AWS_ADDRESSING_PATH;
    if (span_eq_text(style, "virtual"))
        aws->options.addressing = AWS_ADDRESSING_VIRTUAL;
}

/* The name of the profile's [services NAME] section; empty where it names none. */
static bool find_section(const struct profile *profile, struct span *name, struct err *err)
{
    *name = profile_get(profile, "services", NULL);
    if (!name->len || profile_has(profile, PROFILE_SERVICES, *name))
        return true;
    err_set(err, ERR_INPUT, false, HERE, "profile %s has services = %.*s, but there is no section [services %.*s]",
            profile->name, SPAN_ARG(span_head(*name, 64)), SPAN_ARG(span_head(*name, 64)));
    return err_code(err, "bad_profile_file");
}

/* The custom URL of one service, as text of its own; *out stays NULL where none is set. */
static bool custom_url(const struct aws_options *options, const struct profile *profile, struct span section,
                       int service, char **out, struct err *err)
{
    struct span url = span_of(options->endpoint_urls[service]);

    if (!url.len)
        url = span_of(options->endpoint_url);
    if (!url.len && section.len)
        url = profile_get_in(profile, PROFILE_SERVICES, section, section_names[service], "endpoint_url");
    if (!url.len)
        url = profile_get(profile, "endpoint_url", NULL);
    if (url.len && !(*out = mem_span(url)))
        return err_memory(err, HERE);
    return true;
}

static bool read_endpoints(struct aws *aws, const struct aws_options *options, const struct profile *profile,
                           struct err *err)
{
    struct endpoint_choice choice = { .region = aws->region };
    struct span section = { 0 };

    if (!read_switch(options->use_fips, profile, "use_fips_endpoint", &aws->use_fips, err) ||
        !read_switch(options->use_dualstack, profile, "use_dualstack_endpoint", &aws->use_dualstack, err) ||
        !read_switch(options->ignore_endpoint_urls, profile, "ignore_configured_endpoint_urls",
                     &aws->ignores_endpoint_urls, err) ||
        !find_section(profile, &section, err))
        return false;
    choice.use_fips = aws->use_fips;
    choice.use_dualstack = aws->use_dualstack;
    for (int i = 0; i < AWS_SERVICES; i++) {
        AUTO(mem_free_text) char *url = NULL;

        if (!aws->ignores_endpoint_urls && !custom_url(options, profile, section, i, &url, err))
            return false;
        choice.custom_url = url;
        if (!endpoint_resolve((enum aws_service)i, &choice, &aws->endpoints[i], err))
            return false;
    }
    return true;
}

/* Judged now, in a sentence, rather than by the first call in libcurl's words. */
static bool read_ca_bundle(struct aws *aws, const struct aws_options *options, const struct profile *profile,
                           struct err *err)
{
    struct span path = choose(options->ca_bundle, profile, "ca_bundle");
    FILE *file;

    if (!path.len)
        return true;
    aws->ca_bundle = mem_span(path);
    if (!aws->ca_bundle)
        return err_memory(err, HERE);
    file = fopen(aws->ca_bundle, "re");
    if (file) {
        (void)fclose(file);
        return true;
    }
    err_set(err, ERR_INPUT, false, HERE,
            "the file of trusted certificates %.200s cannot be read: correct AWS_CA_BUNDLE, or ca_bundle of profile %s",
            aws->ca_bundle, profile->name);
    return err_code(err, "bad_ca_bundle");
}

/* The rules of retries are those of `standard` in every mode (aws/retry.h): `adaptive` adds a limit on what is sent,
 * and the governor is always there; `legacy` is AWS's older set, which gives up sooner and waits less wisely. */
static bool read_retries(struct aws *aws, const struct aws_options *options, const struct profile *profile,
                         struct err *err)
{
    struct span mode = choose(options->retry_mode, profile, "retry_mode");
    struct span attempts = profile_get(profile, "max_attempts", NULL);
    int64_t n = DEFAULT_ATTEMPTS;

    if (mode.len && !span_eq_text(mode, "standard") && !span_eq_text(mode, "adaptive") && !span_eq_text(mode, "legacy"))
        return refuse_profile(profile, "retry_mode", "standard, adaptive or legacy", mode, err);
    if (options->max_attempts > 0)
        n = options->max_attempts;
    else if (attempts.len && (!text_parse_i64(attempts, &n) || n < 1 || n > MOST_ATTEMPTS))
        return refuse_profile(profile, "max_attempts", "a whole number from 1 to 100", attempts, err);
    aws->options.max_attempts = (int)n;
    return true;
}

/* *is_wanted: also where S3 could do without. */
static bool read_checksum(const char *from_environment, const struct profile *profile, const char *key, bool *is_wanted,
                          struct err *err)
{
    struct span text = choose(from_environment, profile, key);

    *is_wanted = !span_eq_nocase(text, SPAN_LIT("when_required"));
    return !text.len || !*is_wanted || span_eq_nocase(text, SPAN_LIT("when_supported")) ||
           refuse_profile(profile, key, "when_supported or when_required", text, err);
}

bool client_settings_read(struct aws *aws, const struct aws_options *options, const struct profile *profile,
                          struct err *err)
{
    read_addressing(aws, profile);
    return read_ca_bundle(aws, options, profile, err) && read_retries(aws, options, profile, err) &&
           read_checksum(options->request_checksum, profile, "request_checksum_calculation", &aws->sums_requests,
                         err) &&
           read_checksum(options->response_checksum, profile, "response_checksum_validation", &aws->checks_answers,
                         err) &&
           read_endpoints(aws, options, profile, err);
}
