/* The parser of shared config and credentials files. First byte: which of the two kinds. */
#include "aws/profile_file.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Every span lies inside the text. */
static void check(const struct profile_file *file, size_t len, struct span s)
{
    if (s.len && (s.ptr < file->text || s.ptr + s.len > file->text + len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    AUTO(profile_file_done) struct profile_file file = { 0 };
    enum profile_file_kind kind = len && (data[0] & 1) ? PROFILE_CONFIG : PROFILE_CREDENTIALS;
    struct err err = { 0 };

    if (!len)
        return 0;
    if (!profile_file_parse((struct span){ (const char *)data + 1, len - 1 }, kind, "fuzz", &file, &err)) {
        if (err.kind == ERR_NONE || file.text)
            abort();
        return 0;
    }
    for (size_t i = 0; i < file.count; i++) {
        check(&file, len - 1, file.entries[i].profile);
        check(&file, len - 1, file.entries[i].key);
        check(&file, len - 1, file.entries[i].subkey);
        check(&file, len - 1, file.entries[i].value);
    }
    (void)profile_file_find(&file, PROFILE_SECTION, SPAN_LIT("default"), "region", NULL);
    return 0;
}
