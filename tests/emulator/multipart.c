#include "tests/emulator/multipart.h"

#include "server/base/buf.h"
#include "server/base/mem.h"
#include "server/base/text.h"
#include "tests/emulator/emulator.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static void part_free(struct part *part)
{
    if (part)
        blob_unref(part->blob);
    mem_free(part);
}

static void upload_free(struct upload *upload)
{
    for (int i = 0; i <= MULTIPART_PARTS; i++)
        part_free(upload->parts[i]);
    mem_free(upload->bucket);
    mem_free(upload->key);
    mem_free(upload->content_type);
    mem_free(upload->stored_headers);
    mem_free(upload);
}

static struct upload **find(struct store *store, struct span id, struct span bucket, struct span key)
{
    struct upload **at = &store->uploads;

    while (*at &&
           !(span_eq_text(id, (*at)->id) && span_eq_text(bucket, (*at)->bucket) && span_eq_text(key, (*at)->key)))
        at = &(*at)->next;
    return *at ? at : NULL;
}

void multipart_start(struct store *store, struct span bucket, struct span key, const char *content_type,
                     const char *stored_headers, bool is_sha256, int64_t now_ms, char id[MULTIPART_ID])
{
    struct upload *upload = emu_alloc(1, sizeof *upload);
    unsigned char noise[12];
    AUTO(buf_done) struct buf text = { 0 };

    text_random(noise, sizeof noise);
    buf_init(&text, 0);
    text_base64(&text, noise, sizeof noise);
    snprintf(upload->id, sizeof upload->id, "%s+/u==", buf_cstr(&text)); /* an id that needs encoding in a query */
    upload->bucket = emu_copy(bucket);
    upload->key = emu_copy(key);
    upload->content_type = emu_copy(span_of(content_type));
    upload->stored_headers = stored_headers ? emu_copy(span_of(stored_headers)) : NULL;
    upload->started_ms = now_ms;
    upload->is_sha256 = is_sha256;
    memcpy(id, upload->id, MULTIPART_ID);
    pthread_rwlock_wrlock(&store->lock);
    upload->next = store->uploads;
    store->uploads = upload;
    pthread_rwlock_unlock(&store->lock);
}

enum multipart_result multipart_add(struct store *store, struct span id, struct span bucket, struct span key,
                                    int number, struct blob *blob, const char *etag, const struct body *sums,
                                    int64_t now_ms)
{
    struct part *part = emu_alloc(1, sizeof *part);
    struct part *old = part;
    struct upload **at = NULL;

    part->blob = blob_ref(blob);
    part->modified_ms = now_ms;
    part->crc32 = sums->crc32;
    memcpy(part->sha256, sums->sha256_sum, sizeof part->sha256);
    snprintf(part->etag, sizeof part->etag, "%s", etag);
    pthread_rwlock_wrlock(&store->lock);
    at = find(store, id, bucket, key);
    if (at) {
        old = (*at)->parts[number];
        (*at)->parts[number] = part;
    }
    pthread_rwlock_unlock(&store->lock);
    part_free(old);
    return at ? MULTIPART_OK : MULTIPART_NO_UPLOAD;
}

/* The client may name the checksum of each part again. */
static bool is_claimed_right(const struct part *part, const struct part_claim *claim)
{
    AUTO(buf_done) struct buf text = { 0 };

    if (!claim->sha256[0])
        return true;
    buf_init(&text, 64);
    text_base64(&text, part->sha256, sizeof part->sha256);
    return strcmp(buf_cstr(&text), claim->sha256) == 0;
}

static enum multipart_result check_parts(const struct upload *upload, const struct part_claim *claims, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct part *part = upload->parts[claims[i].number];
        if (!part || strcmp(part->etag, claims[i].etag) != 0 || !is_claimed_right(part, &claims[i]))
            return MULTIPART_NO_PART;
        if (i + 1 < count && part->blob->size < MULTIPART_MIN_PART_BYTES)
            return MULTIPART_TOO_SMALL;
    }
    return MULTIPART_OK;
}

/* hex: lower case, of our own making */
static void from_hex(const char *hex, unsigned char *out, size_t n)
{
    for (size_t i = 0; i < 2 * n; i++) {
        unsigned digit = (unsigned)(hex[i] >= 'a' ? hex[i] - 'a' + 10 : hex[i] - '0');
        out[i / 2] = (unsigned char)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
    }
}

static void put_crc(struct buf *out, uint32_t crc)
{
    for (int b = 0; b < 4; b++)
        buf_char(out, (char)(unsigned char)(crc >> (24 - 8 * b)));
}

/* S3's checksum of the parts' checksums. */
static void set_checksum(struct object *object, bool is_sha256, struct span sums, size_t count)
{
    AUTO(buf_done) struct buf raw = { 0 };
    AUTO(buf_done) struct buf text = { 0 };
    unsigned char hash[32];

    buf_init(&raw, 0);
    buf_init(&text, 0);
    text_sha256(sums.ptr, sums.len, hash);
    if (is_sha256)
        buf_add(&raw, hash, sizeof hash);
    else
        put_crc(&raw, (uint32_t)crc32(crc32(0, NULL, 0), (const unsigned char *)sums.ptr, (unsigned)sums.len));
    text_base64(&text, raw.data, raw.len);
    snprintf(object->checksum_name, sizeof object->checksum_name, "x-amz-checksum-%s", is_sha256 ? "sha256" : "crc32");
    snprintf(object->checksum, sizeof object->checksum, "%s-%zu", buf_cstr(&text), count);
    object->is_composite = true;
}

/* One blob of the parts, with the ETag and the checksum that S3 makes of theirs. */
static struct object *join(struct store *store, const struct upload *upload, const struct part_claim *claims,
                           size_t count, int64_t now_ms)
{
    struct blob **parts = emu_alloc(count, sizeof(struct blob *));
    struct blob *blob = NULL;
    AUTO(buf_done) struct buf etags = { 0 };
    AUTO(buf_done) struct buf sums = { 0 };
    AUTO(buf_done) struct buf text = { 0 };
    struct object *object = NULL;
    unsigned char md5[16];

    buf_init(&etags, 1 << 20);
    buf_init(&sums, 1 << 20);
    buf_init(&text, 0);
    for (size_t i = 0; i < count; i++) {
        const struct part *part = upload->parts[claims[i].number];
        from_hex(part->etag, md5, sizeof md5);
        buf_add(&etags, md5, sizeof md5);
        if (upload->is_sha256)
            buf_add(&sums, part->sha256, sizeof part->sha256);
        else
            put_crc(&sums, part->crc32);
        parts[i] = part->blob;
    }
    blob = blob_of_parts(&store->blobs, parts, count);
    mem_free(parts);
    if (EVP_Digest(buf_cstr(&etags), etags.len, md5, NULL, EVP_md5(), NULL) != 1)
        emu_die("digest");
    text_hex(&text, md5, sizeof md5);
    buf_fmt(&text, "-%zu", count);
    object = object_new(span_of(upload->key), blob, buf_cstr(&text), now_ms);
    blob_unref(blob);
    object->content_type = emu_copy(span_of(upload->content_type));
    object->stored_headers = upload->stored_headers ? emu_copy(span_of(upload->stored_headers)) : NULL;
    set_checksum(object, upload->is_sha256, buf_view(&sums), count);
    return object;
}

enum multipart_result multipart_complete(struct store *store, struct span id, struct span bucket, struct span key,
                                         const struct part_claim *claims, size_t count,
                                         const struct store_condition *condition, int64_t now_ms, struct object **out)
{
    enum multipart_result result = MULTIPART_OK;
    struct upload **at = NULL;

    pthread_rwlock_wrlock(&store->lock);
    at = find(store, id, bucket, key);
    result = at ? check_parts(*at, claims, count) : MULTIPART_NO_UPLOAD;
    if (result == MULTIPART_OK) {
        struct upload *upload = *at;
        *out = join(store, upload, claims, count, now_ms);
        switch (store_put_locked(store, bucket, *out, condition)) {
        case STORE_PUT:
            *at = upload->next;
            upload_free(upload);
            break;
        case STORE_PUT_NO_BUCKET:
            result = MULTIPART_NO_BUCKET;
            break;
        case STORE_PUT_REFUSED:
            result = MULTIPART_REFUSED;
            break;
        }
    }
    pthread_rwlock_unlock(&store->lock);
    return result;
}

enum multipart_result multipart_abort(struct store *store, struct span id, struct span bucket, struct span key)
{
    struct upload **at = NULL;
    struct upload *gone = NULL;

    pthread_rwlock_wrlock(&store->lock);
    at = find(store, id, bucket, key);
    if (at) {
        gone = *at;
        *at = gone->next;
    }
    pthread_rwlock_unlock(&store->lock);
    if (!gone)
        return MULTIPART_NO_UPLOAD;
    upload_free(gone);
    return MULTIPART_OK;
}

void multipart_each(struct store *store, struct span bucket, multipart_visit_fn *visit, void *arg)
{
    pthread_rwlock_rdlock(&store->lock);
    for (const struct upload *u = store->uploads; u; u = u->next)
        if (span_eq_text(bucket, u->bucket))
            visit(arg, u);
    pthread_rwlock_unlock(&store->lock);
}

bool multipart_visit(struct store *store, struct span id, struct span bucket, struct span key,
                     multipart_visit_fn *visit, void *arg)
{
    struct upload **at = NULL;

    pthread_rwlock_rdlock(&store->lock);
    at = find(store, id, bucket, key);
    if (at)
        visit(arg, *at);
    pthread_rwlock_unlock(&store->lock);
    return at != NULL;
}
