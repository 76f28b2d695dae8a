/* A small bounded reader of the XML documents that AWS answers with (Expat underneath). Local names only: a namespace
 * prefix or declaration never matters. White space before the first '<' is skipped, a DOCTYPE is refused, nesting is
 * at most XML_MAX_DEPTH. Pure: no I/O, no globals. Any thread. */
#ifndef VIDBATCH_AWS_XML_H
#define VIDBATCH_AWS_XML_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>

enum { XML_MAX_DEPTH = 32 };

/* start(name) when an element opens, end(name, text) when it closes. depth is 1 for the root.
 *   text  borrowed, valid during the call: the whole text of a leaf element, neither trimmed nor cut; empty for an
 *         element that has child elements
 *   end   returns false, with err filled, to stop the reading
 * Either may be NULL. max_text bounds the text of one leaf in bytes; 0 means 64 KiB. */
struct xml_handler {
    void (*start)(void *arg, const char *name, int depth);
    bool (*end)(void *arg, const char *name, int depth, struct span text, struct err *err);
    void *arg;
    size_t max_text;
};

/* Reads one whole document. ERR_UPSTREAM, retryable, code "bad_xml" when it is not well-formed, cut short, too deep,
 * or holds a text over max_text; what `end` reported when that stopped it; ERR_MEMORY. */
MUST_CHECK bool xml_read(struct span doc, const struct xml_handler *h, struct err *err);

#endif
