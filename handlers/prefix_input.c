#include "handlers/prefix_input.h"

#include "handlers/common.h"
#include "server/base/text.h"

#include <string.h>

enum { MAX_SUFFIXES = 32, SUFFIX_BYTES = 16, NAME_MAX_BYTES = 200, KEY_MAX_BYTES = 1024 };

void prefix_input_done(struct prefix_input *in)
{
    buf_done(&in->name);
    buf_done(&in->suffixes);
}

bool prefix_suffix_ok(struct span suffix, char out[17])
{
    if (suffix.len < 2 || suffix.len > SUFFIX_BYTES || suffix.ptr[0] != '.')
        return false;
    for (size_t i = 0; i < suffix.len; i++) {
        char c = suffix.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (i > 0 && !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            return false;
        out[i] = c;
    }
    out[suffix.len] = '\0';
    return true;
}

static void default_suffixes(struct prefix_input *in)
{
    struct json_writer w = json_writer_on(&in->suffixes);

    json_begin_array(&w);
    for (const char *const *suffix = links_video_suffixes(); *suffix; suffix++)
        json_text(&w, *suffix);
    json_end_array(&w);
}

static void read_suffixes(struct fields *f, struct prefix_input *in)
{
    struct json_writer w = json_writer_on(&in->suffixes);
    json_t *list = fields_member(f, "suffixes", false, JSON_ARRAY);
    char seen[MAX_SUFFIXES][SUFFIX_BYTES + 1];
    size_t seen_count = 0;

    if (!list)
        return;
    if (json_array_size(list) < 1 || json_array_size(list) > MAX_SUFFIXES) {
        fields_refuse(f, "suffixes", "It must have 1 to %d items.", MAX_SUFFIXES);
        return;
    }
    json_begin_array(&w);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        struct span text = { json_string_value(item), json_string_length(item) };
        bool is_new = true;
        if (!json_is_string(item) || !prefix_suffix_ok(text, seen[seen_count])) {
            fields_refuse(f, "suffixes", "Item %zu must be a dot and 1 to 15 letters or digits, such as \".mp4\".", i);
            return;
        }
        for (size_t k = 0; k < seen_count; k++)
            is_new = is_new && strcmp(seen[k], seen[seen_count]) != 0;
        if (is_new)
            json_text(&w, seen[seen_count++]);
    }
    json_end_array(&w);
    in->row.suffixes = buf_view(&in->suffixes);
}

static void read_name(struct fields *f, struct prefix_input *in)
{
    if (fields_text(f, "name", false, 1, NAME_MAX_BYTES, &in->row.name) && text_has_control(in->row.name))
        fields_refuse(f, "name", "It must not have control characters.");
}

static void read_owner(struct fields *f, struct prefix_input *in)
{
    if (fields_text(f, "bucket_owner", false, 0, 64, &in->row.bucket_owner) && !text_is_account(in->row.bucket_owner))
        fields_refuse(f, "bucket_owner", "It must be an AWS account number: 12 digits.");
}

static void read_region(struct fields *f, const struct handlers_app *app, struct prefix_input *in)
{
    if (fields_text(f, "region", false, 1, 64, &in->row.region) && !span_eq_text(in->row.region, app->region))
        fields_refuse(f, "region",
                      "This service works in %s, and Bedrock reads only buckets of the job's own Region. Register the "
                      "bucket with a service that runs in its Region.",
                      app->region);
    in->row.region = span_of(app->region);
}

static void read_place(struct fields *f, const struct handlers_app *app, struct prefix_input *in)
{
    struct prefix_new *row = &in->row;

    if (fields_text(f, "bucket", true, 1, 255, &row->bucket) && !links_bucket_name_ok(row->bucket))
        fields_refuse(
            f, "bucket",
            "It is no bucket name: 3 to 63 lower-case letters, digits, dots and hyphens, beginning and ending "
            "with a letter or digit.");
    if (!fields_text(f, "prefix", false, 0, KEY_MAX_BYTES, &row->key_prefix) || !row->key_prefix.ptr)
        row->key_prefix = SPAN_LIT("");
    if (row->bucket.ptr && location_holds(app->staging_uri, row->bucket, row->key_prefix))
        fields_refuse(f, "prefix", "It lies inside the staging location (%s), which is never scanned.",
                      app->staging_uri);
    if (row->bucket.ptr && location_holds(app->output_uri, row->bucket, row->key_prefix))
        fields_refuse(f, "prefix", "It lies inside the output location (%s), which is never scanned.", app->output_uri);
}

static void start(struct prefix_input *in)
{
    buf_init(&in->name, 2 * KEY_MAX_BYTES);
    buf_init(&in->suffixes, 4096);
}

static bool short_of_memory(struct request *rq, struct reply *rp, struct prefix_input *in)
{
    struct err err = { 0 };

    if (buf_check(&in->name, "a name", &err) && buf_check(&in->suffixes, "suffixes", &err))
        return false;
    reply_error(rq, rp, &err);
    return true;
}

/* The bucket and the prefix, cut to what a name may have. */
static void default_name(struct prefix_input *in)
{
    AUTO(buf_done) struct buf place = { .max = 2 * KEY_MAX_BYTES };
    struct span head;

    buf_span(&place, in->row.bucket);
    buf_char(&place, '/');
    for (size_t i = 0; i < in->row.key_prefix.len; i++) {
        unsigned char c = (unsigned char)in->row.key_prefix.ptr[i];
        buf_char(&place, c < 0x20 || c == 0x7f ? ' ' : (char)c);
    }
    head = text_utf8_head(buf_view(&place), NAME_MAX_BYTES);
    buf_span(&in->name, head);
    in->row.name = buf_view(&in->name);
}

bool prefix_input_create(struct request *rq, struct reply *rp, struct prefix_input *in)
{
    const struct handlers_app *app = app_of(rq);
    json_t *body = rq_json(rq, rp);
    struct fields f;

    if (!body)
        return false;
    start(in);
    fields_begin(&f, rq, rp, body);
    read_place(&f, app, in);
    read_name(&f, in);
    read_owner(&f, in);
    read_region(&f, app, in);
    read_suffixes(&f, in);
    if (!fields_end(&f))
        return false;
    if (!in->row.name.ptr)
        default_name(in);
    if (!in->row.suffixes.ptr) {
        default_suffixes(in);
        in->row.suffixes = buf_view(&in->suffixes);
    }
    return !short_of_memory(rq, rp, in);
}

bool prefix_input_update(struct request *rq, struct reply *rp, struct prefix_input *in)
{
    json_t *body = rq_json(rq, rp);
    struct fields f;

    if (!body)
        return false;
    start(in);
    fields_begin(&f, rq, rp, body);
    read_name(&f, in);
    read_owner(&f, in);
    read_suffixes(&f, in);
    in->clear_owner = json_is_null(json_object_get(body, "bucket_owner"));
    return fields_end(&f) && !short_of_memory(rq, rp, in);
}
