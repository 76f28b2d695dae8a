/* What AWS, or whoever answers in its place, may send as an error: XML, JSON, or an error inside a 200. */
#include "aws/aws_error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Fields end, and hold no control characters: they go into logs and answers. */
static void check_field(const char *field, size_t size)
{
    size_t len = strnlen(field, size);

    if (len == size)
        abort();
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)field[i] < ' ' || field[i] == 127)
            abort();
}

static void check(const struct aws_error *e)
{
    check_field(e->code, sizeof(e->code));
    check_field(e->message, sizeof(e->message));
    check_field(e->request_id, sizeof(e->request_id));
    check_field(e->region, sizeof(e->region));
    check_field(e->bucket, sizeof(e->bucket));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct span body = { (const char *)data, len };
    struct aws_error error;

    aws_error_from_xml(body, &error);
    check(&error);
    aws_error_from_json((struct span){ "", 0 }, body, &error);
    check(&error);
    aws_error_from_json(body, (struct span){ "{}", 2 }, &error);
    check(&error);
    (void)aws_error_hides_in(body);
    return 0;
}
