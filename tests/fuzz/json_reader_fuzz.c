/* The JSON reader against Jansson. The first byte chooses how the rest is cut into windows. */
#include "tests/support/json_compare.h"

#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *difference = NULL;

    if (len == 0)
        return 0;
    difference = compare_with_jansson((struct span){ (const char *)data + 1, len - 1 }, data[0]);
    if (difference) {
        (void)fprintf(stderr, "json_reader: %s\n", difference);
        abort();
    }
    return 0;
}
