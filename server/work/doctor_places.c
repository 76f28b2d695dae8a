/* S3: registered prefixes, the staging location and the output location. */
#include "server/work/doctor_inside.h"

#include "aws/batch_input.h"
#include "aws/s3.h"
#include "server/base/clock.h"
#include "server/base/mem.h"
#include "server/base/text.h"

#include <stdio.h>
#include <string.h>

enum { KEY_SIZE = 1400, URI_SIZE = 1300 };

static const char probe_text[] = "A check of vidbatch wrote this, and should have removed it. It may be deleted.\n";

static void put_uri(const struct iam_location *where, char uri[URI_SIZE])
{
    snprintf(uri, URI_SIZE, "s3://%.*s/%.*s", SPAN_ARG(where->bucket), SPAN_ARG(text_utf8_head(where->prefix, 1100)));
}

static struct attempt s3_attempt(const char *name, const char *operation, const struct iam_location *where,
                                 bool of_bucket, const char *verb, const char *object)
{
    struct attempt attempt = {
        .name = name, .operation = operation, .service = AWS_S3, .where = where, .of_bucket = of_bucket
    };

    snprintf(attempt.tried, sizeof attempt.tried, "%s %.1300s", verb, object);
    return attempt;
}

/* ---- Region of a bucket ---- */

static void check_region(struct examination *x, const char *name, const struct iam_location *where)
{
    const struct s3_ref ref = { .bucket = where->bucket, .owner = where->owner };
    char bucket[80], region[AWS_REGION_SIZE] = "";
    struct attempt attempt;
    struct doctor_check *check;
    struct err err = { 0 };

    snprintf(bucket, sizeof bucket, "bucket %.*s", SPAN_ARG(span_head(where->bucket, 63)));
    attempt = s3_attempt(name, "S3.HeadBucket", where, true, "Asking for the Region of", bucket);
    if (!doctor_may_try(x, &attempt))
        return;
    if (!s3_bucket_region(x->aws, x->client, &ref, region, &err)) {
        (void)doctor_failed(x, &attempt, &err);
        return;
    }
    if (!region[0]) {
        check = doctor_add(x->report, name, "S3 does not say in which Region %s is.", bucket);
        doctor_mark(
            check, DOCTOR_CANNOT_KNOW,
            "Amazon S3 does where it can be reached and there is such a bucket; an S3-compatible store need not.");
        return;
    }
    if (strcmp(region, x->settings->region) == 0) {
        (void)doctor_add(x->report, name, "B%s is in %s, where Bedrock works for this service.", bucket + 1, region);
        return;
    }
    check = doctor_add(x->report, name, "B%s is in %s, but Bedrock works for this service in %s.", bucket + 1, region,
                       x->settings->region);
    doctor_mark(check, DOCTOR_PROBLEM,
                "Use a bucket in %s, or run the service in %s (AWS_REGION): a batch job reads and writes only in its "
                "own Region.",
                x->settings->region, region);
}

/* ---- listing ---- */

struct found {
    size_t objects, videos;
    bool is_all;
    char first[KEY_SIZE], video[KEY_SIZE]; /* the first object, the first video; "" none */
};

static void take_page(const struct s3_page *page, struct found *found)
{
    found->objects = page->object_count;
    found->is_all = !page->is_truncated;
    for (size_t i = 0; i < page->object_count; i++) {
        const struct s3_object *object = &page->objects[i];

        if (i == 0)
            snprintf(found->first, sizeof found->first, "%.*s", SPAN_ARG(object->key));
        if (!video_format_of(object->key))
            continue;
        if (!found->videos++)
            snprintf(found->video, sizeof found->video, "%.*s", SPAN_ARG(object->key));
    }
}

static bool list(struct examination *x, const struct attempt *attempt, const struct iam_location *where,
                 struct found *found)
{
    AUTO(s3_page_done) struct s3_page page = { 0 };
    const struct s3_list_request rq = { .bucket = where->bucket, .prefix = where->prefix, .owner = where->owner };
    struct err err = { 0 };

    if (!doctor_may_try(x, attempt))
        return false;
    if (!s3_list_page(x->client, &rq, &page, &err)) {
        (void)doctor_failed(x, attempt, &err);
        return false;
    }
    take_page(&page, found);
    return true;
}

/* ---- reading ---- */

struct one_range {
    const struct s3_range *range;
    struct err *err;
    bool is_taken, is_read;
};

static bool next_range(void *arg, struct s3_range *range, void **item)
{
    struct one_range *one = arg;

    if (one->is_taken)
        return false;
    one->is_taken = true;
    *range = *one->range;
    *item = NULL;
    return true;
}

static bool range_done(void *arg, void *item, const struct s3_range_got *got, const struct err *range_err,
                       struct err *err)
{
    struct one_range *one = arg;

    (void)item, (void)got;
    one->is_read = !range_err;
    return !range_err || err_pass(err, range_err);
}

/* HEAD, and the first byte. */
static bool read_one(struct examination *x, const struct iam_location *where, const char *key, struct err *err)
{
    const struct s3_ref ref = { where->bucket, span_of(key), where->owner };
    const struct s3_range range = { .ref = ref, .len = 1 };
    struct one_range one = { .range = &range, .err = err };
    const struct s3_range_many many = { .next = next_range, .done = range_done, .arg = &one, .concurrency = 1 };
    struct s3_head head;

    return s3_head(x->client, &ref, &head, err) && s3_read_ranges(x->client, &many, err) && one.is_read;
}

static void check_reading(struct examination *x, const char *name, const struct iam_location *where, const char *key)
{
    char uri[URI_SIZE + KEY_SIZE];
    struct attempt attempt;
    struct err err = { 0 };

    snprintf(uri, sizeof uri, "s3://%.*s/%s", SPAN_ARG(where->bucket), key);
    attempt = s3_attempt(name, "S3.GetObjectRange", where, false, "Reading", uri);
    if (!doctor_may_try(x, &attempt))
        return;
    if (read_one(x, where, key, &err))
        (void)doctor_add(x->report, name, "%.400s can be read.", uri);
    else
        (void)doctor_failed(x, &attempt, &err);
}

void doctor_prefix(struct examination *x, const struct iam_location *where)
{
    struct found found = { 0 };
    struct doctor_check *check;
    struct attempt attempt;
    char uri[URI_SIZE];

    put_uri(where, uri);
    attempt = s3_attempt("prefix.list", "S3.ListObjectsV2", where, true, "Listing", uri);
    check_region(x, "prefix.region", where);
    if (!list(x, &attempt, where, &found))
        return;
    (void)doctor_add(x->report, "prefix.list", "%.400s can be listed (objects%s: %zu, videos by their names: %zu).",
                     uri, found.is_all ? "" : " on its first page", found.objects, found.videos);
    if (found.video[0]) {
        check_reading(x, "prefix.read", where, found.video);
        return;
    }
    check = doctor_add(x->report, "prefix.read", "There is no video under %.400s to try to read.", uri);
    doctor_mark(check, DOCTOR_CANNOT_KNOW,
                "Upload one, or correct the prefix: it is the beginning of the keys, letter by "
                "letter, without a slash in front.");
}

/* ---- writing ---- */

struct probe {
    char key[KEY_SIZE];
    bool may_exist;
};

static void name_probe(const struct iam_location *where, struct probe *probe)
{
    unsigned char bits[12];
    AUTO(buf_done) struct buf hex = { .max = 64 };

    text_random(bits, sizeof bits);
    text_hex(&hex, bits, sizeof bits);
    snprintf(probe->key, sizeof probe->key, "%.*svidbatch-doctor-%s.txt", SPAN_ARG(where->prefix), buf_cstr(&hex));
}

/* After an answer that is no refusal, or none at all, it may be there. */
static bool write_probe(struct examination *x, const struct iam_location *where, struct probe *probe, struct err *err)
{
    const struct s3_ref ref = { where->bucket, span_of(probe->key), where->owner };
    const bool ok = s3_put(x->client, &ref, "text/plain", span_of(probe_text), err);

    probe->may_exist = ok || err->upstream_status == 0 || err->upstream_status >= 500;
    return ok;
}

/* With time of its own: what was written is removed also where the time for looking is over. */
static void remove_probe(struct examination *x, const char *name, const struct iam_location *where,
                         const struct probe *probe)
{
    const struct s3_ref ref = { where->bucket, span_of(probe->key), where->owner };
    char uri[URI_SIZE + KEY_SIZE];
    struct attempt attempt;
    struct err err = { 0 };

    if (!probe->may_exist)
        return;
    snprintf(uri, sizeof uri, "s3://%.*s/%s", SPAN_ARG(where->bucket), probe->key);
    attempt = s3_attempt(name, "S3.DeleteObject", where, false, "Removing", uri);
    aws_client_until(x->client, clock_mono_ms() + x->check_ms);
    if (s3_delete(x->client, &ref, &err))
        (void)doctor_add(x->report, name, "What the check wrote there was removed again.");
    else
        (void)doctor_failed(x, &attempt, &err);
}

/* What a cleanup of unfinished uploads needs; of this key there are none. */
static void check_uploads(struct examination *x, const struct iam_location *where, const struct probe *probe)
{
    const struct s3_ref ref = { where->bucket, span_of(probe->key), where->owner };
    struct attempt attempt;
    struct err err = { 0 };
    char uri[URI_SIZE];
    int aborted = 0;

    put_uri(where, uri);
    attempt =
        s3_attempt("staging.uploads", "S3.ListMultipartUploads", where, true, "Listing unfinished uploads of", uri);
    if (!doctor_may_try(x, &attempt))
        return;
    if (s3_abort_uploads(x->client, &ref, &aborted, &err))
        (void)doctor_add(x->report, "staging.uploads", "Unfinished uploads under %.400s can be listed.", uri);
    else
        (void)doctor_failed(x, &attempt, &err);
}

static void check_list(struct examination *x, const char *name, const struct iam_location *where, struct found *found)
{
    struct attempt attempt;
    char uri[URI_SIZE];

    put_uri(where, uri);
    attempt = s3_attempt(name, "S3.ListObjectsV2", where, true, "Listing", uri);
    if (list(x, &attempt, where, found))
        (void)doctor_add(x->report, name, "%.400s can be listed.", uri);
}

void doctor_staging(struct examination *x)
{
    const struct iam_location *where = &x->facts.staging;
    struct found found = { 0 };
    struct attempt attempt;
    struct probe probe = { 0 };
    struct err err = { 0 };
    char uri[URI_SIZE];

    put_uri(where, uri);
    name_probe(where, &probe);
    check_region(x, "staging.region", where);
    check_list(x, "staging.list", where, &found);
    check_uploads(x, where, &probe);
    attempt = s3_attempt("staging.write", "S3.PutObject", where, false, "Writing a small object under", uri);
    if (!doctor_may_try(x, &attempt))
        return;
    if (write_probe(x, where, &probe, &err)) {
        (void)doctor_add(x->report, "staging.write", "An object can be written under %.400s.", uri);
        check_reading(x, "staging.read", where, probe.key);
    } else {
        (void)doctor_failed(x, &attempt, &err);
    }
    remove_probe(x, "staging.delete", where, &probe);
}

/* To write there is the service role's business: that the service may not is no problem of its own. */
static void without_probe(struct examination *x, const struct iam_location *where, const struct found *found)
{
    struct doctor_check *check;
    char uri[URI_SIZE];

    if (found->first[0]) {
        check_reading(x, "output.read", where, found->first);
        return;
    }
    put_uri(where, uri);
    check = doctor_add(x->report, "output.read", "There is no object under %.400s to try to read.", uri);
    doctor_mark(check, DOCTOR_CANNOT_KNOW,
                "Only Bedrock's service role must write there. The service itself must read "
                "(s3:GetObject): the first job shows whether it may.");
}

void doctor_output(struct examination *x)
{
    const struct iam_location *where = &x->facts.output;
    struct found found = { 0 };
    struct attempt attempt;
    struct probe probe = { 0 };
    struct err err = { 0 };
    struct cure cure;
    char uri[URI_SIZE];

    put_uri(where, uri);
    name_probe(where, &probe);
    check_region(x, "output.region", where);
    check_list(x, "output.list", where, &found);
    attempt = s3_attempt("output.read", "S3.PutObject", where, false, "Writing a small object under", uri);
    if (!doctor_may_try(x, &attempt))
        return;
    if (write_probe(x, where, &probe, &err))
        check_reading(x, "output.read", where, probe.key);
    else if (cure_find(&err, attempt.operation, &cure) && cure.action[0])
        without_probe(x, where, &found);
    else
        (void)doctor_failed(x, &attempt, &err);
    remove_probe(x, "output.delete", where, &probe);
}
