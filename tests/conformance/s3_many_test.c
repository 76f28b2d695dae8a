/* Many objects at a server that is not ours: listings page by page and in parallel, copies, deletions. */
#include "aws/s3_list_many.h"
#include "tests/conformance/store.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "n \xC3\xA4/"
enum { KEY_ROOM = 96 };

/* A sorted set of keys: what must be there. */
struct keys {
    char **text;
    size_t count;
};

static void keys_done(struct keys *k)
{
    for (size_t i = 0; i < k->count; i++)
        free(k->text[i]);
    free(k->text);
}

static void keys_add(struct keys *k, struct span key)
{
    char **grown = realloc(k->text, (k->count + 1) * sizeof(*grown));

    if (!CHECK(grown != NULL))
        return;
    k->text = grown;
    k->text[k->count++] = strndup(key.ptr, key.len);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void keys_sort(struct keys *k)
{
    if (k->count)
        qsort(k->text, k->count, sizeof(*k->text), by_bytes);
}

static void keys_equal(const struct keys *got, const struct keys *want)
{
    CHECK_I64(got->count, want->count);
    for (size_t i = 0; i < got->count && i < want->count; i++)
        if (!CHECK_TEXT(got->text[i], want->text[i]))
            return;
}

/* ---- copies, which also fill the bucket ---- */

struct copying {
    struct store *from, *to;
    const char *source;
    const struct keys *targets;
    size_t next, done;
    bool must_fail;
    enum err_kind kind;
    const char *etag;
};

static bool next_copy(void *arg, struct s3_copy *copy, void **item)
{
    struct copying *c = arg;

    if (c->next == c->targets->count)
        return false;
    *item = c->targets->text[c->next++];
    *copy = (struct s3_copy){ store_ref(c->from, c->source ? c->source : *item), span_of(c->etag),
                              store_ref(c->to, *item), "video/mp4" };
    return true;
}

static bool copied(void *arg, void *item, const struct err *copy_err, struct err *err)
{
    struct copying *c = arg;

    (void)err;
    c->done++;
    test_case("%.80s", (const char *)item);
    if (!c->must_fail)
        store_is_ok(copy_err == NULL, copy_err, "copy");
    else if (CHECK(copy_err != NULL))
        store_failed_as(copy_err, c->kind, NULL);
    return true;
}

static void copy_all(struct copying *c)
{
    const struct s3_copy_many many = { next_copy, copied, c, 8 };
    struct err err = { 0 };

    store_is_ok(s3_copy_objects(c->from->client, &many, &err), &err, "copies");
    test_case(NULL);
    CHECK_I64(c->done, c->targets->count);
}

static void all_keys(struct keys *k)
{
    const char *wanted = getenv("CONFORMANCE_S3_KEYS");
    int numbered = wanted ? atoi(wanted) : 0;
    char key[KEY_ROOM];

    CHECK(numbered > 0);

    for (size_t i = 0; i < odd_key_count; i++) {
        keys_add(k, span_of(odd_keys[i]));
        (void)snprintf(key, sizeof(key), FOLDER "%s", odd_keys[i]);
        keys_add(k, span_of(key));
    }
    for (int i = 0; i < numbered; i++) {
        (void)snprintf(key, sizeof(key), FOLDER "%d/%03d & %x.mp4", i % 7, i, (unsigned)(i * 2654435761u));
        keys_add(k, span_of(key));
    }
    keys_sort(k);
}

static bool fill(struct store *s, struct keys *k)
{
    struct copying c = { .from = s, .to = s, .source = FOLDER "template +.mp4", .targets = k };

    if (!store_put(s, c.source, SPAN_LIT("the content")))
        return false;
    copy_all(&c);
    keys_add(k, span_of(c.source));
    keys_sort(k);
    return true;
}

static void test_copies(void)
{
    AUTO(store_close) struct store s = { 0 };
    AUTO(store_close) struct store to = { 0 };
    AUTO(keys_done) struct keys odd = { 0 };
    struct s3_head head = { 0 };
    struct s3_ref ref;
    struct err err = { 0 };

    if (!store_open(&s) || !store_open(&to))
        return;
    for (size_t i = 0; i < odd_key_count; i++) {
        store_put(&s, odd_keys[i], span_of(odd_keys[i]));
        keys_add(&odd, span_of(odd_keys[i]));
    }
    copy_all(&(struct copying){ .from = &s, .to = &to, .targets = &odd });
    for (size_t i = 0; i < odd_key_count; i++) {
        ref = store_ref(&to, odd_keys[i]);
        test_case("%.80s", odd_keys[i]);
        store_holds(&to, odd_keys[i], span_of(odd_keys[i]));
        if (store_is_ok(s3_head(to.client, &ref, &head, &err), &err, "head"))
            CHECK_TEXT(head.content_type, "video/mp4");
    }
    test_case(NULL);
}

/* Sources that are gone, and sources that are not what they were. */
static void test_copy_conditions(void)
{
    AUTO(store_close) struct store s = { 0 };
    AUTO(keys_done) struct keys targets = { 0 };
    struct s3_head head = { 0 };
    struct s3_ref ref;
    struct err err = { 0 };

    keys_add(&targets, SPAN_LIT("to/one"));
    keys_add(&targets, SPAN_LIT("to/two"));
    if (!store_open(&s) || !store_put(&s, "from", SPAN_LIT("x")))
        return;
    ref = store_ref(&s, "from");
    store_is_ok(s3_head(s.client, &ref, &head, &err), &err, "head");
    copy_all(&(struct copying){
        .from = &s, .to = &s, .source = "gone", .targets = &targets, .must_fail = true, .kind = ERR_NOT_FOUND });
    copy_all(&(struct copying){ .from = &s,
                                .to = &s,
                                .source = "from",
                                .targets = &targets,
                                .must_fail = !store_lacks("copy-if-match"),
                                .kind = ERR_CONFLICT,
                                .etag = "\"d41d8cd98f00b204e9800998ecf8427e\"" });
    copy_all(&(struct copying){ .from = &s, .to = &s, .source = "from", .targets = &targets, .etag = head.etag });
}

/* ---- listings ---- */

static void list_pages(struct store *s, const char *prefix, const char *start_after, int max_keys, struct keys *got)
{
    AUTO(s3_page_done) struct s3_page page = { 0 };
    struct s3_list_request rq = { .bucket = span_of(s->bucket), .prefix = span_of(prefix), .max_keys = max_keys };
    struct err err = { 0 };

    rq.start_after = span_of(start_after);
    do {
        if (!store_is_ok(s3_list_page(s->client, &rq, &page, &err), &err, "a page"))
            return;
        CHECK((int)page.object_count <= max_keys);
        for (size_t i = 0; i < page.object_count; i++) {
            keys_add(got, page.objects[i].key);
            CHECK_SPAN(page.objects[i].storage_class, "STANDARD");
            CHECK(page.objects[i].etag.len > 2 && page.objects[i].etag.ptr[0] == '"');
            CHECK_I64(page.objects[i].size_bytes, 11);
            CHECK(page.objects[i].last_modified_ms > 1700000000000);
        }
        rq.token = buf_view(&page.next_token);
    } while (page.is_truncated);
}

static bool keep_stretch(void *arg, const struct s3_stretch *stretch, struct err *err)
{
    (void)err;
    for (size_t i = 0; i < stretch->object_count; i++)
        keys_add(arg, stretch->objects[i].key);
    return true;
}

static void list_parallel(struct store *s, const char *prefix, int max_keys, struct keys *got)
{
    const struct s3_list_many many = { .bucket = span_of(s->bucket),
                                       .prefix = span_of(prefix),
                                       .concurrency = 8,
                                       .max_keys = max_keys,
                                       .stretch = keep_stretch,
                                       .arg = got };
    struct err err = { 0 };

    store_is_ok(s3_list_many(s->client, &many, &err), &err, "a parallel listing");
    keys_sort(got);
}

static const struct {
    const char *prefix, *start_after;
    int max_keys;
} listings[] = {
    { "", "", 1000 },
    { "", "", 97 },
    { "", "a//b.mp4", 1000 },
    { FOLDER, "", 50 },
    { FOLDER "3/", "", 1000 },
    { "percent%", "", 1 },
    { "<xml>&", "", 10 },
    { "dots/", "", 1 },
    { "query?", "", 10 },
    { "umlaut-", "", 1 },
    { "nothing/", "", 10 },
    { "a+", "", 1000 },
    { "two ", "", 1000 },
    { "/", "", 1000 },
    { FOLDER "5/", FOLDER "5/005 &", 13 },
};

/* Removes the folder that has the most keys, every odd one among them; what lies beside it stays. */
static void delete_folder(struct store *s, const struct keys *all)
{
    AUTO(keys_done) struct keys left = { 0 };
    AUTO(keys_done) struct keys want = { 0 };
    struct s3_ref prefix = store_ref(s, FOLDER);
    struct err err = { 0 };
    int64_t deleted = -1;

    for (size_t i = 0; i < all->count; i++)
        if (strncmp(all->text[i], FOLDER, strlen(FOLDER)) != 0)
            keys_add(&want, span_of(all->text[i]));
    store_is_ok(s3_delete_prefix(s->client, &prefix, NULL, NULL, &deleted, &err), &err, "delete");
    CHECK_I64(deleted, all->count - want.count);
    list_pages(s, "", "", 1000, &left);
    keys_equal(&left, &want);
}

static void test_listings_and_deletion(void)
{
    AUTO(store_close) struct store s = { 0 };
    AUTO(keys_done) struct keys all = { 0 };

    all_keys(&all);
    if (!store_open(&s) || !fill(&s, &all))
        return;
    for (size_t i = 0; i < sizeof(listings) / sizeof(listings[0]); i++) {
        AUTO(keys_done) struct keys want = { 0 };
        AUTO(keys_done) struct keys pages = { 0 };
        AUTO(keys_done) struct keys parallel = { 0 };

        test_case("prefix '%s' after '%s' by %d", listings[i].prefix, listings[i].start_after, listings[i].max_keys);
        for (size_t k = 0; k < all.count; k++)
            if (!strncmp(all.text[k], listings[i].prefix, strlen(listings[i].prefix)) &&
                strcmp(all.text[k], listings[i].start_after) > 0)
                keys_add(&want, span_of(all.text[k]));
        list_pages(&s, listings[i].prefix, listings[i].start_after, listings[i].max_keys, &pages);
        keys_equal(&pages, &want);
        if (listings[i].start_after[0])
            continue;
        list_parallel(&s, listings[i].prefix, listings[i].max_keys, &parallel);
        keys_equal(&parallel, &want);
    }
    test_case(NULL);
    delete_folder(&s, &all);
}

static void test_missing_bucket(void)
{
    AUTO(store_close) struct store s = { 0 };
    AUTO(s3_page_done) struct s3_page page = { 0 };
    const struct s3_list_request rq = { .bucket = SPAN_LIT("conformance-of-nobody") };
    struct err err = { 0 };

    if (!store_open(&s) || !CHECK(!s3_list_page(s.client, &rq, &page, &err)))
        return;
    store_failed_as(&err, ERR_NOT_FOUND, "NoSuchBucket");
}

static const struct test tests[] = {
    { "copies", test_copies },
    { "copy_conditions", test_copy_conditions },
    { "listings_and_deletion", test_listings_and_deletion },
    { "missing_bucket", test_missing_bucket },
};
TEST_MAIN("s3_many", tests)
