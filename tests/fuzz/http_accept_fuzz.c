/* Accept, Content-Type and If-None-Match: any bytes give an answer; a choice is one of those offered. */
#include "server/http/parse.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const types[] = { "application/json", "application/x-ndjson", "text/csv", NULL };
    struct span s = { (const char *)data, len };
    int chosen = accept_choose(s, types);

    if (chosen < -1 || chosen > 2)
        abort();
    (void)content_type_is(s, "application/json");
    if (etag_listed(s, SPAN_LIT("\"a tag\"")) && len == 0)
        abort();
    return 0;
}
