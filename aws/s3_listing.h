/* Inside aws/: the two readers of a ListObjectsV2 answer. Expat knows all of XML and is nearly all of what a listing
 * costs the client; so a scanner takes the documents that S3 really sends, and leaves everything else to Expat. Both
 * give the same page, which a fuzz target holds them to. One thread a page. */
#ifndef VIDBATCH_AWS_S3_LISTING_H
#define VIDBATCH_AWS_S3_LISTING_H

#include "aws/s3.h"
#include "aws/s3_call.h"

/* Larger answers are refused. A page of 1,000 keys of 1,024 bytes, all of them percent-encoded, is half of it. */
enum { S3_LISTING_MAX_BYTES = 8 * 1024 * 1024 };

/* Any document. ERR_UPSTREAM, code "bad_listing", retryable; the page is then empty. */
MUST_CHECK bool s3_listing_by_expat(struct span xml, struct s3_page *page, struct err *err);
/* The plain form: no attributes but the namespace, nothing nested below Contents (as RestoreStatus is), ASCII, named
 * entities. False says nothing about the document, only that it is for Expat; the page then holds nothing that counts.
 */
MUST_CHECK bool s3_listing_by_scanner(struct span xml, struct s3_page *page);

/* The request for one page, ready to be sent; rq's text must live as long as it. s3_call_done frees, also after a
 * failure. */
MUST_CHECK bool s3_listing_call(struct s3_call *call, const struct s3_list_request *rq, struct err *err);

/* ---- what the two share ---- */

/* Empties the page and reserves room for a document's text, so that nothing moves while spans into it are taken. */
MUST_CHECK bool s3_listing_begin(struct s3_page *page, size_t room);
/* False: no memory. */
MUST_CHECK bool s3_listing_keep(struct s3_page *page, const struct s3_object *object);
/* Decodes and judges all keys, and the token. NULL, or what is wrong with the page (static text). */
const char *s3_listing_finish(struct s3_page *page, bool is_url_encoded);

#endif
