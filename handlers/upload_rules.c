#include "handlers/upload_rules.h"

#include "handlers/common.h"
#include "server/base/buf.h"
#include "server/work/links.h"

#include <stdio.h>
#include <string.h>

/* Clients and proxies fold "." and ".." away, and the signature of the URL would no longer fit. */
static bool has_dot_segment(struct span key)
{
    while (key.len > 0) {
        size_t slash = span_find(key, '/');
        struct span segment = span_head(key, slash);
        if (span_eq_text(segment, ".") || span_eq_text(segment, ".."))
            return true;
        key = span_tail(key, slash + 1);
    }
    return false;
}

/* The suffixes hold only dots, letters and digits, so every second piece between quotes is one. */
static bool is_scanned(struct span suffixes, struct span name)
{
    bool inside = false;

    while (suffixes.len > 0) {
        size_t quote = span_find(suffixes, '"');
        struct span piece = span_head(suffixes, quote);
        if (inside && name.len > piece.len && span_eq_nocase(span_tail(name, name.len - piece.len), piece))
            return true;
        inside = !inside;
        suffixes = span_tail(suffixes, quote + 1);
    }
    return false;
}

bool upload_name_ok(const struct upload_rules *rules, struct span name, char *broken, size_t size)
{
    AUTO(buf_done) struct buf key = { .max = 4 * UPLOAD_KEY_MAX_BYTES };
    const char *rule = NULL;

    buf_span(&key, rules->key_prefix);
    buf_span(&key, name);
    if (name.len == 0)
        rule = "It must not be empty.";
    else if (key.len > UPLOAD_KEY_MAX_BYTES)
        rule = "Prefix and name together are longer than the 1024 bytes of an S3 key. Shorten the name.";
    else if (text_has_control(name))
        rule = "It must not have control characters.";
    else if (has_dot_segment(buf_view(&key)))
        rule = "It must not have \".\" or \"..\" between slashes.";
    else if (!links_video_mime(name))
        rule =
            "No model takes a file of this type. Convert it to one of: mp4, mov, mkv, webm, flv, mpeg, mpg, wmv, 3gp.";
    else if (!is_scanned(rules->suffixes, name))
        rule = "The prefix does not scan for this suffix. Add it to the prefix's suffixes first.";
    else if (location_holds(rules->staging_uri, rules->bucket, buf_view(&key)) ||
             location_holds(rules->output_uri, rules->bucket, buf_view(&key)))
        rule = "It lies in the service's own staging or output location, which is never scanned.";
    if (rule)
        snprintf(broken, size, "%s", rule);
    return !rule;
}
