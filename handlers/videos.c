/* The objects found under a prefix. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/routes.h"
#include "handlers/summary_json.h"
#include "handlers/video_json.h"
#include "server/base/id.h"
#include "sql/prefix_store.h"
#include "sql/summary_store.h"
#include "sql/video_store.h"

#include <string.h>

enum { LATEST_SUMMARIES = 10 };

static void put_page(struct request *rq, struct reply *rp, const struct db_rows *rows, int limit)
{
    struct json_writer w = json_writer_on(reply_body(rp));
    struct video_row row = { 0 };

    json_begin_object(&w);
    json_name(&w, "data");
    json_begin_array(&w);
    for (int i = 0; i < rows->count && i < limit; i++) {
        video_row_read(rows, i, &row);
        json_begin_object(&w);
        video_json_members(&w, &row);
        json_end_object(&w);
    }
    json_end_array(&w);
    reply_next_text(rq, rp, &w, rows->count > limit, "videos", span_of(row.name));
    json_end_object(&w);
    reply_page(rq, rp);
}

void videos_list(struct request *rq, struct reply *rp)
{
    static const char *const words[] = { "true", "false", NULL };
    AUTO(db_rows_done) struct db_rows prefix_rows = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    enum video_filter filter = VIDEO_ALL;
    struct prefix_row prefix = { 0 };
    const char *eligible = NULL;
    struct span after = { "", 0 };
    struct err err = { 0 };
    bool has = false;
    int limit = 0;
    int64_t id = 0;

    if (!rq_path_id(rq, rp, "id", ID_PREFIX, &id) ||
        !rq_check_query(rq, rp, (const char *const[]){ "eligible", "limit", "after", NULL }) ||
        !query_word(rq, rp, "eligible", words, &eligible) || !rq_limit(rq, rp, &limit) ||
        !rq_cursor_text(rq, rp, "videos", &has, &after))
        return;
    if (eligible)
        filter = eligible == words[0] ? VIDEO_ELIGIBLE : VIDEO_NOT_ELIGIBLE;
    if (prefix_store_get(db_of(rq), id, &prefix_rows, &prefix, &err) &&
        video_store_list(db_of(rq), id, filter, has, after, limit + 1, &rows, &err))
        put_page(rq, rp, &rows, limit);
    else
        reply_failure(rq, rp, &err);
}

static bool put_video(struct db *db, int64_t id, struct buf *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(db_rows_done) struct db_rows summaries = { 0 };
    struct json_writer w = json_writer_on(out);
    struct video_row video = { 0 };

    if (!video_store_get(db, id, &rows, &video, err) ||
        !summary_store_list_video(db, id, LATEST_SUMMARIES, &summaries, err))
        return false;
    json_begin_object(&w);
    video_json_members(&w, &video);
    json_name(&w, "summaries");
    json_begin_array(&w);
    for (int i = 0; i < summaries.count; i++) {
        struct summary_row summary = { 0 };
        summary_row_read(&summaries, i, &summary);
        json_begin_object(&w);
        summary_json_members(&w, &summary);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return true;
}

void videos_get(struct request *rq, struct reply *rp)
{
    struct err err = { 0 };
    int64_t id = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_VIDEO, &id))
        return;
    if (put_video(db_of(rq), id, reply_body(rp), &err))
        reply_resource(rq, rp);
    else
        reply_failure(rq, rp, &err);
}

/* What comes after the last slash. */
static struct span base_name(struct span key)
{
    for (size_t i = key.len; i > 0; i--) {
        if (key.ptr[i - 1] == '/')
            return span_tail(key, i);
    }
    return key;
}

void videos_content(struct request *rq, struct reply *rp)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(buf_done) struct buf key = { .max = 4096 };
    AUTO(buf_done) struct buf url = { .max = 32 * 1024 };
    struct video_row video = { 0 };
    struct err err = { 0 };
    struct links_object object;
    int64_t id = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_VIDEO, &id))
        return;
    if (!video_store_get(db_of(rq), id, &rows, &video, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    if (video.vanished_ms) {
        reply_problem(rq, rp, 404, "video_vanished",
                      "The latest scan no longer found this object in S3. Scan the prefix again if it is back.");
        return;
    }
    buf_text(&key, video.key_prefix);
    buf_text(&key, video.name);
    object = (struct links_object){ span_of(video.bucket), span_of(video.region), buf_view(&key) };
    if (!buf_check(&key, "a key", &err) ||
        !links_get(app_of(rq)->links, &object, base_name(buf_view(&key)), &url, &err) ||
        !buf_check(&url, "a URL", &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    reply_status(rp, 302);
    reply_header(rp, "Location", buf_cstr(&url));
    reply_header(rp, "Cache-Control", "no-store");
}
