/* The answer of STS GetCallerIdentity. */
#include "aws/identity.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct aws_identity identity = { 0 };
    struct err err = { 0 };

    if (!aws_identity_read((struct span){ (const char *)data, len }, &identity, &err))
        return 0;
    if (!identity.arn[0] || !identity.account[0] || memchr(identity.arn, '\n', strlen(identity.arn)))
        abort();
    return 0;
}
