/* Any bytes as a manifest. */
#include "aws/batch_output.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct batch_manifest got = { 0 };
    struct err err = { 0 };

    if (!batch_manifest_parse((struct span){ (const char *)data, len }, &got, &err)) {
        if (err.kind == ERR_NONE)
            abort();
        return 0;
    }
    if (got.total < -1 || got.processed < -1 || got.succeeded < -1 || got.failed < -1 || got.input_tokens < -1 ||
        got.output_tokens < -1)
        abort();
    return 0;
}
