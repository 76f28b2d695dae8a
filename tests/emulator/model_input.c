#include "tests/emulator/model_input.h"

#include <string.h>

enum { MAX_TOKENS = 5000 };

/* Nova's own words for a request that does not fit. Always false. */
static bool malformed(struct buf *why, const char *at, const char *what)
{
    buf_fmt(why, "Malformed input request: #%s: %s, please reformat your input and try again.", at, what);
    return false;
}

static bool only_names(json_t *object, const char *at, const char *const *names, struct buf *why)
{
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach(object, name, value)
    {
        size_t i = 0;
        while (names[i] && strcmp(names[i], name) != 0)
            i++;
        if (!names[i]) {
            buf_fmt(why,
                    "Malformed input request: #%s: extraneous key [%s] is not permitted, please reformat your input "
                    "and try again.",
                    at, name);
            return false;
        }
    }
    return true;
}

static bool number_within(json_t *object, const char *name, double least, double most, struct buf *why)
{
    json_t *value = json_object_get(object, name);

    if (!value || (json_is_number(value) && json_number_value(value) >= least && json_number_value(value) <= most))
        return true;
    buf_fmt(why,
            "Malformed input request: #/inferenceConfig/%s: expected a number between %g and %g, please reformat your "
            "input and try again.",
            name, least, most);
    return false;
}

static bool read_inference(json_t *config, struct model_input *out, struct buf *why)
{
    static const char *const names[] = { "maxTokens",     "temperature",     "topP", "topK",
                                         "stopSequences", "reasoningConfig", NULL };
    json_t *max = json_object_get(config, "maxTokens");

    if (!config)
        return true;
    if (!json_is_object(config))
        return malformed(why, "/inferenceConfig", "expected type: JSONObject");
    if (!only_names(config, "/inferenceConfig", names, why))
        return false;
    if (max && (!json_is_integer(max) || json_integer_value(max) < 1 || json_integer_value(max) > MAX_TOKENS))
        return malformed(why, "/inferenceConfig/maxTokens", "expected an integer between 1 and 5000");
    out->max_tokens = json_integer_value(max);
    return number_within(config, "temperature", 0, 1, why) && number_within(config, "topP", 0, 1, why) &&
           number_within(config, "topK", 0, 128, why);
}

static bool is_video_format(const char *format)
{
    static const char *const formats[] = { "mp4", "mov", "mkv", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp" };

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i], format) == 0)
            return true;
    return false;
}

static bool read_video(json_t *video, struct model_input *out, struct buf *why)
{
    static const char *const names[] = { "format", "source", NULL };
    static const char *const location_names[] = { "uri", "bucketOwner", NULL };
    const char *format = json_string_value(json_object_get(video, "format"));
    json_t *source = json_object_get(video, "source");
    json_t *location = json_object_get(source, "s3Location");

    if (out->video_format)
        return malformed(why, "/messages", "only one video is allowed per request");
    if (!only_names(video, "/messages/content/video", names, why))
        return false;
    if (!format || !is_video_format(format))
        return malformed(why, "/messages/content/video/format", "not a valid enum value");
    out->video_format = format;
    if (!location)
        return json_is_string(json_object_get(source, "bytes")) ||
               malformed(why, "/messages/content/video/source", "required key [s3Location] not found");
    if (!only_names(location, "/messages/content/video/source/s3Location", location_names, why))
        return false;
    out->video_uri = json_string_value(json_object_get(location, "uri"));
    out->video_owner = json_string_value(json_object_get(location, "bucketOwner"));
    return out->video_uri ||
           malformed(why, "/messages/content/video/source/s3Location", "required key [uri] not found");
}

static bool read_block(json_t *block, struct model_input *out, struct buf *why)
{
    json_t *text = json_object_get(block, "text");
    json_t *video = json_object_get(block, "video");

    if (!json_is_object(block) || json_object_size(block) != 1)
        return malformed(why, "/messages/content", "a block must have exactly one of text, image, video");
    if (text) {
        if (!json_is_string(text) || json_string_length(text) == 0)
            return malformed(why, "/messages/content/text", "expected minLength: 1, actual: 0");
        buf_text(&out->prompt, json_string_value(text));
        buf_char(&out->prompt, '\n');
        return true;
    }
    if (video)
        return read_video(video, out, why);
    return json_object_get(block, "image") != NULL ||
           malformed(why, "/messages/content", "extraneous key is not permitted");
}

static bool read_blocks(json_t *blocks, struct model_input *out, struct buf *why)
{
    size_t i = 0;
    json_t *block = NULL;

    if (!json_is_array(blocks) || json_array_size(blocks) == 0)
        return malformed(why, "/messages/content", "expected a non-empty JSONArray");
    json_array_foreach(blocks, i, block) if (!read_block(block, out, why)) return false;
    return true;
}

static bool read_messages(json_t *messages, struct model_input *out, struct buf *why)
{
    size_t i = 0;
    json_t *message = NULL;

    if (!messages)
        return malformed(why, "", "required key [messages] not found");
    if (!json_is_array(messages) || json_array_size(messages) == 0)
        return malformed(why, "/messages", "expected a non-empty JSONArray");
    json_array_foreach(messages, i, message)
    {
        const char *role = json_string_value(json_object_get(message, "role"));
        const char *expected = i % 2 == 0 ? "user" : "assistant";
        if (!role || strcmp(role, expected) != 0)
            return malformed(why, "/messages/role", "roles must alternate and start with user");
        if (!read_blocks(json_object_get(message, "content"), out, why))
            return false;
    }
    return true;
}

bool model_input_read(json_t *json, bool is_converse, struct model_input *out, struct buf *why)
{
    static const char *const names[] = { "schemaVersion", "system", "messages", "inferenceConfig", "toolConfig", NULL };
    static const char *const converse_names[] = { "system", "messages", "inferenceConfig",
                                                  "additionalModelRequestFields", NULL };
    const char *version = json_string_value(json_object_get(json, "schemaVersion"));
    json_t *system = json_object_get(json, "system");
    size_t i = 0;
    json_t *part = NULL;

    if (!json_is_object(json))
        return malformed(why, "/modelInput", "expected type: JSONObject");
    if (!only_names(json, "", is_converse ? converse_names : names, why))
        return false;
    if (version && strcmp(version, "messages-v1") != 0)
        return malformed(why, "/schemaVersion", "not a valid enum value");
    if (json_object_get(json, "toolConfig"))
        return malformed(why, "/toolConfig", "tool calling is not available in batch inference");
    if (system && !json_is_array(system))
        return malformed(why, "/system", "expected type: JSONArray");
    json_array_foreach(system, i, part)
    {
        const char *text = json_string_value(json_object_get(part, "text"));
        if (!text)
            return malformed(why, "/system", "required key [text] not found");
        buf_text(&out->prompt, text);
        buf_char(&out->prompt, '\n');
    }
    return read_messages(json_object_get(json, "messages"), out, why) &&
           read_inference(json_object_get(json, "inferenceConfig"), out, why);
}
