#include "tests/emulator/control.h"

#include "server/base/json_writer.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/faults.h"
#include "tests/emulator/fields.h"
#include "tests/emulator/iam.h"
#include "tests/emulator/jobs.h"
#include "tests/emulator/journal.h"
#include "tests/emulator/request.h"
#include "tests/emulator/sessions.h"
#include "tests/emulator/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void refuse(struct request *rq, int status, const char *why)
{
    struct json_writer w;

    reply_reset(&rq->reply);
    rq->reply.status = status;
    w = json_writer_on(&rq->reply.body);
    json_begin_object(&w);
    json_put_text(&w, "error", why);
    json_end_object(&w);
}

static void done_with(struct request *rq, const char *name, int64_t n)
{
    struct json_writer w = json_writer_on(&rq->reply.body);

    json_begin_object(&w);
    json_put_i64(&w, name, n);
    json_end_object(&w);
}

typedef bool control_fn(struct emulator *emu, struct request *rq, json_t *json, struct buf *why);

static bool post_faults(struct emulator *emu, struct request *rq, json_t *json, struct buf *why)
{
    if (!faults_add(emu->faults, json, why))
        return false;
    faults_list(emu->faults, &rq->reply.body);
    return true;
}

static bool get_faults(struct emulator *emu, struct request *rq, json_t *json, struct buf *why)
{
    (void)json;
    (void)why;
    faults_list(emu->faults, &rq->reply.body);
    return true;
}

static bool delete_faults(struct emulator *emu, struct request *rq, json_t *json, struct buf *why)
{
    faults_clear(emu->faults);
    return get_faults(emu, rq, json, why);
}

static void put_job(struct json_writer *w, struct job *job)
{
    struct job_view v;

    job_look(job, &v);
    json_begin_object(w);
    json_put_text(w, "arn", job->arn);
    json_put_text(w, "id", job->id);
    json_put_text(w, "name", job->name);
    json_put_text(w, "token", job->token);
    json_put_text(w, "model_id", job->model_id);
    json_put_text(w, "role_arn", job->role_arn);
    json_put_text(w, "input", job->input_uri);
    json_put_text(w, "output", job->output_uri);
    json_put_text(w, "status", job_status_name(v.status));
    json_put_text(w, "message", v.message);
    json_put_i64(w, "create_calls", v.create_calls);
    json_put_time(w, "submitted_at", job->submit_ms);
    json_put_time(w, "ended_at", v.ended_ms);
    json_put_i64(w, "total", v.counts.total);
    json_put_i64(w, "processed", v.counts.processed);
    json_put_i64(w, "success", v.counts.success);
    json_put_i64(w, "error", v.counts.error);
    json_put_i64(w, "input_tokens", v.counts.input_tokens);
    json_put_i64(w, "output_tokens", v.counts.output_tokens);
    json_put_bool(w, "scripted", job->script.given);
    json_end_object(w);
}

static bool get_jobs(struct emulator *emu, struct request *rq, json_t *json, struct buf *why)
{
    struct json_writer w = json_writer_on(&rq->reply.body);
    struct job *job = NULL;

    (void)json;
    (void)why;
    json_begin_array(&w);
    for (size_t i = 0; (job = jobs_at(emu->jobs, i)) != NULL; i++)
        put_job(&w, job);
    json_end_array(&w);
    return true;
}

static bool post_release(struct emulator *emu, struct request *rq, json_t *json, struct buf *why)
{
    char name[64] = "";
    const struct field fields[] = { FIELD_TEXT("name_contains", name) };

    if (!fields_read(json, fields, 1, why))
        return false;
    done_with(rq, "released", jobs_release(emu->jobs, span_of(name)));
    return true;
}

static bool get_stats(struct emulator *emu, struct request *rq, json_t *json, struct buf *why)
{
    (void)json;
    (void)why;
    journal_stats(emu->journal, &rq->reply.body, false);
    return true;
}

static bool delete_stats(struct emulator *emu, struct request *rq, json_t *json, struct buf *why)
{
    (void)json;
    (void)why;
    journal_stats(emu->journal, &rq->reply.body, true);
    return true;
}

/* Many keys that share one uploaded object's bytes. */
static bool post_objects(struct emulator *emu, struct request *rq, json_t *json, struct buf *why)
{
    char bucket[64] = "";
    char prefix[900] = "";
    char from[1025] = "";
    int64_t count = 0;
    int64_t start = 0;
    const struct field fields[] = { FIELD_TEXT("bucket", bucket), FIELD_TEXT("prefix", prefix),
                                    FIELD_INT("count", &count), FIELD_TEXT("template_key", from),
                                    FIELD_INT("start", &start) };
    AUTO(object_unref_auto) struct object *template = NULL;

    if (!fields_read(json, fields, sizeof fields / sizeof fields[0], why))
        return false;
    template = store_get(emu->store, span_of(bucket), span_of(from));
    if (!template || count < 1 || count > 10000000 || start < 0) {
        buf_text(why, "wants the bucket, a template_key that is there, and a count of 1 to 10,000,000");
        return false;
    }
    for (int64_t i = start; i < start + count; i++) {
        char key[1100];
        AUTO(object_unref_auto) struct object *object = NULL;
        int len = snprintf(key, sizeof key, "%s%07" PRId64 ".mp4", prefix, i);
        object = object_new((struct span){ key, (size_t)len }, template->blob, template->etag, emu_now_ms(emu));
        object->content_type = emu_copy(span_of(template->content_type));
        if (store_put(emu->store, span_of(bucket), object, NULL) != STORE_PUT) {
            buf_text(why, "the bucket is gone");
            return false;
        }
    }
    done_with(rq, "created", count);
    return true;
}

/* What a lifecycle rule, or a restore, makes of an object. */
static bool post_storage(struct emulator *emu, struct request *rq, json_t *json, struct buf *why)
{
    char bucket[64] = "", key[1025] = "", class[STORAGE_CLASS_SIZE] = "STANDARD", restore[16] = "none";
    bool archived = false; /* INTELLIGENT_TIERING may be; GLACIER and DEEP_ARCHIVE always are */
    const struct field fields[] = { FIELD_TEXT("bucket", bucket), FIELD_TEXT("key", key),
                                    FIELD_TEXT("storage_class", class), FIELD_BOOL("archived", &archived),
                                    FIELD_TEXT("restore", restore) };
    AUTO(object_unref_auto) struct object *old = NULL;
    AUTO(object_unref_auto) struct object *object = NULL;
    struct storage storage;

    if (!fields_read(json, fields, sizeof fields / sizeof fields[0], why))
        return false;
    old = store_get(emu->store, span_of(bucket), span_of(key));
    if (!old || !storage_of_class(span_of(class), &storage) ||
        !(strcmp(restore, "none") == 0 || strcmp(restore, "ongoing") == 0 || strcmp(restore, "done") == 0)) {
        buf_text(why, "wants bucket and key of an object, a storage_class of S3, and restore: none, ongoing or done");
        return false;
    }
    storage.is_archived |= archived;
    storage.restore = restore[0] == 'o'   ? STORAGE_RESTORING
                      : restore[0] == 'd' ? STORAGE_RESTORED
                                          : STORAGE_NOT_RESTORED;
    object = object_copy(old, span_of(key), old->modified_ms);
    object->storage = storage;
    done_with(rq, "changed", store_put(emu->store, span_of(bucket), object, NULL) == STORE_PUT);
    return true;
}

static bool post_buckets(struct emulator *emu, struct request *rq, json_t *json, struct buf *why)
{
    char name[64] = "";
    char region[40] = "";
    char prefix[900] = "";
    bool deny = false;
    int64_t synthetic = -1;
    const struct field fields[] = { FIELD_TEXT("name", name), FIELD_TEXT("region", region), FIELD_BOOL("deny", &deny),
                                    FIELD_INT("synthetic_count", &synthetic), FIELD_TEXT("synthetic_prefix", prefix) };
    struct bucket_info info = { .denied = false };

    if (!fields_read(json, fields, sizeof fields / sizeof fields[0], why))
        return false;
    if (!name[0]) {
        buf_text(why, "name is missing");
        return false;
    }
    if (!region[0])
        snprintf(region, sizeof region, "%s",
                 store_find_bucket(emu->store, span_of(name), &info) ? info.region : emu->config.region);
    if (synthetic >= 0)
        store_set_synthetic(emu->store, span_of(name), region, synthetic, span_of(prefix), emu_now_ms(emu));
    done_with(rq, "created", store_set_bucket(emu->store, span_of(name), region, deny, emu_now_ms(emu)));
    return true;
}

static bool post_clock(struct emulator *emu, struct request *rq, json_t *json, struct buf *why)
{
    int64_t offset_ms = 0;
    const struct field fields[] = { FIELD_INT("offset_ms", &offset_ms) };

    if (!fields_read(json, fields, 1, why))
        return false;
    atomic_store(&emu->clock_offset_ms, offset_ms);
    done_with(rq, "offset_ms", offset_ms);
    return true;
}

/* Temporary credentials that are good from now on, or have their end set anew. */
static bool post_sessions(struct emulator *emu, struct request *rq, json_t *json, struct buf *why)
{
    char access_key[130] = "", secret_key[260] = "", token[4096] = "";
    int64_t lives_ms = 3600 * 1000;
    const struct field fields[] = { FIELD_TEXT("access_key", access_key), FIELD_TEXT("secret_key", secret_key),
                                    FIELD_TEXT("session_token", token), FIELD_INT("lives_ms", &lives_ms) };

    if (!fields_read(json, fields, sizeof fields / sizeof fields[0], why))
        return false;
    if (!access_key[0] || !sessions_put(emu->sessions, access_key, secret_key, token, emu_now_ms(emu) + lives_ms)) {
        buf_text(why, "wants an access_key, with secret_key and session_token where it is new; 256 at most");
        return false;
    }
    done_with(rq, "lives_ms", lives_ms);
    return true;
}

/* What IAM answers of the service role. */
static bool post_iam(struct emulator *emu, struct request *rq, json_t *json, struct buf *why)
{
    if (!iam_set(emu->iam, json, why))
        return false;
    done_with(rq, "set", (int64_t)json_object_size(json));
    return true;
}

static const struct {
    const char *method, *path;
    bool has_body;
    control_fn *run;
} routes[] = {
    { "POST", "/_emulator/faults", true, post_faults },
    { "GET", "/_emulator/faults", false, get_faults },
    { "DELETE", "/_emulator/faults", false, delete_faults },
    { "GET", "/_emulator/jobs", false, get_jobs },
    { "POST", "/_emulator/release", true, post_release },
    { "GET", "/_emulator/stats", false, get_stats },
    { "DELETE", "/_emulator/stats", false, delete_stats },
    { "POST", "/_emulator/objects", true, post_objects },
    { "POST", "/_emulator/buckets", true, post_buckets },
    { "POST", "/_emulator/clock", true, post_clock },
    { "POST", "/_emulator/storage", true, post_storage },
    { "POST", "/_emulator/sessions", true, post_sessions },
    { "POST", "/_emulator/iam", true, post_iam },
};

void control_handle(struct emulator *emu, struct request *rq)
{
    AUTO(buf_done) struct buf why = { 0 };
    json_error_t error;
    json_t *json = NULL;
    size_t i = 0;
    size_t n = sizeof routes / sizeof routes[0];

    while (i < n && (strcmp(routes[i].method, rq->method) != 0 || !span_eq_text(rq->raw_path, routes[i].path)))
        i++;
    if (i == n) {
        refuse(rq, 404, "there is no such control endpoint");
        return;
    }
    buf_init(&why, 0);
    if (routes[i].has_body) {
        json = json_loadb(buf_cstr(&rq->body.memory), rq->body.memory.len, JSON_REJECT_DUPLICATES, &error);
        if (!json) {
            refuse(rq, 400, error.text);
            return;
        }
    }
    rq->reply.status = 200;
    reply_header(&rq->reply, "Content-Type", "application/json");
    if (!routes[i].run(emu, rq, json, &why))
        refuse(rq, 400, buf_cstr(&why));
    json_decref(json);
}
