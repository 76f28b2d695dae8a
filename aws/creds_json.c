#include "aws/creds_json.h"

#include "server/base/clock.h"

#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <string.h>

static void unref(json_t **value)
{
    json_decref(*value);
}

static bool refuse(const char *field, const char *rule, struct err *err)
{
    err_set(err, ERR_UPSTREAM, true, HERE, "%s %s", field, rule); /* the next answer may be whole */
    return err_code(err, "bad_credentials_answer");
}

static json_t *parse(struct span text, struct err *err)
{
    json_t *root = text.len ? json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL) : NULL;

    if (json_is_object(root))
        return root;
    json_decref(root);
    err_set(err, ERR_UPSTREAM, true, HERE, "the text is not a JSON object");
    err_code(err, "bad_json");
    return NULL;
}

/* A text of the object; absent, null or "": the field stays empty. */
static bool take_text(const json_t *object, const char *name, char *field, size_t size, struct err *err)
{
    const json_t *value = json_object_get(object, name);
    struct span text;

    if (!value || json_is_null(value))
        return true;
    if (!json_is_string(value))
        return refuse(name, "is not a text", err);
    text = (struct span){ json_string_value(value), json_string_length(value) };
    return creds_put(field, size, text) || refuse(name, "is too long, or holds blanks or control characters", err);
}

/* RFC 3339; botocore ends the times of its SSO cache with "UTC" instead of "Z". */
static bool parse_time(struct span text, int64_t *ms)
{
    char copy[48];

    if (!span_ends(text, SPAN_LIT("UTC")) || text.len >= sizeof(copy))
        return clock_parse_rfc3339(text, ms);
    memcpy(copy, text.ptr, text.len);
    copy[text.len - 3] = 'Z';
    return clock_parse_rfc3339((struct span){ copy, text.len - 2 }, ms);
}

static bool take_time(const json_t *object, const char *name, int64_t *at_s, struct err *err)
{
    const json_t *value = json_object_get(object, name);
    struct span text;
    int64_t ms;

    if (!value || json_is_null(value))
        return true;
    if (!json_is_string(value))
        return refuse(name, "is not a text", err);
    text = (struct span){ json_string_value(value), json_string_length(value) };
    if (!parse_time(text, &ms))
        return refuse(name, "is not a time such as 2026-11-01T12:00:00Z", err);
    *at_s = ms / 1000;
    return true;
}

/* 0 would mean "never" for us. */
static bool have_time(const char *name, int64_t at_s, struct err *err)
{
    return at_s > 0 || refuse(name, "is missing", err);
}

struct names {
    const char *id, *secret, *token;
};

static bool take_keys(const json_t *object, const struct names *names, bool is_token_needed, struct creds *out,
                      struct err *err)
{
    if (!take_text(object, names->id, out->access_key_id, sizeof(out->access_key_id), err) ||
        !take_text(object, names->secret, out->secret_access_key, sizeof(out->secret_access_key), err) ||
        !take_text(object, names->token, out->session_token, sizeof(out->session_token), err))
        return false;
    if (!out->access_key_id[0])
        return refuse(names->id, "is missing", err);
    if (!out->secret_access_key[0])
        return refuse(names->secret, "is missing", err);
    return !is_token_needed || out->session_token[0] || refuse(names->token, "is missing", err);
}

static bool take_metadata(const json_t *root, struct creds *out, struct err *err)
{
    static const struct names names = { "AccessKeyId", "SecretAccessKey", "Token" };

    return take_keys(root, &names, true, out, err) && take_time(root, "Expiration", &out->expires_at_s, err) &&
           have_time("Expiration", out->expires_at_s, err);
}

static bool take_process(const json_t *root, struct creds *out, struct err *err)
{
    static const struct names names = { "AccessKeyId", "SecretAccessKey", "SessionToken" };
    const json_t *version = json_object_get(root, "Version");

    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return refuse("Version", "is not the number 1", err);
    return take_keys(root, &names, false, out, err) && take_time(root, "Expiration", &out->expires_at_s, err);
}

static bool take_sso(const json_t *root, struct creds *out, struct err *err)
{
    static const struct names names = { "accessKeyId", "secretAccessKey", "sessionToken" };
    const json_t *role = json_object_get(root, "roleCredentials");
    const json_t *expires = json_object_get(role, "expiration");

    if (!json_is_object(role))
        return refuse("roleCredentials", "is missing", err);
    if (!json_is_integer(expires))
        return refuse("roleCredentials.expiration", "is not a number of milliseconds", err);
    out->expires_at_s = json_integer_value(expires) / 1000;
    return take_keys(role, &names, true, out, err) && have_time("roleCredentials.expiration", out->expires_at_s, err);
}

bool creds_json_read(enum creds_json form, struct span text, struct creds *out, struct err *err)
{
    static bool (*const take[])(const json_t *root, struct creds *out, struct err *err) = {
        [CREDS_JSON_METADATA] = take_metadata, [CREDS_JSON_PROCESS] = take_process, [CREDS_JSON_SSO] = take_sso
    };
    AUTO(unref) json_t *root = parse(text, err);
    AUTO(creds_wipe) struct creds got = { 0 };

    if (!root || !take[form](root, &got, err))
        return false;
    memcpy(out->access_key_id, got.access_key_id, sizeof(got.access_key_id));
    memcpy(out->secret_access_key, got.secret_access_key, sizeof(got.secret_access_key));
    memcpy(out->session_token, got.session_token, sizeof(got.session_token));
    out->expires_at_s = got.expires_at_s;
    return true;
}

void sso_token_wipe(struct sso_token *token)
{
    OPENSSL_cleanse(token, sizeof(*token));
}

bool sso_token_read(struct span text, struct sso_token *out, struct err *err)
{
    AUTO(unref) json_t *root = parse(text, err);
    AUTO(sso_token_wipe) struct sso_token got = { 0 };

    if (!root || !take_text(root, "accessToken", got.token, sizeof(got.token), err) ||
        !take_time(root, "expiresAt", &got.expires_at_s, err) || !have_time("expiresAt", got.expires_at_s, err))
        return false;
    if (!got.token[0])
        return refuse("accessToken", "is missing", err);
    *out = got;
    return true;
}
