/* Keeps what C tests ask of Bedrock for tests/support/bedrock_shapes.py. */
#ifndef VIDBATCH_TESTS_SUPPORT_HTTP_CAPTURE_H
#define VIDBATCH_TESTS_SUPPORT_HTTP_CAPTURE_H

#include "tests/support/http_script.h"

/* Appends the request to the file that VIDBATCH_CAPTURE names, in the words of the stand-in's log, if it was signed for
 * Bedrock; without that variable nothing happens. Any thread, any number of processes on one file. */
void http_capture(const struct http_seen *seen);

#endif
