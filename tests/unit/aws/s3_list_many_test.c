/* The parallel listing against a bucket in memory. */
#include "aws/s3_list_many.h"

#include "server/base/mem.h"
#include "tests/support/test.h"
#include "tests/unit/aws/memory_bucket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what is checked ---- */

struct found {
    unsigned char *times; /* by index of the key */
    size_t strangers;
    struct {
        char *after, *through; /* through NULL: the end */
    } * stretches;
    size_t count, cap;
    int stop_at;
    int slow_us; /* so long each is taken */
    size_t out_of_order;
};

static bool collect(void *arg, const struct s3_stretch *stretch, struct err *err)
{
    struct found *f = arg;

    for (size_t i = 0; i < stretch->object_count; i++) {
        struct span key = stretch->objects[i].key;
        size_t at = first_behind(key);

        if (at > 0 && span_eq(key_at(at - 1), key))
            f->times[at - 1]++;
        else
            f->strangers++;
        if (key_compare(key, stretch->after) <= 0 || (stretch->through.ptr && key_compare(key, stretch->through) > 0))
            f->strangers++;
    }
    f->out_of_order += f->count > 0 && f->stretches[f->count - 1].through &&
                       !span_eq_text(stretch->after, f->stretches[f->count - 1].through);
    if (f->slow_us > 0)
        usleep((useconds_t)f->slow_us);
    if (f->count == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 1024;
        f->stretches = realloc(f->stretches, f->cap * sizeof(*f->stretches));
    }
    f->stretches[f->count].after = mem_span(stretch->after);
    f->stretches[f->count++].through = stretch->through.ptr ? mem_span(stretch->through) : NULL;
    if (f->stop_at && f->count == (size_t)f->stop_at)
        return err_set(err, ERR_CANCELLED, true, HERE, "enough");
    return true;
}

static int by_after(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* They follow each other without a gap from the beginning to the end. */
static void check_stretches(struct found *f)
{
    size_t wrong = 0;

    qsort(f->stretches, f->count, sizeof(*f->stretches), by_after);
    CHECK_TEXT(f->stretches[0].after, "");
    for (size_t i = 0; i + 1 < f->count; i++)
        wrong += !f->stretches[i].through || strcmp(f->stretches[i].through, f->stretches[i + 1].after) != 0;
    CHECK_I64(wrong, 0);
    CHECK(f->stretches[f->count - 1].through == NULL);
}

static void found_done(struct found *f)
{
    for (size_t i = 0; i < f->count; i++) {
        mem_free(f->stretches[i].after);
        mem_free(f->stretches[i].through);
    }
    free(f->stretches);
    free(f->times);
}

static bool list(struct found *f, int concurrency, struct err *err)
{
    const struct s3_list_many many = { .bucket = SPAN_LIT("bucket-name"),
                                       .prefix = span_of(bucket.prefix),
                                       .concurrency = concurrency,
                                       .prefers_order = f->slow_us > 0,
                                       .stretch = collect,
                                       .arg = f };

    bucket.requests = bucket.rounds = bucket.most_at_once = bucket.throttles = 0;
    bucket.has_bad_cut = false;
    f->times = calloc(bucket.count + 1, 1);
    return s3_list_many(NULL, &many, err);
}

/* Each of the bucket's keys came once, and nothing else. */
static void check_keys(const struct found *f)
{
    size_t wrong = 0;

    for (size_t i = 0; i < bucket.count; i++)
        wrong += f->times[i] != 1;
    CHECK_I64(wrong, 0);
    CHECK_I64(f->strangers, 0);
}

static void check_listing(int concurrency)
{
    struct found f = { 0 };
    struct err err = { 0 };

    CHECK(list(&f, concurrency, &err));
    CHECK_TEXT(err.what, "");
    check_keys(&f);
    CHECK(!bucket.has_bad_cut);
    CHECK(bucket.most_at_once <= concurrency);
    if (CHECK(f.count > 0))
        check_stretches(&f);
    found_done(&f);
}

/* ---- sets of keys ---- */

static void add_key(const char *fmt, ...) PRINTF(1, 2);
static void add_key(const char *fmt, ...)
{
    va_list args;

    if (!bucket.keys)
        bucket.keys = calloc(BUCKET_MOST + 1, sizeof(char *));
    va_start(args, fmt);
    if (bucket.count == BUCKET_MOST || vasprintf(&bucket.keys[bucket.count++], fmt, args) < 0)
        abort();
    va_end(args);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_keys(void)
{
    size_t kept = 0;

    if (bucket.count > 0) /* an empty one has no array */
        qsort(bucket.keys, bucket.count, sizeof(char *), by_bytes);
    for (size_t i = 0; i < bucket.count; i++) {
        if (kept > 0 && !strcmp(bucket.keys[kept - 1], bucket.keys[i]))
            free(bucket.keys[i]);
        else
            bucket.keys[kept++] = bucket.keys[i];
    }
    bucket.count = kept;
}

static void empty_bucket(const char *prefix)
{
    char **keys = bucket.keys;

    for (size_t i = 0; i < bucket.count; i++)
        free(keys[i]);
    memset(&bucket, 0, sizeof(bucket));
    bucket.keys = keys;
    bucket.seed = 7;
    snprintf(bucket.prefix, sizeof(bucket.prefix), "%s", prefix);
}

static void numbered(size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_key("%s%07zu.mp4", bucket.prefix, i);
}

static void by_day(size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_key("%sdate=2026-%02zu-%02zu/camera-%02zu/clip %06zu.mp4", bucket.prefix, 1 + i % 12, 1 + i / 12 % 28,
                i / 336 % 40, i);
}

/* Folders of a page and a half: whoever looks only at what a page tells finds one folder at a time. */
static void folders(size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_key("%sarchive/of/all/that/was/ever/filmed/%03zu/%05zu.mov", bucket.prefix, i / 1500, i % 1500);
}

static void random_names(size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_key("%s%08x-%04x-%08x.webm", bucket.prefix, draw(1U << 24) * 251 + draw(251), draw(65536), draw(1U << 24));
}

/* Nearly all under one first byte, and a few far off. */
static void lopsided(size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_key("%sz%06zu", bucket.prefix, i);
    for (int i = 0; i < 26; i++)
        add_key("%s%c", bucket.prefix, 'a' + i);
    add_key("%s\xf4\x8f\xbf\xbd", bucket.prefix);
}

static void emoji(size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_key("%s\xf0\x9f%c%c/\xe8\xa7%c\xe9%c%c", bucket.prefix, (int)(0x80 + i % 64), (int)(0x80 + i / 64 % 64),
                (int)(0x80 + i / 4096 % 64), (int)(0x80 + i % 61), (int)(0x80 + i / 7 % 64));
}

static void with_controls(size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_key("%s100%%\x01\x7f/%06zu", bucket.prefix, i);
}

static void deep(size_t n)
{
    char path[1000];

    memset(path, 'd', sizeof(path));
    for (size_t i = 1; i < sizeof(path); i += 2)
        path[i] = '/';
    path[960] = '\0';
    for (size_t i = 0; i < n; i++)
        add_key("%s%s%zu", bucket.prefix, path, i * 7919);
}

static void nested(size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_key(
            "%s%.*s", bucket.prefix, (int)(1 + i % 900),
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

#ifdef __SANITIZE_ADDRESS__
enum { SHARE = 4 }; /* a quarter of the keys: under a sanitizer it is the paths that count */
#else
enum { SHARE = 1 };
#endif

static const struct {
    const char *name;
    void (*make)(size_t n);
    size_t n;
    int rounds; /* at most, on 32 connections */
} sets[] = {
    { "empty", numbered, 0, 1 },
    { "one key", numbered, 1, 1 },
    { "a page", numbered, 1000, 1 },
    { "a page and a key", numbered, 1001, 2 },
    { "numbered", numbered, 300000, 20 },
    { "by day", by_day, 1000000, 50 },
    { "folders", folders, 150000, 20 },
    { "random names", random_names, 200000, 16 },
    { "lopsided", lopsided, 200000, 20 },
    { "emoji", emoji, 200000, 120 },
    { "controls and percent", with_controls, 20000, 20 },
    { "deep", deep, 50000, 20 },
    { "nested", nested, 20000, 1 },
};

/* Each set on 1, 5, 32 and 128 connections. */
static void every_key_once(void)
{
    static const int connections[] = { 1, 5, 32, 128 };

    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        empty_bucket("v/");
        sets[i].make(sets[i].n > 10000 ? sets[i].n / SHARE : sets[i].n);
        sort_keys();
        for (size_t c = 0; c < 4; c++) {
            const int pages = (int)(bucket.count / 1000) + 1;

            test_case("%s on %d", sets[i].name, connections[c]);
            check_listing(connections[c]);
            if (connections[c] == 32)
                CHECK(bucket.rounds <= sets[i].rounds);
            CHECK(bucket.requests <= 3 * pages + 200);
            if (pages == 1 || connections[c] == 1)
                CHECK(bucket.requests <= pages);
        }
    }
    test_case(NULL);
}

static void plain_set(size_t n)
{
    empty_bucket("v/");
    numbered(n);
    sort_keys();
}

/* S3 may send fewer keys than it was asked for, even none, and still have more. */
static void short_pages(void)
{
    plain_set(60000);
    bucket.has_short_pages = true;
    check_listing(16);
}

static void keys_that_are_not_encoded(void)
{
    empty_bucket("v/");
    by_day(5000);
    sort_keys();
    bucket.sends_plain_keys = true;
    for (size_t i = 0; i < bucket.count; i++) /* nothing that encoding would change */
        for (char *c = bucket.keys[i]; *c; c++)
            *c = *c == '=' || *c == ' ' ? '-' : *c;
    check_listing(8);
}

/* The bucket answers at once, so all wait for the one who takes: more requests would bring nothing but disorder. */
static void slow_takers_get_order(void)
{
    enum { TRIES = 5 };        /* on a machine with other work even such a bucket may be slow for a moment */
    bool in_order = SHARE > 1; /* a sanitizer makes it slow always */

    for (int i = 0; i < TRIES; i++) {
        struct found f = { .slow_us = 4000 };
        struct err err = { 0 };

        plain_set(300000);
        CHECK(list(&f, 32, &err));
        check_keys(&f);
        in_order = in_order || (bucket.most_at_once == 1 && f.out_of_order == 0);
        found_done(&f);
        if (in_order)
            break;
    }
    CHECK(in_order);
}

static void throttling(void)
{
    int calm;

    plain_set(200000);
    check_listing(32);
    calm = bucket.rounds;
    bucket.throttle_every = 40;
    check_listing(32);
    CHECK(bucket.throttles >= 4);
    CHECK(bucket.rounds > calm);
    bucket.throttle_every = 1;
    check_listing(32);
    CHECK(bucket.most_at_once <= 2);
}

/* The first failure is what the caller learns; nothing is handed on behind it. */
static void a_failure_ends_it(void)
{
    struct found f = { 0 };
    struct err err = { 0 };

    plain_set(100000);
    bucket.fail_at = 20;
    CHECK(!list(&f, 16, &err));
    CHECK_TEXT(err.what, "s3://bucket-name/v/: broken");
    CHECK(err.retryable);
    found_done(&f);

    f = (struct found){ .stop_at = 9 };
    err = (struct err){ 0 };
    bucket.fail_at = 0;
    CHECK(!list(&f, 16, &err));
    CHECK_I64(err.kind, ERR_CANCELLED);
    CHECK_I64(f.count, 9);
    found_done(&f);
}

static void check_refused(const char *code)
{
    static const int connections[] = { 1, 16 };

    for (int i = 0; i < 2; i++) {
        struct found f = { 0 };
        struct err err = { 0 };

        CHECK(!list(&f, connections[i], &err));
        CHECK_I64(err.kind, ERR_UPSTREAM);
        CHECK_TEXT(err.code, code);
        found_done(&f);
    }
}

static void loops_are_refused(void)
{
    plain_set(50000);
    bucket.goes_back = true;
    check_refused("listing_goes_back");

    plain_set(50000);
    bucket.repeats_token = true;
    check_refused("bad_listing");

    plain_set(1500);
    bucket.keys[0][2] = '5'; /* out of order within a page */
    check_refused("listing_goes_back");
}

static void a_bad_bucket_name(void)
{
    struct found f = { 0 };
    struct err err = { 0 };
    const struct s3_list_many many = { .bucket = SPAN_LIT("No"), .stretch = collect, .arg = &f };

    CHECK(!s3_list_many(NULL, &many, &err));
    CHECK_TEXT(err.code, "bad_s3_name");
}

static void out_of_memory(void)
{
    bool done = false;

    plain_set(3000);
    for (unsigned n = 1; !done && n < 400; n++) {
        struct found f = { 0 };
        struct err err = { 0 };

        test_case("allocation %u", n);
        mem_fail_at(n);
        done = list(&f, 4, &err);
        mem_fail_never();
        if (done)
            check_keys(&f);
        else
            CHECK_I64(err.kind, ERR_MEMORY);
        found_done(&f);
    }
    CHECK(done);
    test_case(NULL);
}

static const struct test tests[] = {
    { "every_key_once", every_key_once },
    { "short_pages", short_pages },
    { "keys_that_are_not_encoded", keys_that_are_not_encoded },
    { "slow_takers_get_order", slow_takers_get_order },
    { "throttling", throttling },
    { "a_failure_ends_it", a_failure_ends_it },
    { "loops_are_refused", loops_are_refused },
    { "a_bad_bucket_name", a_bad_bucket_name },
    { "out_of_memory", out_of_memory },
};

TEST_MAIN("s3_list_many", tests)
