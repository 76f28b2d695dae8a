#include "handlers/prefix_json.h"

#include "handlers/common.h"
#include "handlers/trouble_json.h"
#include "server/base/id.h"

static void put_scan(struct json_writer *w, const struct prefix_row *prefix, const struct task_trouble *trouble)
{
    json_name(w, "scan");
    json_begin_object(w);
    json_put_text(w, "state", prefix->scan_state);
    json_put_i64(w, "listed", prefix->scan_listed);
    json_put_json(w, "error", prefix->scan_error);
    if (trouble)
        trouble_json(w, trouble);
    json_put_time(w, "started_at", prefix->scan_started_ms);
    json_put_time(w, "finished_at", prefix->scan_finished_ms);
    json_end_object(w);
}

void prefix_json(struct json_writer *w, const struct prefix_row *prefix, const struct task_trouble *trouble)
{
    json_begin_object(w);
    json_put_id(w, "id", ID_PREFIX, prefix->id);
    json_put_text(w, "name", prefix->name);
    json_put_text(w, "bucket", prefix->bucket);
    json_put_text(w, "prefix", prefix->key_prefix);
    json_put_text(w, "bucket_owner", prefix->bucket_owner);
    json_put_text(w, "region", prefix->region);
    json_put_json(w, "suffixes", prefix->suffixes);
    put_scan(w, prefix, trouble);
    json_put_i64(w, "video_count", prefix->video_count);
    json_put_i64(w, "eligible_count", prefix->eligible_count);
    json_put_i64(w, "total_bytes", prefix->total_bytes);
    json_put_time(w, "created_at", prefix->created_ms);
    json_put_time(w, "updated_at", prefix->updated_ms);
    json_end_object(w);
}
