/* Cursors: any bytes are a cursor of the kind or not; one that is has this one spelling. */
#include "server/http/parse.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct span text = { (const char *)data, len };
    struct buf value = { 0 };
    struct buf again = { 0 };

    if (cursor_decode(&value, "jobs", text)) {
        cursor_encode(&again, "jobs", buf_view(&value));
        if (!span_eq(buf_view(&again), text))
            abort();
    }
    buf_done(&value);
    buf_done(&again);
    return 0;
}
