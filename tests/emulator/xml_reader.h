/* Reads the small XML documents that S3 requests carry. */
#ifndef VIDBATCH_EMULATOR_XML_READER_H
#define VIDBATCH_EMULATOR_XML_READER_H

#include "server/base/attr.h"
#include "server/base/span.h"

#include <stdbool.h>

/* Called at the end of each element with its local name and own text (borrowed). */
typedef void xml_element_fn(void *arg, const char *name, struct span text);
/* False: not well-formed, or a document type is declared. */
MUST_CHECK bool xml_read(struct span document, xml_element_fn *element, void *arg);

#endif
