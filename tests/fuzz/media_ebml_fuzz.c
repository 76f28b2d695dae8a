/* From files of Matroska and WebM. */
#include "tests/fuzz/media_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    return media_fuzz(data, len);
}
