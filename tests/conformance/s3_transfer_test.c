/* Large objects at a server that is not ours: streamed writing and reading, multipart uploads, pieces, conditions. */
#include "aws/s3_multipart.h"
#include "tests/conformance/store.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIB = 1024 * 1024 };

/* ---- writing ---- */

static bool write_object(struct store *s, const char *key, struct span bytes, size_t piece, bool finish)
{
    struct s3_ref ref = store_ref(s, key);
    struct s3_writer *w = NULL;
    struct err err = { 0 };
    int64_t size = 0;
    bool ok = s3_writer_new(s->client, &ref, "application/jsonl", 0, &w, &err);

    for (size_t at = 0; ok && at < bytes.len; at += piece) {
        buf_span(s3_writer_out(w), span_head(span_tail(bytes, at), piece));
        ok = s3_writer_wrote(w, &err);
    }
    if (ok && finish)
        ok = s3_writer_finish(w, &size, &err) && CHECK_I64(size, bytes.len);
    s3_writer_free(w);
    return store_is_ok(ok, &err, key);
}

static void test_writer(void)
{
    static const size_t sizes[] = { 0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 16 * MIB + 7 };
    AUTO(store_close) struct store s = { 0 };
    char *bytes = store_bytes(17 * MIB, 2);

    for (size_t i = 0; bytes && store_open(&s) && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct span body = { bytes, sizes[i] };
        struct s3_ref ref = store_ref(&s, "folder/input \xC3\xA4+.jsonl");
        struct s3_head head = { 0 };
        struct err err = { 0 };

        test_case("%zu bytes", sizes[i]);
        if (write_object(&s, "folder/input \xC3\xA4+.jsonl", body, 700001, true) &&
            store_holds(&s, "folder/input \xC3\xA4+.jsonl", body) &&
            store_is_ok(s3_head(s.client, &ref, &head, &err), &err, "head"))
            CHECK_TEXT(head.content_type, "application/jsonl");
        store_close(&s);
        s = (struct store){ 0 };
    }
    test_case(NULL);
    free(bytes);
}

/* ---- uploads that never end ---- */

static void test_abort(void)
{
    AUTO(store_close) struct store s = { 0 };
    char *bytes = store_bytes(11 * MIB, 3);
    struct s3_upload one, two, other;
    struct s3_ref ref, longer;
    struct err err = { 0 };
    int aborted = -1;

    s3_upload_init(&one);
    s3_upload_init(&two);
    s3_upload_init(&other);
    if (bytes && store_open(&s)) {
        ref = store_ref(&s, "in & out/input +\xC3\xA4.jsonl");
        longer = store_ref(&s, "in & out/input +\xC3\xA4.jsonl.2");
        store_is_ok(s3_upload_begin(&one, s.client, &ref, "text/plain", &err), &err, "begin");
        store_is_ok(s3_upload_begin(&two, s.client, &ref, "text/plain", &err), &err, "begin");
        store_is_ok(s3_upload_begin(&other, s.client, &longer, "text/plain", &err), &err, "begin");
        store_is_ok(s3_abort_uploads(s.client, &ref, &aborted, &err), &err, "abort");
        CHECK_I64(aborted, 2);
        store_is_ok(s3_abort_uploads(s.client, &ref, &aborted, &err), &err, "abort again");
        CHECK_I64(aborted, 0);
        store_is_ok(s3_upload_abort(s.client, &ref, buf_view(&one.id), &err), &err, "abort what is no longer there");
        store_is_ok(s3_abort_uploads(s.client, &longer, &aborted, &err), &err, "abort the other");
        CHECK_I64(aborted, 1);
        /* A writer that is given up leaves nothing. */
        write_object(&s, "given-up", (struct span){ bytes, 11 * MIB }, MIB, false);
        ref = store_ref(&s, "given-up");
        store_is_ok(s3_abort_uploads(s.client, &ref, &aborted, &err), &err, "abort after a writer");
        CHECK_I64(aborted, 0);
    }
    s3_upload_done(&one);
    s3_upload_done(&two);
    s3_upload_done(&other);
    free(bytes);
}

/* The answer of CompleteMultipartUpload was lost, and it is asked for once more. */
static void test_complete_twice(void)
{
    AUTO(store_close) struct store s = { 0 };
    AUTO(s3_part_done) struct s3_part part = { 0 };
    char *bytes = store_bytes(100, 4);
    struct span body = { bytes, 100 };
    struct s3_upload up;
    struct s3_ref ref;
    struct err err = { 0 }, lost = { 0 };

    s3_upload_init(&up);
    if (bytes && store_open(&s)) {
        ref = store_ref(&s, "twice");
        store_is_ok(s3_upload_begin(&up, s.client, &ref, "text/plain", &err) &&
                        s3_part_begin(&part, &up, s.client, &ref, body, &err) && s3_part_end(&part, &up, &err) &&
                        s3_upload_complete(&up, s.client, &ref, 100, &err),
                    &err, "complete");
        store_is_ok(s3_upload_complete(&up, s.client, &ref, 100, &err), &err, "complete again");
        store_holds(&s, "twice", body);
        /* Written over by somebody else: our upload is not what is there. */
        store_put(&s, "twice", SPAN_LIT("somebody else's"));
        CHECK(!s3_upload_complete(&up, s.client, &ref, 100, &lost));
    }
    s3_upload_done(&up);
    free(bytes);
}

/* ---- reading ---- */

static void test_reader(void)
{
    static const int64_t offsets[] = { 0, 1, 5 * MIB - 1, 5 * MIB, 9 * MIB + 12, 9 * MIB + 13 };
    AUTO(store_close) struct store s = { 0 };
    char *bytes = store_bytes(9 * MIB + 13, 5);
    struct s3_head head = { 0 };
    struct s3_ref ref;
    struct err err = { 0 };

    if (!bytes || !store_open(&s) || !write_object(&s, "o", (struct span){ bytes, 9 * MIB + 13 }, MIB, true)) {
        free(bytes);
        return;
    }
    ref = store_ref(&s, "o");
    store_is_ok(s3_head(s.client, &ref, &head, &err), &err, "head");
    /* From an offset on, with the ETag: what a reader asks for after a body that broke off. */
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        struct s3_reader *reader = NULL;
        struct span piece = { 0 };
        int64_t at = offsets[i];
        bool ok = s3_reader_open(s.client, &ref, at, head.etag, &reader, &err);

        test_case("from %lld on", (long long)offsets[i]);
        if (ok)
            CHECK_I64(s3_reader_size(reader), 9 * MIB + 13);
        while (ok && (ok = s3_reader_read(reader, &piece, &err)) && piece.len > 0) {
            ok = CHECK(at + (int64_t)piece.len <= 9 * MIB + 13) && CHECK(!memcmp(piece.ptr, bytes + at, piece.len));
            at += (int64_t)piece.len;
        }
        store_is_ok(ok, &err, "read");
        CHECK_I64(at, 9 * MIB + 13);
        s3_reader_close(reader);
    }
    test_case(NULL);
    free(bytes);
}

static void test_changed_object(void)
{
    AUTO(store_close) struct store s = { 0 };
    struct s3_reader *reader = NULL;
    struct s3_head head = { 0 };
    struct s3_ref ref;
    struct err err = { 0 }, changed = { 0 };

    if (!store_open(&s) || !store_put(&s, "o", SPAN_LIT("before")))
        return;
    ref = store_ref(&s, "o");
    store_is_ok(s3_head(s.client, &ref, &head, &err), &err, "head");
    store_put(&s, "o", SPAN_LIT("and after"));
    if (CHECK(!s3_reader_open(s.client, &ref, 2, head.etag, &reader, &changed))) {
        store_failed_as(&changed, ERR_CONFLICT, NULL);
        CHECK_TEXT(err_code_of(&changed), "object_changed");
    }
    s3_reader_close(reader);
}

/* ---- pieces ---- */

static const struct piece {
    int64_t offset;
    size_t len, want;
    const char *etag; /* NULL: that of the object */
} pieces[] = {
    { 0, 1, 1, "" },        { 0, 64 * 1024, 64 * 1024, "" },  { 65536, MIB, MIB, NULL },
    { 2 * MIB, 10, 9, "" }, { 2 * MIB + 8, 100, 1, NULL },    { 2 * MIB + 9, 10, 0, "" },
    { 9 * MIB, 10, 0, "" }, { 1, 10, 0, "\"another etag\"" },
};
enum { PIECES = sizeof(pieces) / sizeof(pieces[0]) };

struct reading {
    struct store *store;
    const char *bytes, *etag;
    size_t next, done;
};

static bool next_piece(void *arg, struct s3_range *range, void **item)
{
    struct reading *r = arg;
    const struct piece *p = &pieces[r->next];

    if (r->next == PIECES)
        return false;
    *range = (struct s3_range){ store_ref(r->store, "o"), span_of(p->etag ? p->etag : r->etag), p->offset, p->len };
    *item = (void *)p;
    r->next++;
    return true;
}

static bool got_piece(void *arg, void *item, const struct s3_range_got *got, const struct err *range_err,
                      struct err *err)
{
    struct reading *r = arg;
    const struct piece *p = item;

    (void)err;
    r->done++;
    test_case("%zu bytes from %lld on", p->len, (long long)p->offset);
    if (p->etag && p->etag[0])
        store_failed_as(range_err, ERR_CONFLICT, NULL);
    else if (store_is_ok(range_err == NULL, range_err, "a piece"))
        test_check_bytes(got->bytes.ptr, got->bytes.len, r->bytes + p->offset, p->want, "piece", TEST_HERE);
    return true;
}

static void test_ranges(void)
{
    AUTO(store_close) struct store s = { 0 };
    char *bytes = store_bytes(10 * MIB, 6);
    struct s3_head head = { 0 };
    struct s3_ref ref;
    struct err err = { 0 };

    if (bytes && store_open(&s) && store_put(&s, "o", (struct span){ bytes, 2 * MIB + 9 })) {
        struct reading reading = { &s, bytes, head.etag, 0, 0 };
        const struct s3_range_many many = { next_piece, got_piece, &reading, 4 };

        ref = store_ref(&s, "o");
        store_is_ok(s3_head(s.client, &ref, &head, &err), &err, "head");
        store_is_ok(s3_read_ranges(s.client, &many, &err), &err, "ranges");
        test_case(NULL);
        CHECK_I64(reading.done, PIECES);
    }
    free(bytes);
}

static const struct test tests[] = {
    { "writer", test_writer },
    { "abort", test_abort },
    { "complete_twice", test_complete_twice },
    { "reader", test_reader },
    { "changed_object", test_changed_object },
    { "ranges", test_ranges },
};
TEST_MAIN("s3_transfer", tests)
