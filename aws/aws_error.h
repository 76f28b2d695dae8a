/* Reads what AWS says when it refuses: S3's XML error document, and the errors of REST-JSON services. Pure. Any thread.
 */
#ifndef VIDBATCH_AWS_AWS_ERROR_H
#define VIDBATCH_AWS_AWS_ERROR_H

#include "server/base/span.h"

#include <stdbool.h>

struct aws_error {
    char code[64];     /* AWS's name ("SlowDown"); empty where it gave none */
    char message[400]; /* cut at a UTF-8 boundary */
    char request_id[80];
    char region[32]; /* where the bucket really is, from <Region> */
    char bucket[64];
};

/* Neither can fail: what cannot be read leaves the fields empty, a body that is no document becomes the message. */
void aws_error_from_xml(struct span body, struct aws_error *out);
/* type_header: the value of x-amzn-errortype, which wins over the body; may be empty. */
void aws_error_from_json(struct span type_header, struct span body, struct aws_error *out);

/* Is the body of a 200 really an error: is its root element Error, or does it end before its root is closed, or before
 * there is a root at all? S3 says 200 and sends blanks while it still works, so that a blank body is an answer cut
 * short. A quick look: the document's own reader still judges the rest. */
bool aws_error_hides_in(struct span body);

#endif
