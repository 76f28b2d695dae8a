#include "aws/region.h"

#include "aws/creds_internal.h"
#include "aws/imds.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_word(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!islower((unsigned char)text.ptr[i]))
            return false;
    return text.len > 0;
}

static bool is_number(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!isdigit((unsigned char)text.ptr[i]))
            return false;
    return text.len > 0;
}

/* "us-east-1a", "us-gov-west-1a", "us-isob-east-1a": words, a number, a letter. "us-west-2-lax-1a" has a number in its
 * middle, "us-east-1-wl1-bos-wlz-1" ends without a letter. */
bool region_of_zone(struct span zone, char out[AWS_REGION_SIZE])
{
    struct span region = span_head(zone, zone.len ? zone.len - 1 : 0);
    struct span rest = region;
    size_t words = 0, dash;

    if (!region.len || region.len >= AWS_REGION_SIZE || !islower((unsigned char)zone.ptr[zone.len - 1]))
        return false;
    while ((dash = span_find(rest, '-')) < rest.len) {
        if (!is_word(span_head(rest, dash)))
            return false;
        words++;
        rest = span_tail(rest, dash + 1);
    }
    if (words < 2 || !is_number(rest))
        return false;
    memcpy(out, region.ptr, region.len);
    out[region.len] = '\0';
    return true;
}

static bool take(struct span name, struct region_found *out, struct err *err)
{
    if (!endpoint_region_ok(name)) {
        err_set(err, ERR_INPUT, false, HERE, "'%.*s' of %s is not an AWS Region such as us-east-1",
                SPAN_ARG(span_head(name, 64)), out->origin);
        return err_code(err, "bad_region");
    }
    (void)snprintf(out->name, sizeof(out->name), "%.*s", SPAN_ARG(name));
    return true;
}

/* false with the reason in err */
static bool ask_metadata(const struct creds_settings *s, struct region_found *out, struct err *err)
{
    AUTO(imds_done) struct imds imds = { .token_until_ms = 0 };
    AUTO(buf_done) struct buf body = { 0 };
    struct span zone;

    buf_init(&body, CREDS_HTTP_MAX_BODY);
    if (!imds_init(&imds, s->metadata_endpoint, s->metadata_endpoint_mode, s->is_metadata_off, creds_stop_of(s), err) ||
        !imds_get(&imds, "placement/availability-zone", &body, err))
        return false;
    zone = span_trim(buf_view(&body));
    (void)snprintf(out->origin, sizeof(out->origin), "EC2 metadata");
    return region_of_zone(zone, out->name) ||
           err_set(err, ERR_NOT_FOUND, false, HERE, "zone %.*s does not tell it", SPAN_ARG(span_head(zone, 40)));
}

bool region_find(const struct creds_settings *settings, struct region_found *out, struct err *err)
{
    AUTO(profile_done) struct profile profile = { 0 };
    struct region_found found = { .name = "" };
    struct err why = { 0 };
    struct span named;

    if (!profile_load(settings->config_file, settings->credentials_file, settings->profile, &profile, err))
        return false;
    named = profile_get(&profile, "region", NULL);
    if (named.len) {
        (void)snprintf(found.origin, sizeof(found.origin), "profile %.64s", profile.name);
        if (!take(named, &found, err))
            return false;
    } else if (!ask_metadata(settings, &found, &why)) {
        if (why.kind == ERR_CANCELLED || why.kind == ERR_MEMORY || why.kind == ERR_INPUT)
            return err_pass(err, &why);
        err_set(err, ERR_INPUT, false, HERE,
                "AWS_REGION must be set, such as us-east-1: neither profile %.64s has a region nor EC2 metadata (%s)",
                profile.name, why.what);
        return err_code(err, "no_region");
    }
    *out = found;
    return true;
}
