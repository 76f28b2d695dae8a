#include "server/work/stage_place.h"

#include "aws/s3.h"
#include "server/base/id.h"
#include "server/work/work.h"

#include <stdio.h>
#include <string.h>

bool stage_is_bucket_of(const char *location, struct span bucket)
{
    struct span its_bucket, path;

    return s3_parse_uri(span_of(location), &its_bucket, &path, NULL) && span_eq(its_bucket, bucket);
}

bool stage_place(const struct work_settings *settings, const struct stage_place_ask *ask, struct stage_place *out,
                 struct err *err)
{
    const struct span ours = span_of(settings->bucket_owner);
    struct span output_bucket, path;
    char digits[ID_SIZE];

    memset(out, 0, sizeof *out);
    if (!s3_parse_uri(span_of(ask->folder_uri), &out->bucket, &out->folder, err) ||
        !s3_parse_uri(span_of(settings->output_uri), &output_bucket, &path, err))
        return false;
    out->in_place = strcmp(ask->staging, "in_place") == 0;
    if (out->in_place && ask->prefix_owner.len > 0)
        out->owner = ask->prefix_owner;
    else if (!out->in_place || stage_is_bucket_of(settings->staging_uri, out->bucket) ||
             stage_is_bucket_of(settings->output_uri, out->bucket))
        out->owner = ours;
    if (out->owner.len == 0 && span_eq(out->bucket, ask->prefix_bucket))
        out->owner = ask->prefix_owner;
    out->output_owner = ours.len > 0 || !span_eq(output_bucket, ask->prefix_bucket) ? ours : ask->prefix_owner;
    id_format(ID_RECORD, ask->shard_id, digits);
    if (out->in_place)
        snprintf(out->input_key, sizeof out->input_key, "%.*svidbatch-%s.jsonl", SPAN_ARG(out->folder), digits);
    else
        snprintf(out->input_key, sizeof out->input_key, "%.*sinput.jsonl", SPAN_ARG(out->folder));
    return true;
}
