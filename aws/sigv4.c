#include "aws/sigv4.h"

#include "server/base/text.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
enum { MAX_PARTS = 64, MAX_PATH_BYTES = 16 * 1024, DAY_CHARS = 8, KEY_BYTES = 32 };

void sigv4_time(int64_t now_s, char out[SIGV4_TIME_SIZE])
{
    time_t t = (time_t)now_s;
    struct tm tm;

    if (!gmtime_r(&t, &tm) || strftime(out, SIGV4_TIME_SIZE, "%Y%m%dT%H%M%SZ", &tm) != SIGV4_TIME_SIZE - 1)
        memcpy(out, "19700101T000000Z", SIGV4_TIME_SIZE);
}

static bool refuse(struct err *err, const char *where, const char *why)
{
    err_set(err, ERR_INPUT, false, where, "request cannot be signed: %s", why);
    return err_code(err, "cannot_sign");
}

/* ---- path ---- */

/* Drops "." and "..", folds "//"; a trailing slash stays. */
static void normalize_path(struct span path, struct buf *out)
{
    size_t at = 0;

    while (at < path.len) {
        struct span segment = span_tail(path, at);

        segment = span_head(segment, span_find(segment, '/'));
        at += segment.len + 1;
        if (segment.len == 0 || span_eq_text(segment, "."))
            continue;
        if (span_eq_text(segment, "..")) {
            while (out->len && out->data[out->len - 1] != '/')
                buf_cut(out, out->len - 1);
            if (out->len)
                buf_cut(out, out->len - 1);
            continue;
        }
        buf_char(out, '/');
        buf_span(out, segment);
    }
    if (!out->len || path.ptr[path.len - 1] == '/')
        buf_char(out, '/');
}

static bool add_path(const struct sigv4_request *rq, struct buf *out, struct err *err)
{
    AUTO(buf_done) struct buf normal = { 0 };
    struct span path = rq->path.len ? rq->path : SPAN_LIT("/");

    buf_init(&normal, MAX_PATH_BYTES);
    if (path.len > MAX_PATH_BYTES || path.ptr[0] != '/')
        return refuse(err, HERE, "its path is too long or does not start with '/'");
    if (rq->normalize_path) {
        normalize_path(path, &normal);
        if (!buf_check(&normal, "canonical path", err))
            return false;
        path = buf_view(&normal);
    }
    if (rq->encode_path_twice)
        text_percent_encode(out, path, true);
    else
        buf_span(out, path);
    buf_char(out, '\n');
    return true;
}

/* ---- query ---- */

struct parameter {
    size_t name_at, name_len; /* in the buffer of encoded parts */
    size_t value_at, value_len;
};

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

static char upper(char c)
{
    return c >= 'a' && c <= 'f' ? (char)(c - 'a' + 'A') : c;
}

/* Keeps escapes (in upper case), encodes what should have been escaped: the server sees the same parameter either way.
 */
static bool encode_part(struct span part, struct buf *out, struct err *err)
{
    for (size_t i = 0; i < part.len; i++) {
        if (part.ptr[i] != '%') {
            text_percent_encode(out, (struct span){ part.ptr + i, 1 }, false);
            continue;
        }
        if (part.len - i < 3 || !is_hex(part.ptr[i + 1]) || !is_hex(part.ptr[i + 2]))
            return refuse(err, HERE, "its query has a broken percent escape");
        buf_char(out, '%');
        buf_char(out, upper(part.ptr[i + 1]));
        buf_char(out, upper(part.ptr[i + 2]));
        i += 2;
    }
    return true;
}

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t least = a_len < b_len ? a_len : b_len;
    int order = least ? memcmp(a, b, least) : 0;

    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_parameters(const struct buf *parts, const struct parameter *a, const struct parameter *b)
{
    int order = compare_bytes(parts->data + a->name_at, a->name_len, parts->data + b->name_at, b->name_len);

    if (order)
        return order;
    return compare_bytes(parts->data + a->value_at, a->value_len, parts->data + b->value_at, b->value_len);
}

/* Splits and encodes the query into parts, and keeps the list sorted by name, then value. */
static bool read_query(struct span query, struct buf *parts, struct parameter *list, size_t *count, struct err *err)
{
    for (size_t at = 0; at < query.len;) {
        struct span pair = span_tail(query, at);
        struct parameter p = { .name_at = parts->len };
        size_t equals, to;

        pair = span_head(pair, span_find(pair, '&'));
        at += pair.len + 1;
        if (!pair.len)
            continue;
        if (*count == MAX_PARTS)
            return refuse(err, HERE, "its query has more than 64 parameters");
        equals = span_find(pair, '=');
        if (!encode_part(span_head(pair, equals), parts, err))
            return false;
        p.name_len = parts->len - p.name_at;
        p.value_at = parts->len;
        if (!encode_part(span_tail(pair, equals + 1), parts, err))
            return false;
        p.value_len = parts->len - p.value_at;
        if (!buf_check(parts, "canonical query", err))
            return false;
        for (to = *count; to > 0 && compare_parameters(parts, &p, &list[to - 1]) < 0; to--)
            list[to] = list[to - 1];
        list[to] = p;
        ++*count;
    }
    return true;
}

static bool add_query(struct span query, struct buf *out, struct err *err)
{
    AUTO(buf_done) struct buf parts = { 0 };
    struct parameter list[MAX_PARTS];
    size_t count = 0;

    buf_init(&parts, 128 * 1024);
    buf_char(&parts, '?'); /* parts.data is not NULL then, whatever the query is */
    if (!read_query(query, &parts, list, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_char(out, '&');
        buf_add(out, parts.data + list[i].name_at, list[i].name_len);
        buf_char(out, '=');
        buf_add(out, parts.data + list[i].value_at, list[i].value_len);
    }
    buf_char(out, '\n');
    return true;
}

/* ---- headers ---- */

static void add_lower(struct buf *out, struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        buf_char(out, name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] - 'A' + 'a') : name.ptr[i]);
}

static int lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static int compare_names(struct span a, struct span b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return lower(a.ptr[i]) - lower(b.ptr[i]);
    return (a.len > b.len) - (a.len < b.len);
}

/* Both ends trimmed, inner runs of white space (line breaks too) become one blank. */
static void add_header_value(struct buf *out, struct span value)
{
    bool in_blank = false;

    value = span_trim(value);
    for (size_t i = 0; i < value.len; i++) {
        bool is_blank = value.ptr[i] == ' ' || value.ptr[i] == '\t' || value.ptr[i] == '\n' || value.ptr[i] == '\r';

        if (!is_blank)
            buf_char(out, value.ptr[i]);
        else if (!in_blank)
            buf_char(out, ' ');
        in_blank = is_blank;
    }
}

/* Sorts by name alone and keeps the order of equal names (sorting whole lines would put "a-b:" before "a:"). */
static bool sort_headers(const struct sigv4_request *rq, const struct sigv4_header **sorted, struct err *err)
{
    if (rq->header_count > MAX_PARTS)
        return refuse(err, HERE, "it has more than 64 headers");
    for (size_t i = 0; i < rq->header_count; i++) {
        const struct sigv4_header *header = &rq->headers[i];
        size_t to = i;

        if (!header->name.len)
            return refuse(err, HERE, "it has a header without a name");
        for (; to > 0 && compare_names(header->name, sorted[to - 1]->name) < 0; to--)
            sorted[to] = sorted[to - 1];
        sorted[to] = header;
    }
    return true;
}

static bool add_headers(const struct sigv4_request *rq, struct buf *out, struct buf *names, struct err *err)
{
    const struct sigv4_header *sorted[MAX_PARTS];

    if (!sort_headers(rq, sorted, err))
        return false;
    for (size_t i = 0; i < rq->header_count; i++) {
        bool is_same = i > 0 && compare_names(sorted[i]->name, sorted[i - 1]->name) == 0;
        bool is_last = i + 1 == rq->header_count || compare_names(sorted[i]->name, sorted[i + 1]->name) != 0;

        if (is_same) {
            buf_char(out, ',');
        } else {
            add_lower(out, sorted[i]->name);
            buf_char(out, ':');
            if (names->len)
                buf_char(names, ';');
            add_lower(names, sorted[i]->name);
        }
        add_header_value(out, sorted[i]->value);
        if (is_last)
            buf_char(out, '\n');
    }
    buf_char(out, '\n');
    return buf_check(names, "list of signed headers", err);
}

/* ---- the three stages ---- */

bool sigv4_canonical_request(const struct sigv4_request *rq, struct buf *out, struct buf *signed_headers,
                             struct err *err)
{
    assert(signed_headers->len == 0);
    buf_span(out, rq->method);
    buf_char(out, '\n');
    if (!add_path(rq, out, err) || !add_query(rq->query, out, err) || !add_headers(rq, out, signed_headers, err))
        return false;
    buf_span(out, buf_view(signed_headers));
    buf_char(out, '\n');
    buf_span(out, rq->payload_hash);
    return buf_check(out, "canonical request", err);
}

static void add_scope(const struct sigv4_request *rq, const char *time, struct buf *out)
{
    buf_fmt(out, "%.*s/%.*s/%.*s/aws4_request", DAY_CHARS, time, SPAN_ARG(rq->region), SPAN_ARG(rq->service));
}

bool sigv4_string_to_sign(const struct sigv4_request *rq, struct span canonical, int64_t now_s, struct buf *out,
                          struct err *err)
{
    unsigned char hash[32];
    char time[SIGV4_TIME_SIZE];

    sigv4_time(now_s, time);
    text_sha256(canonical.ptr, canonical.len, hash);
    buf_fmt(out, ALGORITHM "\n%s\n", time);
    add_scope(rq, time, out);
    buf_char(out, '\n');
    text_hex(out, hash, sizeof(hash));
    return buf_check(out, "string to sign", err);
}

static bool hmac(const void *key, size_t key_len, struct span data, unsigned char out[KEY_BYTES], struct err *err)
{
    unsigned len = 0;

    if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)data.ptr, data.len, out, &len) ||
        len != KEY_BYTES)
        return err_set(err, ERR_INTERNAL, false, HERE, "OpenSSL cannot compute HMAC-SHA256");
    return true;
}

static bool derive_key(const struct sigv4_request *rq, const struct creds *creds, const char *time,
                       unsigned char out[KEY_BYTES], struct err *err)
{
    char first[4 + sizeof(creds->secret_access_key)];
    unsigned char a[KEY_BYTES], b[KEY_BYTES];
    int len = snprintf(first, sizeof(first), "AWS4%s", creds->secret_access_key);
    bool ok = hmac(first, (size_t)len, (struct span){ time, DAY_CHARS }, a, err) &&
              hmac(a, sizeof(a), rq->region, b, err) && hmac(b, sizeof(b), rq->service, a, err) &&
              hmac(a, sizeof(a), SPAN_LIT("aws4_request"), out, err);

    OPENSSL_cleanse(first, sizeof(first));
    OPENSSL_cleanse(a, sizeof(a));
    OPENSSL_cleanse(b, sizeof(b));
    return ok;
}

void sigv4_keys_wipe(struct sigv4_keys *keys)
{
    OPENSSL_cleanse(keys, sizeof(*keys));
}

static bool find_key(const struct sigv4_request *rq, const struct creds *creds, const char *time,
                     unsigned char out[KEY_BYTES], struct err *err)
{
    char scope[sizeof(rq->keys->entry[0].scope)];
    struct sigv4_key *entry;
    int len =
        snprintf(scope, sizeof(scope), "%.*s/%.*s/%.*s", DAY_CHARS, time, SPAN_ARG(rq->region), SPAN_ARG(rq->service));

    if (!rq->keys || len >= (int)sizeof(scope))
        return derive_key(rq, creds, time, out, err);
    for (size_t i = 0; i < SIGV4_KEYS; i++) {
        entry = &rq->keys->entry[i];
        if (entry->generation == creds->generation && !strcmp(entry->scope, scope) &&
            !strcmp(entry->access_key_id, creds->access_key_id)) {
            memcpy(out, entry->key, KEY_BYTES);
            return true;
        }
    }
    if (!derive_key(rq, creds, time, out, err))
        return false;
    entry = &rq->keys->entry[rq->keys->next++ % SIGV4_KEYS];
    memcpy(entry->access_key_id, creds->access_key_id, sizeof(entry->access_key_id));
    memcpy(entry->scope, scope, sizeof(scope));
    memcpy(entry->key, out, KEY_BYTES);
    entry->generation = creds->generation;
    return true;
}

bool sigv4_signature(const struct sigv4_request *rq, const struct creds *creds, struct span string_to_sign,
                     int64_t now_s, struct buf *out, struct err *err)
{
    unsigned char key[KEY_BYTES], signature[KEY_BYTES];
    char time[SIGV4_TIME_SIZE];
    bool ok;

    sigv4_time(now_s, time);
    ok = find_key(rq, creds, time, key, err) && hmac(key, sizeof(key), string_to_sign, signature, err);
    OPENSSL_cleanse(key, sizeof(key));
    if (!ok)
        return false;
    text_hex(out, signature, sizeof(signature));
    return buf_check(out, "signature", err);
}

/* ---- whole forms ---- */

static bool sign(const struct sigv4_request *rq, const struct creds *creds, int64_t now_s, struct buf *signed_headers,
                 struct buf *signature, struct err *err)
{
    AUTO(buf_done) struct buf canonical = { 0 };
    AUTO(buf_done) struct buf to_sign = { 0 };

    buf_init(&canonical, 512 * 1024);
    buf_init(&to_sign, 1024);
    return sigv4_canonical_request(rq, &canonical, signed_headers, err) &&
           sigv4_string_to_sign(rq, buf_view(&canonical), now_s, &to_sign, err) &&
           sigv4_signature(rq, creds, buf_view(&to_sign), now_s, signature, err);
}

bool sigv4_authorization(const struct sigv4_request *rq, const struct creds *creds, int64_t now_s, struct buf *out,
                         struct err *err)
{
    AUTO(buf_done) struct buf names = { 0 };
    AUTO(buf_done) struct buf signature = { 0 };
    char time[SIGV4_TIME_SIZE];

    buf_init(&names, 8 * 1024);
    buf_init(&signature, 128);
    if (!sign(rq, creds, now_s, &names, &signature, err))
        return false;
    sigv4_time(now_s, time);
    buf_fmt(out, ALGORITHM " Credential=%s/", creds->access_key_id);
    add_scope(rq, time, out);
    buf_fmt(out, ", SignedHeaders=%s, Signature=%s", buf_cstr(&names), buf_cstr(&signature));
    return buf_check(out, "Authorization header", err);
}

static bool add_auth_parameters(const struct sigv4_request *rq, const struct creds *creds, int64_t now_s,
                                int64_t expires_s, struct buf *query, struct err *err)
{
    AUTO(buf_done) struct buf ignored = { 0 };
    AUTO(buf_done) struct buf names = { 0 };
    AUTO(buf_done) struct buf scope = { 0 };
    char time[SIGV4_TIME_SIZE];

    buf_init(&ignored, 64 * 1024);
    buf_init(&names, 8 * 1024);
    buf_init(&scope, 512);
    if (!add_headers(rq, &ignored, &names, err))
        return false;
    sigv4_time(now_s, time);
    buf_fmt(&scope, "%s/", creds->access_key_id);
    add_scope(rq, time, &scope);
    if (!buf_check(&scope, "credential scope", err))
        return false;
    buf_span(query, rq->query);
    buf_text(query, rq->query.len ? "&" : "");
    buf_text(query, "X-Amz-Algorithm=" ALGORITHM "&X-Amz-Credential=");
    text_percent_encode(query, buf_view(&scope), false);
    buf_fmt(query, "&X-Amz-Date=%s&X-Amz-Expires=%lld&X-Amz-SignedHeaders=", time, (long long)expires_s);
    text_percent_encode(query, buf_view(&names), false);
    if (creds->session_token[0]) {
        buf_text(query, "&X-Amz-Security-Token=");
        text_percent_encode(query, span_of(creds->session_token), false);
    }
    return buf_check(query, "presigned query", err);
}

bool sigv4_presigned_query(const struct sigv4_request *rq, const struct creds *creds, int64_t now_s, int64_t expires_s,
                           struct buf *out, struct err *err)
{
    AUTO(buf_done) struct buf query = { 0 };
    AUTO(buf_done) struct buf names = { 0 };
    AUTO(buf_done) struct buf signature = { 0 };
    struct sigv4_request with_auth = *rq;

    buf_init(&query, 128 * 1024);
    buf_init(&names, 8 * 1024);
    buf_init(&signature, 128);
    if (expires_s < 1 || expires_s > 604800)
        return refuse(err, HERE, "a presigned URL lives 1 to 604800 seconds");
    if (!add_auth_parameters(rq, creds, now_s, expires_s, &query, err))
        return false;
    with_auth.query = buf_view(&query);
    if (!sign(&with_auth, creds, now_s, &names, &signature, err))
        return false;
    buf_span(out, buf_view(&query));
    buf_fmt(out, "&X-Amz-Signature=%s", buf_cstr(&signature));
    return buf_check(out, "presigned query", err);
}
