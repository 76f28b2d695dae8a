#include "handlers/video_json.h"

#include "server/base/id.h"

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
    json_begin_object(w);
    json_put_id(w, "id", ID_VIDEO, id);
    json_put_text(w, "bucket", bucket);
    json_put_joined(w, "key", key_prefix, name);
    json_put_text(w, "name", name);
    json_end_object(w);
}

void video_json_members(struct json_writer *w, const struct video_row *video)
{
    json_put_id(w, "id", ID_VIDEO, video->id);
    json_put_id(w, "prefix_id", ID_PREFIX, video->prefix_id);
    json_put_text(w, "bucket", video->bucket);
    json_put_joined(w, "key", video->key_prefix, video->name);
    json_put_text(w, "name", video->name);
    json_put_i64(w, "size_bytes", video->size_bytes);
    json_put_text(w, "etag", video->etag);
    json_put_time(w, "modified_at", video->modified_ms);
    json_put_bool(w, "eligible", !video->reason && video->vanished_ms == 0);
    json_put_text(w, "reason", video->vanished_ms ? "vanished" : video->reason);
    json_put_time(w, "vanished_at", video->vanished_ms);
}
