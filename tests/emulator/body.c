#include "tests/emulator/body.h"

#include "server/base/text.h"
#include "tests/emulator/blob.h"
#include "tests/emulator/checksum.h"
#include "tests/emulator/emulator.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { LINE_MAX_BYTES = 8192 };

static EVP_MD_CTX *digest_new(const EVP_MD *md)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    if (!ctx || EVP_DigestInit_ex(ctx, md, NULL) != 1)
        emu_die("digest");
    return ctx;
}

void body_begin(struct body *body, enum body_sink sink, struct blobs *home)
{
    memset(body, 0, sizeof *body);
    body->sink = sink;
    body->fd = -1;
    buf_init(&body->memory, BODY_MEMORY_MAX);
    buf_init(&body->line, LINE_MAX_BYTES);
    buf_init(&body->trailers, LINE_MAX_BYTES);
    body->sha256 = digest_new(EVP_sha256());
    if (sink == BODY_DROP)
        return;
    body->md5 = digest_new(EVP_md5());
    body->crc32 = (uint32_t)crc32(0, NULL, 0);
    if (sink == BODY_FILE)
        body->blob = blob_create(home, &body->fd);
}

void body_want(struct body *body, bool sha1, bool crc64nvme)
{
    if (sha1)
        body->sha1 = digest_new(EVP_sha1());
    body->wants_crc64 = crc64nvme;
}

void body_want_sha256_only(struct body *body)
{
    body->has_sha256_only = true;
}

void body_expect_chunks(struct body *body, const struct chunk_scope *scope)
{
    body->framed = true;
    body->state = CHUNK_SIZE;
    body->scope = *scope;
    body->chunk_sha256 = digest_new(EVP_sha256());
}

static void write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0)
            emu_die("writing a blob");
        bytes += n;
        len -= (size_t)n;
    }
}

static void add_payload(struct body *body, const char *bytes, size_t len)
{
    body->payload_bytes += (int64_t)len;
    EVP_DigestUpdate(body->sha256, bytes, len);
    if (body->sink == BODY_DROP)
        return;
    if (!body->has_sha256_only) {
        EVP_DigestUpdate(body->md5, bytes, len);
        body->crc32 = (uint32_t)crc32(body->crc32, (const unsigned char *)bytes, (unsigned)len);
    }
    if (body->sha1)
        EVP_DigestUpdate(body->sha1, bytes, len);
    if (body->wants_crc64)
        body->crc64nvme = checksum_crc64nvme(body->crc64nvme, bytes, len);
    if (body->sink == BODY_FILE)
        write_all(body->fd, bytes, len);
    else
        buf_add(&body->memory, bytes, len);
}

static void check_chunk(struct body *body)
{
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    unsigned char sum[32];
    char expected[65];
    AUTO(buf_done) struct buf text = { 0 };

    EVP_DigestFinal_ex(body->chunk_sha256, sum, NULL);
    EVP_DigestInit_ex(body->chunk_sha256, EVP_sha256(), NULL);
    if (!body->scope.is_signed)
        return;
    buf_init(&text, 0);
    buf_fmt(&text, "AWS4-HMAC-SHA256-PAYLOAD\n%s%s\n%s\n", body->scope.prefix, body->scope.previous, empty);
    text_hex(&text, sum, sizeof sum);
    sig_hmac_hex(body->scope.key, buf_view(&text), expected);
    if (strcmp(expected, body->chunk_signature) != 0)
        body->broken = "SignatureDoesNotMatch";
    memcpy(body->scope.previous, expected, sizeof expected);
}

/* hex-size[;chunk-signature=...] */
static void read_chunk_head(struct body *body)
{
    static const char mark[] = ";chunk-signature=";
    const char *line = buf_cstr(&body->line);
    char *end = NULL;

    body->chunk_left = strtoll(line, &end, 16);
    body->chunk_signature[0] = '\0';
    if (end == line || body->chunk_left < 0)
        body->broken = "IncompleteBody";
    if (strncmp(end, mark, sizeof mark - 1) == 0 && strlen(end) == sizeof mark - 1 + 64)
        memcpy(body->chunk_signature, end + sizeof mark - 1, 65);
    else if (*end != '\0' || body->scope.is_signed)
        body->broken = body->scope.is_signed ? "SignatureDoesNotMatch" : "IncompleteBody";
    if (body->chunk_left > 0) {
        body->state = CHUNK_DATA;
        return;
    }
    check_chunk(body);
    body->state = CHUNK_TRAILER;
}

/* The trailer's signature covers "name:value\n" of each checksum line. */
static void check_trailer_signature(struct body *body, const char *signature)
{
    unsigned char sum[32];
    char expected[65];
    AUTO(buf_done) struct buf text = { 0 };

    text_sha256(buf_cstr(&body->trailers), body->trailers.len, sum);
    buf_init(&text, 0);
    buf_fmt(&text, "AWS4-HMAC-SHA256-TRAILER\n%s%s\n", body->scope.prefix, body->scope.previous);
    text_hex(&text, sum, sizeof sum);
    sig_hmac_hex(body->scope.key, buf_view(&text), expected);
    if (strcmp(expected, signature) != 0)
        body->broken = "SignatureDoesNotMatch";
}

static void read_trailer(struct body *body)
{
    struct span line = buf_view(&body->line);
    size_t colon = span_find(line, ':');
    struct span value = span_trim(span_tail(line, colon + 1));

    if (line.len == 0) {
        body->state = CHUNK_DONE;
        return;
    }
    if (span_eq_nocase(span_head(line, colon), SPAN_LIT("x-amz-trailer-signature"))) {
        check_trailer_signature(body, value.ptr);
        return;
    }
    for (size_t i = 0; i < colon; i++)
        buf_char(&body->trailers, (char)(line.ptr[i] | (line.ptr[i] >= 'A' && line.ptr[i] <= 'Z' ? 0x20 : 0)));
    buf_char(&body->trailers, ':');
    buf_span(&body->trailers, value);
    buf_char(&body->trailers, '\n');
}

static void end_of_line(struct body *body)
{
    if (body->line.len > 0 && body->line.data[body->line.len - 1] == '\r')
        buf_cut(&body->line, body->line.len - 1);
    if (!buf_ok(&body->line))
        body->broken = "IncompleteBody";
    else if (body->state == CHUNK_SIZE)
        read_chunk_head(body);
    else if (body->state == CHUNK_DATA_END)
        body->state = CHUNK_SIZE;
    else
        read_trailer(body);
    buf_reset(&body->line);
}

static void add_framed(struct body *body, const char *bytes, size_t len)
{
    while (len > 0 && !body->broken && body->state != CHUNK_DONE) {
        size_t n = 0;

        if (body->state != CHUNK_DATA) {
            const char *feed = memchr(bytes, '\n', len);
            n = feed ? (size_t)(feed - bytes) + 1 : len;
            buf_add(&body->line, bytes, feed ? n - 1 : n);
            if (feed)
                end_of_line(body);
        } else {
            n = (int64_t)len < body->chunk_left ? len : (size_t)body->chunk_left;
            add_payload(body, bytes, n);
            EVP_DigestUpdate(body->chunk_sha256, bytes, n);
            body->chunk_left -= (int64_t)n;
            if (body->chunk_left == 0) {
                check_chunk(body);
                body->state = CHUNK_DATA_END;
            }
        }
        bytes += n;
        len -= n;
    }
}

void body_add(struct body *body, const char *bytes, size_t len)
{
    body->wire_bytes += (int64_t)len;
    if (body->framed)
        add_framed(body, bytes, len);
    else
        add_payload(body, bytes, len);
}

void body_end(struct body *body)
{
    EVP_DigestFinal_ex(body->sha256, body->sha256_sum, NULL);
    if (body->has_sha256_only)
        memcpy(body->md5_sum, body->sha256_sum, sizeof body->md5_sum);
    else if (body->md5)
        EVP_DigestFinal_ex(body->md5, body->md5_sum, NULL);
    if (body->sha1)
        EVP_DigestFinal_ex(body->sha1, body->sha1_sum, NULL);
    /* the last line's end may be missing: some clients leave out the empty line after the trailer */
    if (body->framed && !body->broken && body->state != CHUNK_DONE && body->state != CHUNK_TRAILER)
        body->broken = "IncompleteBody";
    if (body->blob)
        body->blob->size = body->payload_bytes;
}

struct blob *body_take_blob(struct body *body)
{
    struct blob *blob = body->blob;

    body->blob = NULL;
    return blob;
}

bool body_trailer(const struct body *body, const char *name, struct buf *out)
{
    struct span rest = buf_view(&body->trailers);

    while (rest.len > 0) {
        struct span line = span_head(rest, span_find(rest, '\n'));
        rest = span_tail(rest, line.len + 1);
        if (span_eq_text(span_head(line, span_find(line, ':')), name)) {
            buf_span(out, span_tail(line, span_find(line, ':') + 1));
            return true;
        }
    }
    return false;
}

void body_done(struct body *body)
{
    if (body->fd > 0)
        close(body->fd);
    blob_unref(body->blob);
    buf_done(&body->memory);
    buf_done(&body->line);
    buf_done(&body->trailers);
    EVP_MD_CTX_free(body->sha256);
    EVP_MD_CTX_free(body->md5);
    EVP_MD_CTX_free(body->sha1);
    EVP_MD_CTX_free(body->chunk_sha256);
    memset(body, 0, sizeof *body);
    body->fd = -1;
}
