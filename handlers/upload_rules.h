/* Which names a client may upload under a prefix. Pure. */
#ifndef VIDBATCH_HANDLERS_UPLOAD_RULES_H
#define VIDBATCH_HANDLERS_UPLOAD_RULES_H

#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UPLOAD_KEY_MAX_BYTES = 1024 };

struct upload_rules {
    struct span bucket, key_prefix;
    struct span suffixes; /* JSON array of texts, as the prefix has them */
    const char *staging_uri, *output_uri;
    int64_t max_video_bytes;
};
/* Would a scan find the object, and could a model take it? False: `broken` says which rule and what to do. */
bool upload_name_ok(const struct upload_rules *rules, struct span name, char *broken, size_t size);

#endif
