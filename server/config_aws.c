/* From the settings to what aws/ takes: the client's options, and the Region where the environment names none. */
#include "aws/region.h"
#include "server/base/mem.h"
#include "server/config.h"

#include <stdio.h>
#include <string.h>

struct aws_options config_aws_options(const struct config *c)
{
    struct aws_options options = {
        .region = c->aws_region,
        .endpoint_url = c->aws_endpoint_url,
        .addressing = strcmp(c->s3_addressing, "path") == 0      ? AWS_ADDRESSING_PATH
                      : strcmp(c->s3_addressing, "virtual") == 0 ? AWS_ADDRESSING_VIRTUAL
                                                                 : AWS_ADDRESSING_AUTO,
        .retry_mode = c->aws_retry_mode,
        .request_checksum = c->aws_request_checksum,
        .response_checksum = c->aws_response_checksum,
        .use_fips = c->aws_use_fips,
        .use_dualstack = c->aws_use_dualstack,
        .ignore_endpoint_urls = c->aws_ignore_endpoint_urls,
        .ca_bundle = c->aws_ca_bundle,
        .max_attempts = (int)c->aws_max_attempts,
        .credentials = { .access_key_id = c->aws_access_key_id,
                         .secret_access_key = c->aws_secret_access_key,
                         .session_token = c->aws_session_token,
                         .expiration = c->aws_expiration,
                         .role_arn = c->aws_role_arn,
                         .web_identity_token_file = c->aws_web_identity_token_file,
                         .role_session_name = c->aws_role_session_name,
                         .profile = c->aws_profile,
                         .config_file = c->aws_config_file,
                         .credentials_file = c->aws_credentials_file,
                         .sso_cache_folder = c->aws_sso_cache,
                         .sso_endpoint_url = c->aws_sso_endpoint_url,
                         .container_relative_uri = c->aws_container_relative_uri,
                         .container_full_uri = c->aws_container_full_uri,
                         .container_token = c->aws_container_token,
                         .container_token_file = c->aws_container_token_file,
                         .metadata_endpoint = c->aws_metadata_endpoint,
                         .metadata_endpoint_mode = c->aws_metadata_mode,
                         .is_metadata_off = c->aws_metadata_off },
    };

    for (int i = 0; i < AWS_SERVICES; i++)
        options.endpoint_urls[i] = c->aws_endpoint_urls[i];
    return options;
}

bool config_find_region(struct config *config, struct err *err)
{
    const struct aws_options options = config_aws_options(config);
    struct region_found found = { .name = "" };
    char *name;

    if (config->aws_region[0])
        return true;
    if (!region_find(&options.credentials, &found, err))
        return false;
    name = mem_text(found.name);
    if (!name)
        return err_memory(err, HERE);
    mem_free(config->aws_region);
    config->aws_region = name;
    (void)snprintf(config->region_origin, sizeof config->region_origin, "%s", found.origin);
    return true;
}
