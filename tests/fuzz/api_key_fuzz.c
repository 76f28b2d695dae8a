/* API keys as clients send them: a whole key or nothing; what is read is written back as it was. */
#include "server/base/api_key.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct span text = { (const char *)data, len };
    unsigned char hash[API_KEY_HASH];
    char name[ID_SIZE];
    int64_t id = -1;

    if (!api_key_parse(text, &id, hash))
        return 0;
    id_format("vb_", id, name);
    if (len != API_KEY_LENGTH || id < 0 || memcmp(name, data, 14) != 0)
        abort();
    return 0;
}
