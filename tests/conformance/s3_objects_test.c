/* Single objects at a server that is not ours: put, head, get, delete, conditions, refusals, presigned URLs. */
#include "tests/conformance/store.h"
#include "tests/support/test.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void test_odd_keys(void)
{
    AUTO(store_close) struct store s = { 0 };

    if (!store_open(&s))
        return;
    for (size_t i = 0; i <= odd_key_count; i++) {
        const char *key = i < odd_key_count ? odd_keys[i] : longest_key();
        struct s3_ref ref = store_ref(&s, key);
        struct s3_head head = { 0 };
        struct err err = { 0 };

        test_case("%.80s", key);
        /* The key itself is the content: no two may be taken for one. */
        if (!store_put(&s, key, span_of(key)) || !store_holds(&s, key, span_of(key)))
            continue;
        if (store_is_ok(s3_head(s.client, &ref, &head, &err), &err, "head")) {
            CHECK_I64(head.size_bytes, strlen(key));
            CHECK_TEXT(head.content_type, "text/plain");
            CHECK_TEXT(head.storage_class, "STANDARD");
            CHECK(head.etag[0] == '"');
            CHECK(llabs(head.last_modified_ms / 1000 - time(NULL)) < 60);
        }
    }
    for (size_t i = 0; i < odd_key_count; i++) {
        test_case("%.80s", odd_keys[i]);
        store_holds(&s, odd_keys[i], span_of(odd_keys[i]));
    }
    test_case(NULL);
}

static void test_delete(void)
{
    AUTO(store_close) struct store s = { 0 };

    if (!store_open(&s))
        return;
    for (size_t i = 0; i < odd_key_count; i++) {
        struct s3_ref ref = store_ref(&s, odd_keys[i]);
        struct s3_head head = { 0 };
        struct err err = { 0 }, gone = { 0 };

        test_case("%.80s", odd_keys[i]);
        if (!store_put(&s, odd_keys[i], SPAN_LIT("x")))
            continue;
        store_is_ok(s3_delete(s.client, &ref, &err), &err, "delete");
        CHECK(!s3_head(s.client, &ref, &head, &gone));
        store_failed_as(&gone, ERR_NOT_FOUND, NULL);
        store_is_ok(s3_delete(s.client, &ref, &err), &err, "delete what is not there");
    }
    test_case(NULL);
}

static void test_sizes(void)
{
    AUTO(store_close) struct store s = { 0 };
    char *bytes = store_bytes(3 * 1024 * 1024 + 1, 1);

    if (bytes && store_open(&s)) {
        store_put(&s, "empty", SPAN_LIT(""));
        store_holds(&s, "empty", SPAN_LIT(""));
        store_put(&s, "large", (struct span){ bytes, 3 * 1024 * 1024 + 1 });
        store_holds(&s, "large", (struct span){ bytes, 3 * 1024 * 1024 + 1 });
        store_put(&s, "large", SPAN_LIT("written over"));
        store_holds(&s, "large", SPAN_LIT("written over"));
    }
    free(bytes);
}

static void test_refusals(void)
{
    AUTO(store_close) struct store s = { 0 };
    AUTO(store_close) struct store wrong = { 0 };
    AUTO(store_close) struct store unknown = { 0 };
    AUTO(buf_done) struct buf got = { 0 };
    struct s3_ref ref;
    struct s3_head head = { 0 };
    struct err err[5] = { 0 };

    buf_init(&got, 100);
    if (!store_open(&s) || !store_open_as(&wrong, getenv("CONFORMANCE_S3_KEY_ID"), "another-secret") ||
        !store_open_as(&unknown, "AKIDNOBODY", "another-secret"))
        return;
    ref = store_ref(&s, "nothing");
    CHECK(!s3_get_small(s.client, &ref, 100, &got, &err[0]));
    store_failed_as(&err[0], ERR_NOT_FOUND, "NoSuchKey");
    CHECK(!s3_get_small(wrong.client, &ref, 100, &got, &err[1]));
    store_failed_as(&err[1], ERR_DENIED, "SignatureDoesNotMatch");
    CHECK(!s3_get_small(unknown.client, &ref, 100, &got, &err[2]));
    store_failed_as(&err[2], ERR_DENIED, store_lacks("unknown-key") ? "SignatureDoesNotMatch" : "InvalidAccessKeyId");
    ref.bucket = SPAN_LIT("conformance-of-nobody");
    CHECK(!s3_get_small(s.client, &ref, 100, &got, &err[3]));
    store_failed_as(&err[3], ERR_NOT_FOUND, "NoSuchBucket");
    CHECK(!s3_head(s.client, &ref, &head, &err[4]));
    store_failed_as(&err[4], ERR_NOT_FOUND, NULL);
}

/* ---- presigned URLs: what another HTTP client makes of them ---- */

static size_t keep(char *bytes, size_t size, size_t count, void *arg)
{
    buf_add(arg, bytes, size * count);
    return size * count;
}

/* The status; body and Content-Disposition go to the two buffers. */
static long fetch(const char *url, const char *put, const char *content_type, struct buf *body, struct buf *headers)
{
    CURL *easy = curl_easy_init();
    struct curl_slist *list = content_type ? curl_slist_append(NULL, content_type) : NULL;
    long status = 0;

    buf_reset(body);
    buf_reset(headers);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, keep);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, headers);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    if (put) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, put);
    }
    CHECK_I64(curl_easy_perform(easy), CURLE_OK);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(list);
    curl_easy_cleanup(easy);
    return status;
}

struct page {
    struct buf url, body, headers;
};

static void page_done(struct page *page)
{
    buf_done(&page->url);
    buf_done(&page->body);
    buf_done(&page->headers);
}

static bool sign(struct store *s, struct page *page, const struct s3_presign *what)
{
    struct err err = { 0 };

    buf_reset(&page->url);
    return store_is_ok(s3_presign(s->aws, what, &page->url, &err), &err, "presign");
}

static void test_presigned(void)
{
    AUTO(store_close) struct store s = { 0 };
    AUTO(page_done) struct page page = { .url.max = 65536, .body.max = 65536, .headers.max = 65536 };

    if (!store_open(&s))
        return;
    for (size_t i = 0; i < odd_key_count; i++) {
        struct s3_presign what = { .method = "PUT", .ref = store_ref(&s, odd_keys[i]), .expires_s = 60 };

        test_case("%.80s", odd_keys[i]);
        what.content_type = "video/mp4";
        if (!sign(&s, &page, &what))
            continue;
        CHECK_I64(fetch(buf_cstr(&page.url), odd_keys[i], "Content-Type: video/mp4", &page.body, &page.headers), 200);
        what = (struct s3_presign){ .method = "GET", .ref = what.ref, .expires_s = 60 };
        what.response_disposition = "attachment; filename=\"a b.mp4\"";
        if (!sign(&s, &page, &what))
            continue;
        CHECK_I64(fetch(buf_cstr(&page.url), NULL, NULL, &page.body, &page.headers), 200);
        CHECK_TEXT(buf_cstr(&page.body), odd_keys[i]);
        CHECK(strcasestr(buf_cstr(&page.headers), "content-disposition: attachment; filename=\"a b.mp4\"") != NULL);
        CHECK(strcasestr(buf_cstr(&page.headers), "content-type: video/mp4") != NULL);
        page.url.data[page.url.len - 1] ^= 1; /* the last digit of the signature */
        CHECK_I64(fetch(buf_cstr(&page.url), NULL, NULL, &page.body, &page.headers), 403);
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "odd_keys", test_odd_keys }, { "delete", test_delete },       { "sizes", test_sizes },
    { "refusals", test_refusals }, { "presigned", test_presigned },
};
TEST_MAIN("s3_objects", tests)
