/* What the providers of one chain share: the copied settings, and a few helpers. */
#include "aws/creds_internal.h"

#include "server/base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- the settings ---- */

static const size_t texts[] = {
    offsetof(struct creds_settings, access_key_id),
    offsetof(struct creds_settings, secret_access_key),
    offsetof(struct creds_settings, session_token),
    offsetof(struct creds_settings, expiration),
    offsetof(struct creds_settings, role_arn),
    offsetof(struct creds_settings, web_identity_token_file),
    offsetof(struct creds_settings, role_session_name),
    offsetof(struct creds_settings, profile),
    offsetof(struct creds_settings, config_file),
    offsetof(struct creds_settings, credentials_file),
    offsetof(struct creds_settings, sso_cache_folder),
    offsetof(struct creds_settings, sso_endpoint_url),
    offsetof(struct creds_settings, container_relative_uri),
    offsetof(struct creds_settings, container_full_uri),
    offsetof(struct creds_settings, container_token),
    offsetof(struct creds_settings, container_token_file),
    offsetof(struct creds_settings, metadata_endpoint),
    offsetof(struct creds_settings, metadata_endpoint_mode),
    offsetof(struct creds_settings, ca_bundle),
};
enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };

static const char **text_at(struct creds_settings *settings, size_t i)
{
    return (const char **)((char *)settings + texts[i]);
}

struct creds_stop creds_stop_of(const struct creds_settings *settings)
{
    return (struct creds_stop){ settings->is_stopping, settings->is_stopping_arg };
}

bool creds_shared_init(struct creds_shared *shared, const struct creds_settings *settings, struct err *err)
{
    struct creds_settings copy = *settings;
    bool ok = true;

    *shared = (struct creds_shared){ .settings = *settings };
    for (size_t i = 0; i < TEXTS; i++) {
        const char *text = *text_at(&copy, i);
        char *kept = mem_text(text ? text : "");

        *text_at(&shared->settings, i) = kept;
        ok = ok && kept;
    }
    if (settings->sts) {
        shared->sts_endpoint = *settings->sts;
        shared->settings.sts = &shared->sts_endpoint;
    }
    if (!ok) {
        creds_shared_done(shared);
        return err_memory(err, HERE);
    }
    if (imds_init(&shared->imds, shared->settings.metadata_endpoint, shared->settings.metadata_endpoint_mode,
                  settings->is_metadata_off, creds_stop_of(settings), err))
        return true;
    creds_shared_done(shared);
    return false;
}

void creds_shared_done(struct creds_shared *shared)
{
    for (size_t i = 0; i < TEXTS; i++) {
        char *text = (char *)(uintptr_t)*text_at(&shared->settings, i);

        if (text)
            OPENSSL_cleanse(text, strlen(text));
        mem_free(text);
    }
    imds_done(&shared->imds);
    *shared = (struct creds_shared){ 0 };
}

/* ---- words ---- */

bool creds_absent(struct err *err, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    err_set(err, ERR_NOT_FOUND, false, HERE, "%s", text);
    return true;
}

bool creds_refuse(struct err *err, const char *fmt, ...)
{
    char text[400];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    err_set(err, ERR_INPUT, false, HERE, "%s", text);
    return err_code(err, "bad_credentials");
}

bool creds_blame(struct err *err, const struct err *cause, const char *fmt, ...)
{
    struct err told = *cause;
    char text[200];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    err_clear(&told);
    err_set(&told, cause->kind, cause->retryable, cause->where, "%s: %s", text, cause->what);
    memcpy(told.code, cause->code, sizeof(told.code));
    memcpy(told.upstream_code, cause->upstream_code, sizeof(told.upstream_code));
    memcpy(told.upstream_message, cause->upstream_message, sizeof(told.upstream_message));
    memcpy(told.upstream_request_id, cause->upstream_request_id, sizeof(told.upstream_request_id));
    told.upstream_status = cause->upstream_status;
    return err_pass(err, &told);
}

/* ---- files ---- */

static void close_file(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}

bool creds_read_file(const char *path, struct buf *out, struct err *err)
{
    AUTO(close_file) FILE *file = fopen(path, "re");
    const size_t room = out->max - out->len;
    char *place;
    size_t got;

    if (!file)
        return creds_refuse(err, "%s cannot be opened: %s", path, strerror(errno));
    place = buf_room(out, room);
    if (!place)
        return err_memory(err, HERE);
    (void)setvbuf(file, NULL, _IONBF, 0); /* what is buffered would not be wiped */
    got = fread(place, 1, room, file);
    if (ferror(file))
        return creds_refuse(err, "%s cannot be read: %s", path, strerror(errno));
    if (got == room && fgetc(file) != EOF)
        return creds_refuse(err, "%s is larger than %zu bytes", path, room);
    buf_grew(out, got);
    return true;
}

/* ---- STS ---- */

bool creds_sts(const struct creds_shared *shared, struct sts *out, struct err *err)
{
    const struct creds_settings *s = &shared->settings;

    if (!s->sts)
        return creds_refuse(err, "a role can only be assumed where the Region is known: set AWS_REGION");
    *out = (struct sts){ s->sts, s->ca_bundle, creds_stop_of(s) };
    return true;
}

void creds_session_name(char out[CREDS_SESSION_SIZE])
{
    char host[256] = "";
    size_t len;

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(out, CREDS_SESSION_SIZE, "vidbatch-%.50s", host[0] ? host : "host");
    len = strlen(out);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)out[i]) && !strchr("_+=,.@-", out[i]))
            out[i] = '-';
}
