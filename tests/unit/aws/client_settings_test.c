/* Which endpoint, and which trust, come of environment and profile together. */
#include "aws/client_internal.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    const char *profile; /* the config file */
    struct aws_options env;
    const char *want_s3, *want_runtime, *want_sts; /* NULL: refused with want_code */
    const char *want_code, *want_words;
    int want_attempts; /* 0: 5 */
    bool leaves_sums_out;
} rows[] = {
    { .name = "nothing",
      .want_s3 = "s3.eu-west-1.amazonaws.com",
      .want_runtime = "bedrock-runtime.eu-west-1.amazonaws.com",
      .want_sts = "sts.eu-west-1.amazonaws.com" },
    { .name = "profile",
      .profile = "[default]\nendpoint_url = http://a:1\n",
      .want_s3 = "a:1",
      .want_runtime = "a:1",
      .want_sts = "a:1" },
    { .name = "services of the profile",
      .profile = "[default]\nendpoint_url = http://a:1\nservices = mine\n[services mine]\ns3 =\n  endpoint_url = "
                 "http://b:2\nbedrock_runtime =\n  endpoint_url = http://c:3\n",
      .want_s3 = "b:2",
      .want_runtime = "c:3",
      .want_sts = "a:1" },
    { .name = "environment over services of the profile",
      .profile = "[default]\nservices = mine\n[services mine]\ns3 =\n  endpoint_url = http://b:2\n",
      .env = { .endpoint_url = "http://e:5" },
      .want_s3 = "e:5",
      .want_runtime = "e:5",
      .want_sts = "e:5" },
    { .name = "a service's environment over all",
      .profile = "[default]\nendpoint_url = http://a:1\n",
      .env = { .endpoint_url = "http://e:5", .endpoint_urls = { [AWS_STS] = "http://t:6" } },
      .want_s3 = "e:5",
      .want_runtime = "e:5",
      .want_sts = "t:6" },
    { .name = "ignored by the environment",
      .profile = "[default]\nendpoint_url = http://a:1\n",
      .env = { .endpoint_url = "http://e:5",
               .endpoint_urls = { [AWS_S3] = "http://b:2" },
               .ignore_endpoint_urls = "true" },
      .want_s3 = "s3.eu-west-1.amazonaws.com",
      .want_runtime = "bedrock-runtime.eu-west-1.amazonaws.com",
      .want_sts = "sts.eu-west-1.amazonaws.com" },
    { .name = "ignored by the profile",
      .profile = "[default]\nignore_configured_endpoint_urls = True\nendpoint_url = http://a:1\n",
      .want_s3 = "s3.eu-west-1.amazonaws.com",
      .want_runtime = "bedrock-runtime.eu-west-1.amazonaws.com",
      .want_sts = "sts.eu-west-1.amazonaws.com" },
    { .name = "not ignored by the environment",
      .profile = "[default]\nignore_configured_endpoint_urls = true\nendpoint_url = http://a:1\n",
      .env = { .ignore_endpoint_urls = "false" },
      .want_s3 = "a:1",
      .want_runtime = "a:1",
      .want_sts = "a:1" },
    { .name = "FIPS by the environment",
      .env = { .use_fips = "true" },
      .want_s3 = "s3-fips.eu-west-1.amazonaws.com",
      .want_runtime = "bedrock-runtime-fips.eu-west-1.amazonaws.com",
      .want_sts = "sts-fips.eu-west-1.amazonaws.com" },
    { .name = "dual-stack by the profile",
      .profile = "[default]\nuse_dualstack_endpoint = true\n",
      .want_s3 = "s3.dualstack.eu-west-1.amazonaws.com",
      .want_runtime = "bedrock-runtime.eu-west-1.api.aws",
      .want_sts = "sts.eu-west-1.api.aws" },
    { .name = "both, the environment takes one back",
      .profile = "[default]\nuse_dualstack_endpoint = true\nuse_fips_endpoint = true\n",
      .env = { .use_fips = "false" },
      .want_s3 = "s3.dualstack.eu-west-1.amazonaws.com",
      .want_runtime = "bedrock-runtime.eu-west-1.api.aws",
      .want_sts = "sts.eu-west-1.api.aws" },
    { .name = "FIPS with a custom endpoint",
      .env = { .endpoint_urls = { [AWS_BEDROCK] = "http://e:5" }, .use_fips = "true" },
      .want_code = "bad_endpoint",
      .want_words = "AWS_USE_FIPS_ENDPOINT" },
    { .name = "FIPS in China",
      .env = { .region = "cn-north-1", .use_fips = "true" },
      .want_code = "bad_endpoint",
      .want_words = "S3 has no FIPS endpoints in cn-north-1" },
    { .name = "no truth value",
      .profile = "[default]\nuse_fips_endpoint = maybe\n",
      .want_code = "bad_profile_file",
      .want_words = "use_fips_endpoint of profile default must be true or false, not 'maybe'" },
    { .name = "no such services",
      .profile = "[default]\nservices = theirs\n",
      .want_code = "bad_profile_file",
      .want_words = "there is no section [services theirs]" },
    { .name = "attempts and mode of the profile",
      .profile = "[default]\nmax_attempts = 3\nretry_mode = adaptive\n",
      .want_s3 = "s3.eu-west-1.amazonaws.com",
      .want_runtime = "bedrock-runtime.eu-west-1.amazonaws.com",
      .want_sts = "sts.eu-west-1.amazonaws.com",
      .want_attempts = 3 },
    { .name = "attempts of the environment",
      .profile = "[default]\nmax_attempts = 3\n",
      .env = { .max_attempts = 7, .retry_mode = "legacy" },
      .want_s3 = "s3.eu-west-1.amazonaws.com",
      .want_runtime = "bedrock-runtime.eu-west-1.amazonaws.com",
      .want_sts = "sts.eu-west-1.amazonaws.com",
      .want_attempts = 7 },
    { .name = "no attempts",
      .profile = "[default]\nmax_attempts = 0\n",
      .want_code = "bad_profile_file",
      .want_words = "max_attempts of profile default must be a whole number from 1 to 100, not '0'" },
    { .name = "checksums of the profile",
      .profile =
          "[default]\nrequest_checksum_calculation = when_required\nresponse_checksum_validation = WHEN_REQUIRED\n",
      .env = { .response_checksum = "when_supported" },
      .want_s3 = "s3.eu-west-1.amazonaws.com",
      .want_runtime = "bedrock-runtime.eu-west-1.amazonaws.com",
      .want_sts = "sts.eu-west-1.amazonaws.com",
      .leaves_sums_out = true },
    { .name = "no such need",
      .profile = "[default]\nresponse_checksum_validation = never\n",
      .want_code = "bad_profile_file",
      .want_words =
          "response_checksum_validation of profile default must be when_supported or when_required, not 'never'" },
    { .name = "no such mode",
      .profile = "[default]\nretry_mode = eager\n",
      .want_code = "bad_profile_file",
      .want_words = "retry_mode of profile default must be standard, adaptive or legacy, not 'eager'" },
    { .name = "no such bundle",
      .profile = "[default]\nca_bundle = /nowhere/ca.pem\n",
      .want_code = "bad_ca_bundle",
      .want_words = "/nowhere/ca.pem cannot be read" },
    { .name = "bundle of the environment over the profile's",
      .profile = "[default]\nca_bundle = /nowhere/ca.pem\n",
      .env = { .ca_bundle = "/dev/null" },
      .want_s3 = "s3.eu-west-1.amazonaws.com",
      .want_runtime = "bedrock-runtime.eu-west-1.amazonaws.com",
      .want_sts = "sts.eu-west-1.amazonaws.com" },
};

static void test_rows(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[] = "/tmp/vidbatch-profile-XXXXXX";
        struct aws_options options = rows[i].env;
        struct err err = { 0 };
        struct aws *aws;
        int fd = mkstemp(path);

        test_case("%s", rows[i].name);
        if (!CHECK(fd >= 0))
            return;
        CHECK(dprintf(fd, "%s", rows[i].profile ? rows[i].profile : "") >= 0);
        close(fd);
        options.region = options.region ? options.region : "eu-west-1";
        options.credentials.access_key_id = "AKID";
        options.credentials.secret_access_key = "secret";
        options.credentials.config_file = path;
        aws = aws_new(&options, &err);
        unlink(path);
        CHECK((aws != NULL) == (rows[i].want_s3 != NULL));
        CHECK_TEXT(err.code, rows[i].want_code ? rows[i].want_code : "");
        CHECK(strstr(err.what, rows[i].want_words ? rows[i].want_words : "") != NULL);
        if (aws && rows[i].want_s3) {
            CHECK_TEXT(aws->endpoints[AWS_S3].host, rows[i].want_s3);
            CHECK_TEXT(aws->endpoints[AWS_BEDROCK_RUNTIME].host, rows[i].want_runtime);
            CHECK_TEXT(aws->endpoints[AWS_STS].host, rows[i].want_sts);
            CHECK(aws->sums_requests == !rows[i].leaves_sums_out && aws->checks_answers);
            CHECK_I64(aws->options.max_attempts, rows[i].want_attempts ? rows[i].want_attempts : 5);
        }
        aws_free(aws);
    }
    test_case(NULL);
}

static const struct test tests[] = { { "rows", test_rows } };
TEST_MAIN("client_settings", tests)
