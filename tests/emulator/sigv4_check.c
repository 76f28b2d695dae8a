#include "tests/emulator/sigv4_check.h"

#include "server/base/clock.h"
#include "server/base/text.h"
#include "tests/emulator/emulator.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 20 };

static const char unreadable[] = "the authorization is not in the form of AWS4-HMAC-SHA256";

static void hmac(const void *key, size_t key_len, struct span text, unsigned char out[32])
{
    unsigned len = 32;

    if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text.ptr, text.len, out, &len))
        emu_die("HMAC");
}

void sig_signing_key(const struct sig_claim *claim, const char *secret_key, unsigned char key[32])
{
    AUTO(buf_done) struct buf first = { 0 };

    buf_init(&first, 0);
    buf_text(&first, "AWS4");
    buf_text(&first, secret_key);
    hmac(buf_cstr(&first), first.len, span_of(claim->date), key);
    hmac(key, 32, span_of(claim->region), key);
    hmac(key, 32, span_of(claim->service), key);
    hmac(key, 32, SPAN_LIT("aws4_request"), key);
}

void sig_hmac_hex(const unsigned char key[32], struct span text, char out[65])
{
    unsigned char mac[32];
    AUTO(buf_done) struct buf hex = { 0 };

    hmac(key, 32, text, mac);
    buf_init(&hex, 128);
    text_hex(&hex, mac, sizeof mac);
    memcpy(out, buf_cstr(&hex), 65);
}

static bool keep(char *out, size_t size, struct span s)
{
    if (s.len >= size)
        return false;
    memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    return true;
}

/* AKID/20261101/us-east-1/s3/aws4_request */
static bool read_credential(struct sig_claim *claim, struct span s)
{
    struct span part[5];

    for (int i = 4; i > 0; i--) {
        size_t slash = s.len;
        while (slash > 0 && s.ptr[slash - 1] != '/')
            slash--;
        if (slash == 0)
            return false;
        part[i] = span_tail(s, slash);
        s = span_head(s, slash - 1);
    }
    part[0] = s;
    return span_eq_text(part[4], "aws4_request") && keep(claim->access_key, sizeof claim->access_key, part[0]) &&
           part[1].len == 8 && keep(claim->date, sizeof claim->date, part[1]) &&
           keep(claim->region, sizeof claim->region, part[2]) && keep(claim->service, sizeof claim->service, part[3]);
}

/* 20261101T120000Z */
static bool read_timestamp(struct sig_claim *claim, struct span s)
{
    char text[CLOCK_RFC3339_SIZE] = "0000-00-00T00:00:00Z";
    static const int at[] = { 0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 12, 14, 15, 17, 18, 19 };

    if (s.len != 16 || s.ptr[8] != 'T' || s.ptr[15] != 'Z' || !keep(claim->timestamp, sizeof claim->timestamp, s))
        return false;
    for (int i = 0; i < 16; i++)
        text[at[i]] = s.ptr[i];
    return clock_parse_rfc3339(span_of(text), &claim->time_ms);
}

static const char *header(const struct sig_input *in, const char *name)
{
    for (size_t i = 0; i < in->header_count; i++)
        if (strcmp(in->headers[i].name, name) == 0)
            return in->headers[i].value;
    return NULL;
}

/* "Date" instead of "x-amz-date": written back as the timestamp that was signed. */
static bool read_date_header(struct sig_claim *claim, struct span s)
{
    char text[CLOCK_RFC3339_SIZE];
    char compact[20] = { 0 };
    size_t n = 0;

    if (!clock_parse_http_date(s, &claim->time_ms))
        return false;
    clock_rfc3339(claim->time_ms, text);
    for (const char *c = text; *c && *c != '.' && n < 15; c++)
        if (*c != '-' && *c != ':')
            compact[n++] = *c;
    compact[n++] = 'Z';
    return keep(claim->timestamp, sizeof claim->timestamp, (struct span){ compact, n });
}

static const char *read_header_claim(const struct sig_input *in, struct sig_claim *claim, const char *authorization)
{
    static const char *const names[] = { "Credential=", "SignedHeaders=", "Signature=" };
    struct span rest = span_of(authorization);
    struct span value[3];
    const char *date = header(in, "x-amz-date");
    const char *token = header(in, "x-amz-security-token");

    if (!span_starts(rest, SPAN_LIT("AWS4-HMAC-SHA256 ")))
        return "only AWS4-HMAC-SHA256 is accepted";
    rest = span_tail(rest, 17);
    for (int i = 0; i < 3; i++) {
        struct span part = span_trim(span_head(rest, span_find(rest, ',')));
        rest = span_tail(rest, span_find(rest, ',') + 1);
        if (!span_starts(part, span_of(names[i])))
            return unreadable;
        value[i] = span_tail(part, strlen(names[i]));
    }
    if (rest.len > 0 || !read_credential(claim, value[0]))
        return "the Credential is malformed; expecting \"<key>/YYYYMMDD/region/service/aws4_request\"";
    if (!keep(claim->signed_headers, sizeof claim->signed_headers, value[1]) ||
        !keep(claim->signature, sizeof claim->signature, value[2]))
        return unreadable;
    if (date ? !read_timestamp(claim, span_of(date)) : !read_date_header(claim, span_of(header(in, "date"))))
        return "AWS authentication requires a valid Date or x-amz-date header";
    if (token && !keep(claim->token, sizeof claim->token, span_of(token)))
        return "the security token is too long";
    return NULL;
}

static bool query_value(const struct sig_input *in, const char *name, struct buf *out)
{
    struct span rest = in->raw_query;

    buf_reset(out);
    while (rest.len > 0) {
        struct span pair = span_head(rest, span_find(rest, '&'));
        size_t equals = span_find(pair, '=');
        rest = span_tail(rest, pair.len + 1);
        if (span_eq_text(span_head(pair, equals), name))
            return text_percent_decode(out, span_tail(pair, equals + 1), true);
    }
    return false;
}

static const char *read_query_claim(const struct sig_input *in, struct sig_claim *claim)
{
    AUTO(buf_done) struct buf v = { 0 };

    buf_init(&v, TEXT_MAX);
    claim->presigned = true;
    if (!query_value(in, "X-Amz-Algorithm", &v) || !span_eq_text(buf_view(&v), "AWS4-HMAC-SHA256"))
        return "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"";
    if (!query_value(in, "X-Amz-Credential", &v) || !read_credential(claim, buf_view(&v)))
        return "Error parsing the X-Amz-Credential parameter";
    if (!query_value(in, "X-Amz-Date", &v) || !read_timestamp(claim, buf_view(&v)))
        return "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"";
    if (!query_value(in, "X-Amz-Expires", &v) || !text_parse_i64(buf_view(&v), &claim->expires_s))
        return "X-Amz-Expires should be a number";
    if (claim->expires_s < 1 || claim->expires_s > 604800)
        return "X-Amz-Expires must be less than a week (in seconds) that is at least 1 and at most 604800";
    if (!query_value(in, "X-Amz-SignedHeaders", &v) ||
        !keep(claim->signed_headers, sizeof claim->signed_headers, buf_view(&v)))
        return "X-Amz-SignedHeaders is missing";
    if (!query_value(in, "X-Amz-Signature", &v) || !keep(claim->signature, sizeof claim->signature, buf_view(&v)))
        return "X-Amz-Signature is missing";
    if (query_value(in, "X-Amz-Security-Token", &v) && !keep(claim->token, sizeof claim->token, buf_view(&v)))
        return "the security token is too long";
    return NULL;
}

void sig_read_claim(const struct sig_input *in, struct sig_claim *claim)
{
    const char *authorization = header(in, "authorization");
    AUTO(buf_done) struct buf v = { 0 };

    memset(claim, 0, sizeof *claim);
    buf_init(&v, TEXT_MAX);
    if (authorization) {
        claim->present = true;
        claim->bad = read_header_claim(in, claim, authorization);
    } else if (query_value(in, "X-Amz-Algorithm", &v) || query_value(in, "X-Amz-Signature", &v)) {
        claim->present = true;
        claim->bad = read_query_claim(in, claim);
    }
    if (claim->present && !claim->bad && strncmp(claim->date, claim->timestamp, 8) != 0)
        claim->bad = "the date of the Credential differs from the date of the request";
}

/* S3 takes the path as a key: decoded, then encoded in the one canonical way. No dots, no slashes are cleaned up. */
static bool add_s3_path(struct buf *out, struct span raw)
{
    AUTO(buf_done) struct buf plain = { 0 };

    buf_init(&plain, TEXT_MAX);
    if (!text_percent_decode(&plain, raw, false))
        return false;
    text_percent_encode(out, buf_view(&plain), true);
    return true;
}

/* Every other service: dot segments and doubled slashes removed, then what is left encoded once more. */
static void add_other_path(struct buf *out, struct span raw)
{
    AUTO(buf_done) struct buf path = { 0 };
    struct span rest = raw;
    bool slash_at_end = raw.len > 0 && raw.ptr[raw.len - 1] == '/';

    buf_init(&path, TEXT_MAX);
    while (rest.len > 0) {
        struct span segment = span_head(rest, span_find(rest, '/'));
        rest = span_tail(rest, segment.len + 1);
        if (segment.len == 0 || span_eq_text(segment, "."))
            continue;
        if (span_eq_text(segment, "..")) {
            while (path.len > 0 && path.data[path.len - 1] != '/')
                buf_cut(&path, path.len - 1);
            if (path.len > 0)
                buf_cut(&path, path.len - 1);
            continue;
        }
        buf_char(&path, '/');
        buf_span(&path, segment);
    }
    if (path.len == 0 || slash_at_end)
        buf_char(&path, '/');
    text_percent_encode(out, buf_view(&path), true);
}

struct pair {
    struct span name, value; /* in the canonical encoding */
};

static int span_order(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int cmp = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

    return cmp != 0 ? cmp : (a.len > b.len) - (a.len < b.len);
}

static int pair_order(const void *a, const void *b)
{
    const struct pair *x = a;
    const struct pair *y = b;
    int cmp = span_order(x->name, y->name);

    return cmp != 0 ? cmp : span_order(x->value, y->value);
}

/* Decodes and encodes again one side of a pair, kept in `text`, which has room for all and so never moves. */
static bool canonical_piece(struct buf *text, struct span raw, struct span *out)
{
    AUTO(buf_done) struct buf plain = { 0 };
    size_t start = text->len;

    buf_init(&plain, TEXT_MAX);
    if (!text_percent_decode(&plain, raw, true))
        return false;
    text_percent_encode(text, buf_view(&plain), false);
    *out = (struct span){ text->data + start, text->len - start };
    return true;
}

static bool add_query(struct buf *out, const struct sig_input *in, bool presigned)
{
    struct pair pairs[64];
    size_t count = 0;
    AUTO(buf_done) struct buf text = { 0 };
    struct span rest = in->raw_query;

    buf_init(&text, TEXT_MAX);
    if (!buf_room(&text, 3 * in->raw_query.len + 64))
        return false;
    while (rest.len > 0) {
        struct span pair = span_head(rest, span_find(rest, '&'));
        size_t equals = span_find(pair, '=');
        rest = span_tail(rest, pair.len + 1);
        if (pair.len == 0 || (presigned && span_eq_text(span_head(pair, equals), "X-Amz-Signature")))
            continue;
        if (count == 64 || !canonical_piece(&text, span_head(pair, equals), &pairs[count].name) ||
            !canonical_piece(&text, span_tail(pair, equals + 1), &pairs[count].value))
            return false;
        count++;
    }
    qsort(pairs, count, sizeof pairs[0], pair_order);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_char(out, '&');
        buf_span(out, pairs[i].name);
        buf_char(out, '=');
        buf_span(out, pairs[i].value);
    }
    return true;
}

static void add_header_value(struct buf *out, const char *value)
{
    struct span s = span_trim(span_of(value));
    bool blank = false;

    for (size_t i = 0; i < s.len; i++) {
        bool is_blank = s.ptr[i] == ' ' || s.ptr[i] == '\t';
        if (is_blank && blank)
            continue;
        buf_char(out, is_blank ? ' ' : s.ptr[i]);
        blank = is_blank;
    }
}

/* One line per name in SignedHeaders, in the order given there, which must be ascending. */
static bool add_headers(struct buf *out, const struct sig_input *in, const char *signed_headers)
{
    struct span rest = span_of(signed_headers);
    struct span last = { "", 0 };

    while (rest.len > 0) {
        struct span name = span_head(rest, span_find(rest, ';'));
        bool more = false;

        rest = span_tail(rest, name.len + 1);
        if (span_order(last, name) >= 0)
            return false;
        last = name;
        buf_span(out, name);
        buf_char(out, ':');
        for (size_t i = 0; i < in->header_count; i++) {
            if (!span_eq_text(name, in->headers[i].name))
                continue;
            if (more)
                buf_char(out, ',');
            add_header_value(out, in->headers[i].value);
            more = true;
        }
        buf_char(out, '\n');
    }
    return true;
}

static bool is_signed(const char *signed_headers, const char *name)
{
    struct span rest = span_of(signed_headers);

    while (rest.len > 0) {
        struct span one = span_head(rest, span_find(rest, ';'));
        rest = span_tail(rest, one.len + 1);
        if (span_eq_text(one, name))
            return true;
    }
    return false;
}

static bool covers_what_it_must(const struct sig_input *in, const struct sig_claim *claim)
{
    for (size_t i = 0; i < in->header_count; i++) {
        const char *name = in->headers[i].name;
        if ((strncmp(name, "x-amz-", 6) == 0 || strcmp(name, "host") == 0) && !is_signed(claim->signed_headers, name))
            return false;
    }
    return true;
}

static bool build(const struct sig_input *in, const struct sig_claim *claim, const char *payload_hash,
                  struct sig_report *report)
{
    struct buf *c = &report->canonical;
    unsigned char hash[32];

    buf_text(c, in->method);
    buf_char(c, '\n');
    if (strcmp(claim->service, "s3") != 0)
        add_other_path(c, in->raw_path);
    else if (!add_s3_path(c, in->raw_path))
        return false;
    buf_char(c, '\n');
    if (!add_query(c, in, claim->presigned))
        return false;
    buf_char(c, '\n');
    if (!add_headers(c, in, claim->signed_headers))
        return false;
    buf_fmt(c, "\n%s\n%s", claim->signed_headers, payload_hash);
    text_sha256(buf_cstr(c), c->len, hash);
    buf_fmt(&report->string_to_sign, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n", claim->timestamp, claim->date,
            claim->region, claim->service);
    text_hex(&report->string_to_sign, hash, sizeof hash);
    return buf_ok(c) && buf_ok(&report->string_to_sign);
}

enum sig_result sig_verify(const struct sig_input *in, const struct sig_claim *claim, const struct sig_account *account,
                           const char *payload_hash, int64_t now_ms, int64_t window_ms, struct sig_report *report)
{
    unsigned char key[32];
    char expected[65];
    int64_t age_ms = now_ms - claim->time_ms;

    if (!claim->present)
        return SIG_MISSING;
    if (claim->bad)
        return SIG_MALFORMED;
    if (strcmp(claim->access_key, account->access_key) != 0)
        return SIG_UNKNOWN_KEY;
    if (strcmp(claim->token, account->session_token ? account->session_token : "") != 0)
        return SIG_BAD_TOKEN;
    if (account->is_expired)
        return SIG_EXPIRED_TOKEN;
    if (age_ms < -window_ms || (!claim->presigned && age_ms > window_ms))
        return SIG_SKEWED;
    if (claim->presigned && age_ms > claim->expires_s * 1000)
        return SIG_EXPIRED_URL;
    if (!covers_what_it_must(in, claim))
        return SIG_UNSIGNED_HEADER;
    if (!build(in, claim, payload_hash, report))
        return SIG_MISMATCH;
    sig_signing_key(claim, account->secret_key, key);
    sig_hmac_hex(key, buf_view(&report->string_to_sign), expected);
    if (strlen(claim->signature) != 64 || CRYPTO_memcmp(expected, claim->signature, 64) != 0)
        return SIG_MISMATCH;
    return SIG_OK;
}
