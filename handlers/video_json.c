#include "handlers/video_json.h"

#include "server/base/id.h"
#include "server/work/causes.h"

void json_put_joined(struct json_writer *w, const char *member, const char *head, const char *tail)
{
    AUTO(buf_done) struct buf joined = { .max = 8192 };

    buf_text(&joined, head ? head : "");
    buf_text(&joined, tail ? tail : "");
    json_put_span(w, member, buf_view(&joined));
}

void video_json_brief(struct json_writer *w, int64_t id, const char *bucket, const char *key_prefix, const char *name)
{
    json_name(w, "video");
    video_json_value(w, id, bucket, key_prefix, name);
}

void video_json_value(struct json_writer *w, int64_t id, const char *bucket, const char *key_prefix, const char *name)
{
    json_begin_object(w);
    json_put_id(w, "id", ID_VIDEO, id);
    json_put_text(w, "bucket", bucket);
    json_put_joined(w, "key", key_prefix, name);
    json_put_text(w, "name", name);
    json_end_object(w);
}

static void put_whole_or_null(struct json_writer *w, const char *name, bool has, int n)
{
    if (has)
        json_put_i64(w, name, n);
    else
        json_put_null(w, name);
}

static void put_media(struct json_writer *w, const struct video_row *video)
{
    if (video->media.checked_ms == 0) {
        json_put_null(w, "media");
        return;
    }
    json_name(w, "media");
    json_begin_object(w);
    if (video->media.has_duration)
        json_put_f64(w, "duration_seconds", (double)video->media.duration_ms / 1000);
    else
        json_put_null(w, "duration_seconds");
    put_whole_or_null(w, "width", video->media.has_size, video->media.width);
    put_whole_or_null(w, "height", video->media.has_size, video->media.height);
    json_put_text(w, "container", video->media.container);
    json_put_text(w, "codec", video->media.codec);
    json_put_text(w, "content_type", video->media.content_type);
    json_put_time(w, "checked_at", video->media.checked_ms);
    json_end_object(w);
}

void video_json_members(struct json_writer *w, const struct video_row *video)
{
    const char *reason = video_row_reason(video);
    const struct cause *cause = reason ? cause_find(reason) : NULL;

    json_put_id(w, "id", ID_VIDEO, video->id);
    json_put_id(w, "prefix_id", ID_PREFIX, video->prefix_id);
    json_put_text(w, "bucket", video->bucket);
    json_put_joined(w, "key", video->key_prefix, video->name);
    json_put_text(w, "name", video->name);
    json_put_i64(w, "size_bytes", video->size_bytes);
    json_put_text(w, "etag", video->etag);
    json_put_time(w, "modified_at", video->modified_ms);
    json_put_bool(w, "eligible", !reason);
    json_put_text(w, "reason", reason);
    json_put_text(w, "rule", cause ? cause->rule : NULL);
    json_put_text(w, "remedy", cause ? cause->remedy : NULL);
    json_put_time(w, "vanished_at", video->vanished_ms);
    put_media(w, video);
}
