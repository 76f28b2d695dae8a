#include "aws/endpoint.h"

#include "server/base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct partition {
    const char *region_start;
    const char *suffix;
    const char *dualstack_suffix; /* of all but S3 */
    const char *iam_region;       /* IAM has one endpoint for all Regions of a partition ... */
    const char *iam_hosts[4];     /* ... by [FIPS + 2 * dual-stack] */
};

/* Longer starts before shorter ones that they begin with; the last row takes every other Region. */
static const struct partition partitions[] = {
    { "cn-",
      "amazonaws.com.cn",
      "api.amazonwebservices.com.cn",
      "cn-north-1",
      { "iam.cn-north-1.amazonaws.com.cn", "iam-fips.amazonaws.com.cn", "iam.global.api.amazonwebservices.com.cn",
        "iam-fips.api.amazonwebservices.com.cn" } },
    { "us-gov-",
      "amazonaws.com",
      "api.aws",
      "us-gov-west-1",
      { "iam.us-gov.amazonaws.com", "iam.us-gov.amazonaws.com", "iam.us-gov.api.aws", "iam.us-gov.api.aws" } },
    { "eusc-",
      "amazonaws.eu",
      "api.amazonwebservices.eu",
      "eusc-de-east-1",
      { "iam.eusc-de-east-1.amazonaws.eu", "iam-fips.amazonaws.eu", "iam.global.api.amazonwebservices.eu",
        "iam-fips.api.amazonwebservices.eu" } },
    { "us-iso-",
      "c2s.ic.gov",
      "api.aws.ic.gov",
      "us-iso-east-1",
      { "iam.us-iso-east-1.c2s.ic.gov", "iam-fips.us-iso-east-1.c2s.ic.gov", "iam.api.aws.ic.gov",
        "iam-fips.api.aws.ic.gov" } },
    { "us-isob-",
      "sc2s.sgov.gov",
      "api.aws.scloud",
      "us-isob-east-1",
      { "iam.us-isob-east-1.sc2s.sgov.gov", "iam-fips.us-isob-east-1.sc2s.sgov.gov", "iam.api.aws.scloud",
        "iam-fips.api.aws.scloud" } },
    { "eu-isoe-",
      "cloud.adc-e.uk",
      "api.cloud-aws.adc-e.uk",
      "eu-isoe-west-1",
      { "iam.eu-isoe-west-1.cloud.adc-e.uk", "iam-fips.cloud.adc-e.uk", "iam.api.cloud-aws.adc-e.uk",
        "iam-fips.api.cloud-aws.adc-e.uk" } },
    { "us-isof-",
      "csp.hci.ic.gov",
      "api.aws.hci.ic.gov",
      "us-isof-south-1",
      { "iam.us-isof-south-1.csp.hci.ic.gov", "iam-fips.csp.hci.ic.gov", "iam.api.aws.hci.ic.gov",
        "iam-fips.api.aws.hci.ic.gov" } },
    { "",
      "amazonaws.com",
      "api.aws",
      "us-east-1",
      { "iam.amazonaws.com", "iam-fips.amazonaws.com", "iam.global.api.aws", "iam-fips.global.api.aws" } },
};

static const struct partition *partition_of(struct span region)
{
    const struct partition *p = partitions;

    while (!span_starts(region, span_of(p->region_start)))
        p++;
    return p;
}

bool endpoint_region_ok(struct span region)
{
    if (!region.len || region.len >= AWS_REGION_SIZE || region.ptr[0] == '-' || region.ptr[region.len - 1] == '-')
        return false;
    for (size_t i = 0; i < region.len; i++)
        if (!islower((unsigned char)region.ptr[i]) && !isdigit((unsigned char)region.ptr[i]) && region.ptr[i] != '-')
            return false;
    return true;
}

bool endpoint_region_like(struct span region, const char *own)
{
    size_t digits = 0, hyphens = 0;

    while (digits < region.len && isdigit((unsigned char)region.ptr[region.len - 1 - digits]))
        digits++;
    for (size_t i = 0; i < region.len; i++)
        hyphens += region.ptr[i] == '-';
    return endpoint_region_ok(region) && digits && digits < region.len && region.ptr[region.len - 1 - digits] == '-' &&
           hyphens >= 2 && partition_of(region) == partition_of(span_of(own));
}

/* ---- custom endpoints ---- */

const char *endpoint_url_shown(const char *url)
{
    const char *at = strrchr(url, '@');

    return at ? at + 1 : url;
}

static bool refuse(const char *url, const char *rule, struct err *err)
{
    const char *shown = endpoint_url_shown(url);

    err_set(err, ERR_INPUT, false, HERE, "endpoint URL '%s%s': %s", shown == url ? "" : "...@", shown, rule);
    return err_code(err, "bad_endpoint");
}

/* is_direct: loopback, or link-local (169.254.0.0/16, where the metadata services are). */
static bool is_ip4(const char *text, bool *is_direct)
{
    struct in_addr address;

    if (inet_pton(AF_INET, text, &address) != 1)
        return false;
    *is_direct = (ntohl(address.s_addr) >> 24) == 127 || (ntohl(address.s_addr) >> 16) == 0xA9FE;
    return true;
}

/* is_direct: loopback, link-local, or fd00:ec2::/32, where the metadata services are. */
static bool is_ip6(const char *text, bool *is_direct)
{
    static const unsigned char metadata[4] = { 0xFD, 0x00, 0x0E, 0xC2 };
    struct in6_addr address;

    if (inet_pton(AF_INET6, text, &address) != 1)
        return false;
    *is_direct = IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_LINKLOCAL(&address) ||
                 !memcmp(address.s6_addr, metadata, sizeof(metadata));
    return true;
}

/* Letters, digits, '-', '_' and single dots between labels. */
static bool is_dns_name(const char *name)
{
    size_t len = strlen(name);

    if (!len || len > 253 || name[0] == '.' || name[len - 1] == '.' || strstr(name, ".."))
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

/* host: without brackets and port, lower case */
static bool take_host(struct endpoint *out, const char *host, bool in_brackets)
{
    if (in_brackets)
        return out->is_ip = is_ip6(host, &out->is_direct);
    out->is_ip = is_ip4(host, &out->is_direct);
    if (!strcmp(host, "localhost"))
        out->is_direct = true;
    return out->is_ip || is_dns_name(host);
}

static bool take_authority(struct endpoint *out, struct span authority, const char *url, struct err *err)
{
    char host[256];
    bool in_brackets = authority.len && authority.ptr[0] == '[';
    size_t end = in_brackets ? span_find(authority, ']') : span_find(authority, ':');
    struct span name = in_brackets ? span_tail(span_head(authority, end), 1) : span_head(authority, end);
    struct span rest = span_tail(authority, in_brackets ? end + 1 : end);
    int64_t port = 0;

    if ((in_brackets && end == authority.len) || name.len >= sizeof(host))
        return refuse(url, "its host is malformed", err);
    for (size_t i = 0; i < name.len; i++)
        host[i] = (char)tolower((unsigned char)name.ptr[i]);
    host[name.len] = '\0';
    if (strlen(host) != name.len || !take_host(out, host, in_brackets))
        return refuse(url, "its host must be a DNS name, an IPv4 address or an IPv6 address in brackets", err);
    if (rest.len && (rest.ptr[0] != ':' || rest.len > 6 || !isdigit((unsigned char)rest.ptr[rest.len - 1]) ||
                     !text_parse_i64(span_tail(rest, 1), &port) || port < 1 || port > 65535))
        return refuse(url, "its port must be 1 to 65535", err);
    if (port == (out->is_https ? 443 : 80))
        port = 0;
    snprintf(out->host, sizeof(out->host), in_brackets ? "[%s]" : "%s", host);
    if (port)
        snprintf(out->host + strlen(out->host), 8, ":%d", (int)port);
    return true;
}

static bool take_path(struct endpoint *out, struct span path, const char *url, struct err *err)
{
    while (path.len && path.ptr[path.len - 1] == '/')
        path.len--;
    if (path.len >= sizeof(out->base_path))
        return refuse(url, "its path is longer than 255 bytes", err);
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] <= ' ' || path.ptr[i] >= 127 || path.ptr[i] == '?' || path.ptr[i] == '#')
            return refuse(url, "it must not have blanks, a query or a fragment", err);
    memcpy(out->base_path, path.ptr, path.len);
    out->base_path[path.len] = '\0';
    return true;
}

static bool read_custom(const char *url, struct endpoint *out, struct err *err)
{
    struct span rest = span_of(url);
    size_t slash;

    out->is_custom = true;
    out->is_https = !strncasecmp(url, "https://", 8);
    if (!out->is_https && strncasecmp(url, "http://", 7))
        return refuse(url, "it must start with http:// or https://", err);
    rest = span_tail(rest, out->is_https ? 8 : 7);
    slash = span_find(rest, '/');
    if (span_find(span_head(rest, slash), '@') < slash)
        return refuse(url, "it must not hold a user name or password", err);
    return take_authority(out, span_head(rest, slash), url, err) && take_path(out, span_tail(rest, slash), url, err);
}

/* ---- AWS's own endpoints ---- */

static const struct {
    const char *host, *signing;
    bool is_plain_in_gov; /* in GovCloud the plain endpoint is the FIPS one, where dual-stack is not asked for */
} services[AWS_SERVICES] = {
    [AWS_S3] = { "s3", "s3", false },
    [AWS_BEDROCK] = { "bedrock", "bedrock", false },
    [AWS_BEDROCK_RUNTIME] = { "bedrock-runtime", "bedrock", false },
    [AWS_STS] = { "sts", "sts", true },
    [AWS_IAM] = { "iam", "iam", false },
    [AWS_SQS] = { "sqs", "sqs", true },
};

static bool name_host(enum aws_service service, const struct endpoint_choice *c, const struct partition *partition,
                      struct endpoint *out, struct err *err)
{
    const bool is_gov = !strcmp(partition->region_start, "us-gov-");
    const char *fips = c->use_fips ? "-fips" : "";

    if (service == AWS_IAM) {
        snprintf(out->host, sizeof(out->host), "%s", partition->iam_hosts[c->use_fips + 2 * c->use_dualstack]);
        return true;
    }
    if (service == AWS_S3 && c->use_fips && !strcmp(partition->region_start, "cn-")) {
        err_set(err, ERR_INPUT, false, HERE, "S3 has no FIPS endpoints in %s: unset AWS_USE_FIPS_ENDPOINT", c->region);
        return err_code(err, "bad_endpoint");
    }
    if (is_gov && services[service].is_plain_in_gov && !c->use_dualstack)
        fips = "";
    if (service == AWS_S3)
        snprintf(out->host, sizeof(out->host), "s3%s%s.%s.%s", fips, c->use_dualstack ? ".dualstack" : "", c->region,
                 partition->suffix);
    else
        snprintf(out->host, sizeof(out->host), "%s%s.%s.%s", services[service].host, fips, c->region,
                 c->use_dualstack ? partition->dualstack_suffix : partition->suffix);
    return true;
}

bool endpoint_resolve(enum aws_service service, const struct endpoint_choice *choice, struct endpoint *out,
                      struct err *err)
{
    struct endpoint ep = { .is_https = true, .signing_name = services[service].signing };
    const char *region = choice->region, *url = choice->custom_url;
    const struct partition *partition;

    if (!endpoint_region_ok(span_of(region))) {
        err_set(err, ERR_INPUT, false, HERE, "'%.64s' is not an AWS Region such as us-east-1", region ? region : "");
        return err_code(err, "bad_region");
    }
    partition = partition_of(span_of(region));
    snprintf(ep.signing_region, sizeof(ep.signing_region), "%s", service == AWS_IAM ? partition->iam_region : region);
    if (!url || !url[0]) {
        if (!name_host(service, choice, partition, &ep, err))
            return false;
    } else if (choice->use_fips || choice->use_dualstack) {
        return refuse(url,
                      choice->use_fips ? "a custom endpoint cannot be FIPS: unset it, or AWS_USE_FIPS_ENDPOINT"
                                       : "a custom endpoint cannot be dual-stack: unset it, or "
                                         "AWS_USE_DUALSTACK_ENDPOINT",
                      err);
    } else if (!read_custom(url, &ep, err)) {
        return false;
    }
    *out = ep;
    return true;
}

/* ---- buckets ---- */

static bool is_hostable(struct span bucket, bool dots_allowed)
{
    char text[64];
    bool ignored;

    if (bucket.len < 3 || bucket.len > 63)
        return false;
    for (size_t i = 0; i < bucket.len; i++) {
        char c = bucket.ptr[i];
        bool is_edge = i == 0 || i + 1 == bucket.len || bucket.ptr[i - 1] == '.' || bucket.ptr[i + 1] == '.';

        if (!islower((unsigned char)c) && !isdigit((unsigned char)c) && (is_edge || (c != '-' && c != '.')))
            return false;
        if (c == '.' && !dots_allowed)
            return false;
    }
    memcpy(text, bucket.ptr, bucket.len);
    text[bucket.len] = '\0';
    return !is_ip4(text, &ignored);
}

bool endpoint_bucket_in_host(const struct endpoint *ep, enum aws_addressing addressing, struct span bucket)
{
    if (!bucket.len || ep->is_ip || addressing == AWS_ADDRESSING_PATH)
        return false;
    if (addressing == AWS_ADDRESSING_AUTO && ep->is_custom)
        return false;
    return is_hostable(bucket, !ep->is_https);
}

void endpoint_address(const struct endpoint *ep, enum aws_addressing addressing, struct span bucket, struct buf *host,
                      struct buf *path_prefix)
{
    bool in_host = endpoint_bucket_in_host(ep, addressing, bucket);

    if (in_host) {
        buf_span(host, bucket);
        buf_char(host, '.');
    }
    buf_text(host, ep->host);
    buf_text(path_prefix, ep->base_path);
    if (bucket.len && !in_host) {
        buf_char(path_prefix, '/');
        text_percent_encode(path_prefix, bucket, false);
    }
}
