/* The JSON forms of a video. */
#ifndef VIDBATCH_HANDLERS_VIDEO_JSON_H
#define VIDBATCH_HANDLERS_VIDEO_JSON_H

#include "server/base/json_writer.h"
#include "sql/video_store.h"

/* The members of a video, inside an object that the caller began. */
void video_json_members(struct json_writer *w, const struct video_row *video);
/* "video": {"id", "bucket", "key", "name"}, as summaries and records name theirs. */
void video_json_brief(struct json_writer *w, int64_t id, const char *bucket, const char *key_prefix, const char *name);
/* "name": key_prefix and name, joined. */
void json_put_joined(struct json_writer *w, const char *member, const char *head, const char *tail);

/* The brief form alone: an item of an array. */
void video_json_value(struct json_writer *w, int64_t id, const char *bucket, const char *key_prefix, const char *name);

#endif
