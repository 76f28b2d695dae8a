/* Presigned PUTs, so that a client can upload a folder straight to S3. */
#include "handlers/app.h"
#include "handlers/audited.h"
#include "handlers/common.h"
#include "handlers/routes.h"
#include "handlers/upload_rules.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/mem.h"
#include "sql/prefix_store.h"

#include <stdio.h>
#include <string.h>

enum { MAX_FILES = 1000 };

struct uploads {
    struct request *rq;
    struct reply *rp;
    struct prefix_row prefix;
    struct span names[MAX_FILES];
    size_t count;
};

static void free_uploads(struct uploads **uploads)
{
    mem_free(*uploads);
}

static void read_file(struct fields *f, struct uploads *uploads, const struct upload_rules *rules)
{
    struct span *name = &uploads->names[uploads->count++];
    char broken[400];
    int64_t size = 0;

    if (fields_text(f, "name", true, 1, UPLOAD_KEY_MAX_BYTES, name) &&
        !upload_name_ok(rules, *name, broken, sizeof broken))
        fields_refuse(f, "name", "%s", broken);
    if (fields_i64(f, "size_bytes", false, 0, INT64_MAX, &size) && size > rules->max_video_bytes)
        fields_refuse(f, "size_bytes", "It is larger than the %lld bytes that the models take.",
                      (long long)rules->max_video_bytes);
}

static bool read_files(struct uploads *uploads, json_t *body)
{
    const struct handlers_app *app = app_of(uploads->rq);
    struct upload_rules rules = {
        .bucket = span_of(uploads->prefix.bucket),
        .key_prefix = span_of(uploads->prefix.key_prefix),
        .suffixes = span_of(uploads->prefix.suffixes),
        .staging_uri = app->staging_uri,
        .output_uri = app->output_uri,
        .max_video_bytes = app->max_video_bytes,
    };
    struct fields f;
    struct fields files;
    json_t *list = NULL;

    fields_begin(&f, uploads->rq, uploads->rp, body);
    list = fields_member(&f, "files", true, JSON_ARRAY);
    if (list && (json_array_size(list) < 1 || json_array_size(list) > MAX_FILES)) {
        fields_refuse(&f, "files", "It must have 1 to %d items; it has %zu.", MAX_FILES, json_array_size(list));
        list = NULL;
    }
    fields_nested(&files, &f, "files", NULL);
    for (size_t i = 0; list && i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        struct fields file;
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        if (!json_is_object(item)) {
            fields_refuse(&files, index, "It must be an object.");
            continue;
        }
        fields_nested(&file, &files, index, item);
        read_file(&file, uploads, &rules);
        fields_end_nested(&file, &files);
    }
    fields_end_nested(&files, &f);
    return fields_end(&f);
}

static bool put_upload(struct json_writer *w, const struct uploads *uploads, size_t i, const char *expires_at,
                       struct err *err)
{
    AUTO(buf_done) struct buf key = { .max = 4096 };
    AUTO(buf_done) struct buf url = { .max = 32 * 1024 };
    const char *mime = links_video_mime(uploads->names[i]);
    struct links_object object = { .bucket = span_of(uploads->prefix.bucket),
                                   .region = span_of(uploads->prefix.region) };

    buf_text(&key, uploads->prefix.key_prefix);
    buf_span(&key, uploads->names[i]);
    object.key = buf_view(&key);
    if (!buf_check(&key, "a key", err) || !links_put(app_of(uploads->rq)->links, &object, mime, &url, err) ||
        !buf_check(&url, "a URL", err))
        return false;
    json_begin_object(w);
    json_put_span(w, "name", uploads->names[i]);
    json_put_span(w, "key", buf_view(&key));
    json_put_text(w, "method", "PUT");
    json_put_span(w, "url", buf_view(&url));
    json_name(w, "headers");
    json_begin_object(w);
    json_put_text(w, "Content-Type", mime);
    json_end_object(w);
    json_put_text(w, "expires_at", expires_at);
    json_end_object(w);
    return true;
}

static void put_uploads(struct uploads *uploads)
{
    struct json_writer w = json_writer_on(reply_body(uploads->rp));
    char expires_at[CLOCK_RFC3339_SIZE];
    struct err err = { 0 };

    clock_rfc3339(clock_wall_ms() + links_expires_s(app_of(uploads->rq)->links) * 1000, expires_at);
    json_begin_object(&w);
    json_name(&w, "data");
    json_begin_array(&w);
    for (size_t i = 0; i < uploads->count; i++) {
        if (!put_upload(&w, uploads, i, expires_at, &err)) {
            reply_error(uploads->rq, uploads->rp, &err);
            return;
        }
    }
    json_end_array(&w);
    json_end_object(&w);
    reply_header(uploads->rp, "Cache-Control", "no-store");
    reply_page(uploads->rq, uploads->rp);
}

void uploads_create(struct request *rq, struct reply *rp)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(free_uploads) struct uploads *uploads = NULL;
    json_t *body = NULL;
    struct err err = { 0 };
    int64_t id = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_PREFIX, &id) ||
        !(body = rq_json(rq, rp)))
        return;
    uploads = mem_alloc(1, sizeof *uploads);
    if (!uploads) {
        err_memory(&err, HERE);
        reply_error(rq, rp, &err);
        return;
    }
    uploads->rq = rq;
    uploads->rp = rp;
    if (!prefix_store_get(db_of(rq), id, &rows, &uploads->prefix, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    if (!read_files(uploads, body))
        return;
    /* What is written down is that links were given: what is done with them S3 alone knows. */
    if (audited(db_of(rq), rq, "prefix.upload", ID_PREFIX, id, &err))
        put_uploads(uploads);
    else
        reply_error(rq, rp, &err);
}
