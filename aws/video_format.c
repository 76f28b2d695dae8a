#include "aws/batch_input.h"

/* Nova user guide, "video understanding", table of formats. AVI, M4V, TS and OGV are not in it. */
static const struct video_format formats[] = {
    { ".mp4", "mp4", "video/mp4" },    { ".mov", "mov", "video/quicktime" }, { ".mkv", "mkv", "video/x-matroska" },
    { ".webm", "webm", "video/webm" }, { ".flv", "flv", "video/x-flv" },     { ".mpeg", "mpeg", "video/mpeg" },
    { ".mpg", "mpg", "video/mpg" },    { ".wmv", "wmv", "video/wmv" },       { ".3gp", "three_gp", "video/3gpp" },
};
enum { FORMAT_COUNT = sizeof(formats) / sizeof(formats[0]) };

const struct video_format *video_formats(size_t *count)
{
    *count = FORMAT_COUNT;
    return formats;
}

const struct video_format *video_format_of(struct span key)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        struct span suffix = span_of(formats[i].suffix);

        if (key.len >= suffix.len && span_eq_nocase(span_tail(key, key.len - suffix.len), suffix))
            return &formats[i];
    }
    return NULL;
}

/* [-!_*'().a-zA-Z0-9] */
static bool is_clean(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c == '-' || c == '!' || c == '_' || c == '*' || c == '\'' || c == '(' || c == ')' || c == '.';
}

bool batch_key_is_clean(struct span key)
{
    size_t segment = 0; /* length of the segment so far */

    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '/') {
            if (segment == 0)
                return false;
            segment = 0;
            continue;
        }
        if (!is_clean((unsigned char)key.ptr[i]))
            return false;
        segment++;
    }
    return segment > 0;
}
